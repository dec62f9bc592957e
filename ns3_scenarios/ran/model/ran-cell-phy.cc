/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a cell and its users receive: geometry, interference, SINR, measurements and decoding.

#include "ran-cell.h"
#include "ran-units.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

namespace
{

/// Weight of a new measurement in the filtered downlink SINR
constexpr double MEASUREMENT_WEIGHT = 0.25;
/// Weight of a slot in the filtered uplink interference
constexpr double UPLINK_INTERFERENCE_WEIGHT = 0.05;
/// Share of noise below which interferers are taken together at their average load
constexpr double WEAK_SHARE = 0.01;
/// Share of noise below which interferers are left out
constexpr double NEGLIGIBLE_SHARE = 1e-3;
/// How often the sum of weak interferers is computed, ns
constexpr int64_t WEAK_PERIOD_NS = 50000000;
/// Most interferers that are followed group by group
constexpr size_t MAX_STRONG = 8;
/// Most neighbours whose users are heard in the uplink
constexpr size_t MAX_UPLINK_NEIGHBOURS = 24;
/// Uplink grants are not so wide that a user's power would spread below this SINR
constexpr double UPLINK_MIN_SINR_DB = 5;

} // namespace

double
RanCell::UplinkLimitRb(const RanLink& link) const
{
    const double power = RanFromDb(m_ueMaxPowerDbm - 30) * link.gain;
    const double disturbance = (m_noisePsdCell + m_uplinkInterference) * m_grid.rbHz;
    return power / (disturbance * RanFromDb(UPLINK_MIN_SINR_DB));
}

double
RanCell::UplinkPsd(const RanLink& link, double rb) const
{
    const double lossDb = -RanToDb(link.gain);
    const double target = RanFromDb(m_p0Dbm - 30 + m_alpha * lossDb) / 180e3;
    const double limit = RanFromDb(m_ueMaxPowerDbm - 30) / (rb * m_grid.rbHz);
    return std::min(target, limit);
}

void
RanCell::RefreshFading(RanLink& link, int64_t nowNs)
{
    if (!channel->HasFading() || (link.fadingNs >= 0 && nowNs - link.fadingNs <
                                                            channel->FadingPeriod().GetNanoSeconds()))
    {
        return;
    }
    link.fadingNs = nowNs;
    link.fading = channel->Fading(mobility, array, link.ue->mobility, link.ue->array, m_bands);
    for (RanInterferer& i : link.interferers)
    {
        i.fading =
            channel->Fading(i.cell->mobility, i.cell->array, link.ue->mobility, link.ue->array, m_bands);
    }
}

void
RanCell::RefreshLink(RanLink& link) const
{
    const auto& ue = link.ue->array;
    link.geometry = geometries[link.ue->id];
    link.gain = link.geometry.gain * static_cast<double>(array->GetNumElems() * ue->GetNumElems());
    std::vector<RanInterferer> all;
    all.reserve(neighbours.size());
    double rest = 0;
    for (RanCell* neighbour : neighbours)
    {
        // The user's beam points at its own cell, whoever transmits.
        const RanGeometry& path = neighbour->geometries[link.ue->id];
        const double gain = path.gain * RanChannel::ArrayGain(ue->GetNumColumns(),
                                                              ue->GetNumRows(),
                                                              path.atUser,
                                                              link.geometry.atUser);
        rest += gain * neighbour->DownlinkPsd();
        all.push_back({.cell = neighbour,
                       .gain = gain,
                       .sameBands = m_grid.SameBands(neighbour->m_grid),
                       .fading = {}});
    }
    const auto power = [](const RanInterferer& i) { return i.gain * i.cell->DownlinkPsd(); };
    std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
        return power(a) > power(b);
    });
    size_t strong = 0;
    while (strong < all.size() && strong < MAX_STRONG && rest > WEAK_SHARE * m_noisePsdUe)
    {
        rest -= power(all[strong++]);
    }
    size_t heard = strong;
    while (heard < all.size() && rest > NEGLIGIBLE_SHARE * m_noisePsdUe)
    {
        rest -= power(all[heard++]);
    }
    const auto border = all.begin() + static_cast<std::ptrdiff_t>(strong);
    link.weak.assign(border, all.begin() + static_cast<std::ptrdiff_t>(heard));
    all.erase(border, all.end());
    link.interferers = std::move(all);
    link.fadingNs = -1;
    link.weakNs = -1;
}

double
RanCell::PsdOn(RanDirection direction,
               const RanGrid& grid,
               uint32_t group,
               RanLink*& owner) const
{
    const RanTransmission& t = m_transmission[direction];
    if (grid.SameBands(m_grid))
    {
        owner = t.owner[group];
        return t.psd[group];
    }
    // Carriers are centred on the same frequency: average over the overlap.
    const double width = grid.rbPerRbg * grid.rbHz;
    const double from = group * width - grid.OccupiedHz() / 2 + m_grid.OccupiedHz() / 2;
    const double to = from + width;
    const double own = m_grid.rbPerRbg * m_grid.rbHz;
    double sum = 0;
    double most = 0;
    const auto first = static_cast<int64_t>(std::floor(from / own));
    const auto last = static_cast<int64_t>(std::ceil(to / own));
    for (int64_t g = std::max<int64_t>(0, first); g < std::min<int64_t>(m_grid.nRbg, last); ++g)
    {
        const double overlap = std::min(to, (g + 1) * own) - std::max(from, g * own);
        const double power = t.psd[g] * std::max(0.0, overlap);
        sum += power;
        if (power > most)
        {
            most = power;
            owner = t.owner[g];
        }
    }
    return sum / width;
}

double
RanCell::DownlinkInterference(const RanLink& link, uint32_t group) const
{
    double sum = link.weakPsd;
    for (const RanInterferer& i : link.interferers)
    {
        const RanTransmission& t = i.cell->m_transmission[RAN_DL];
        if (!t.active)
        {
            continue;
        }
        RanLink* owner = nullptr;
        double psd = 0;
        if (i.sameBands)
        {
            psd = t.psd[group];
            owner = t.owner[group];
        }
        else
        {
            psd = i.cell->PsdOn(RAN_DL, m_grid, group, owner);
        }
        if (psd <= 0)
        {
            continue;
        }
        psd *= i.gain;
        if (i.cell->m_beams)
        {
            const auto& a = i.cell->array;
            psd *= RanChannel::ArrayGain(a->GetNumColumns(),
                                         a->GetNumRows(),
                                         i.cell->geometries[link.ue->id].atCell,
                                         owner->geometry.atCell);
        }
        if (!i.fading.empty())
        {
            psd *= i.fading[group];
        }
        sum += psd;
    }
    return sum;
}

double
RanCell::MeanDownlinkInterference(const RanLink& link) const
{
    double sum = link.weakPsd;
    for (const RanInterferer& i : link.interferers)
    {
        const RanTransmission& t = i.cell->m_transmission[RAN_DL];
        if (t.active)
        {
            // Of carriers of different width the overlap counts.
            const double overlap =
                std::min(1.0, i.cell->m_grid.OccupiedHz() / m_grid.OccupiedHz());
            sum += t.meanPsd * i.gain * overlap;
        }
    }
    return sum;
}

double
RanCell::UplinkInterference(const RanLink& link, uint32_t group) const
{
    double sum = 0;
    const size_t n = std::min(neighbours.size(), MAX_UPLINK_NEIGHBOURS);
    for (size_t k = 0; k < n; ++k)
    {
        const RanCell* other = neighbours[k];
        if (!other->m_transmission[RAN_UL].active)
        {
            continue;
        }
        RanLink* owner = nullptr;
        const double psd = other->PsdOn(RAN_UL, m_grid, group, owner);
        if (psd <= 0)
        {
            continue;
        }
        const RanGeometry& path = geometries[owner->ue->id];
        const auto& ue = owner->ue->array;
        sum += psd * path.gain *
               RanChannel::ArrayGain(ue->GetNumColumns(),
                                     ue->GetNumRows(),
                                     path.atUser,
                                     owner->geometry.atUser) *
               RanChannel::ArrayGain(array->GetNumColumns(),
                                     array->GetNumRows(),
                                     path.atCell,
                                     link.geometry.atCell);
    }
    return sum;
}

double
RanCell::AverageSinr(const RanLink& link) const
{
    double interference = link.weakPsd;
    for (const RanInterferer& i : link.interferers)
    {
        interference += i.gain * i.cell->DownlinkPsd() * i.cell->Load();
    }
    return DownlinkPsd() * link.gain / (m_noisePsdUe + interference);
}

void
RanCell::Measure(RanLink& link, int64_t nowNs)
{
    RefreshFading(link, nowNs);
    if (link.weakNs < 0 || nowNs - link.weakNs >= WEAK_PERIOD_NS)
    {
        link.weakNs = nowNs;
        link.weakPsd = 0;
        for (const RanInterferer& i : link.weak)
        {
            link.weakPsd += i.gain * i.cell->DownlinkPsd() * i.cell->m_load;
        }
    }
    const double signal = DownlinkPsd() * link.gain;
    double sinr = 0;
    if (link.fading.empty() && !m_beams)
    {
        sinr = signal / (m_noisePsdUe + MeanDownlinkInterference(link));
    }
    else
    {
        // Mean capacity over the band, turned back into the SINR of a flat channel.
        double capacity = 0;
        for (uint32_t g = 0; g < m_grid.nRbg; ++g)
        {
            const double s = link.fading.empty() ? signal : signal * link.fading[g];
            capacity += std::log2(1 + s / (m_noisePsdUe + DownlinkInterference(link, g)));
        }
        sinr = std::exp2(capacity / m_grid.nRbg) - 1;
    }
    sinr = std::max(sinr, 1e-10);
    const bool first = link.filteredSinr < 0;
    if (first || !m_outerLoop)
    {
        link.filteredSinr = sinr;
    }
    else
    {
        // Interference is averaged, not SINR, of which rare clear moments would be most.
        link.filteredSinr = 1 / ((1 - MEASUREMENT_WEIGHT) / link.filteredSinr +
                                 MEASUREMENT_WEIGHT / sinr);
    }
    link.cqi = link.nextCqi;
    // Without the outer loop the CQI has to be right for the blocks that the user gets.
    const uint32_t rb = m_outerLoop || link.lastRb == 0 ? m_grid.nRb : link.lastRb;
    link.nextCqi = errorModel->SinrToCqi(m_mcsTable, link.filteredSinr, rb);
    if (first)
    {
        link.cqi = link.nextCqi;
    }
    link.measuredNs = nowNs;
}

void
RanCell::Evaluate(RanTransportBlock& block)
{
    RanFlow& flow = *block.flow;
    RanLink& link = *flow.link;
    const bool downlink = flow.direction == RAN_DL;
    const double noise = downlink ? m_noisePsdUe : m_noisePsdCell;
    const double signal = block.psd * link.gain;
    // Without fading and interferers all groups are alike.
    const bool flat = downlink ? link.interferers.empty() : neighbours.empty();
    const uint32_t count =
        flat && link.fading.empty() ? 1 : (m_tdma ? m_grid.nRbg : block.units);
    const uint8_t order = block.mcs.modulationOrder;
    double miSum = 0;
    double capacitySum = 0;
    double last = -1;
    double lastMi = 0;
    double lastCapacity = 0;
    bool allEqual = true;
    double interferenceSum = 0;
    for (uint32_t k = 0; k < count; ++k)
    {
        const uint32_t g = m_tdma ? k : (block.firstUnit + k) % m_grid.nRbg;
        const double interference =
            downlink ? DownlinkInterference(link, g) : UplinkInterference(link, g);
        interferenceSum += interference;
        const double s = link.fading.empty() ? signal : signal * link.fading[g];
        const double sinr = s / (noise + interference);
        if (sinr != last)
        {
            allEqual = last < 0;
            last = sinr;
            lastMi = RanMutualInformation(order, sinr);
            lastCapacity = std::log2(1 + sinr);
        }
        miSum += lastMi;
        capacitySum += lastCapacity;
    }
    const double mi = miSum / count;
    const double sinr = allEqual ? last : RanInverseMutualInformation(order, mi);
    if (!downlink)
    {
        const double interference = interferenceSum / count;
        m_uplinkInterference +=
            UPLINK_INTERFERENCE_WEIGHT * (interference - m_uplinkInterference);
        m_iotSum += (noise + interference) / m_thermalPsdCell;
        ++m_iotCount;
    }
    const double coded = block.resourceElements * order;
    ++block.transmissions;
    block.miBits += coded * mi;
    block.codedBits += coded;
    double errorRate;
    RanFlowCounters& counters = flow.counters;
    if (block.transmissions == 1)
    {
        block.firstCodedBits = coded;
        if (downlink)
        {
            link.lastRb = static_cast<uint32_t>(
                m_tdma ? m_grid.nRb : std::lround(block.units * m_grid.rbPerRbg));
        }
        errorRate = errorModel->TransportBlockErrorRate(block.mcs, block.bits, sinr);
    }
    else
    {
        errorRate = errorModel->TransportBlockErrorRate(block.mcs,
                                                        block.bits,
                                                        block.miBits,
                                                        block.codedBits,
                                                        block.firstCodedBits);
    }
    block.decoded = m_random->GetValue() >= errorRate;
    // Mutual information saturates, so the mean that is reported is that of capacity.
    const double mean = allEqual ? last : std::exp2(capacitySum / count) - 1;
    counters.sinrDbSum += RanToDb(std::max(mean, 1e-10));
    ++counters.transmissions;
    if (block.transmissions == 1)
    {
        ++counters.blocks;
        counters.errors += !block.decoded;
        counters.mcsSum += block.mcsIndex;
    }
    m_blockTrace(block);
}

double
RanCell::TakeInterferenceOverThermalDb()
{
    const double mean = m_iotCount ? m_iotSum / m_iotCount : 1;
    m_iotSum = 0;
    m_iotCount = 0;
    return RanToDb(mean);
}

} // namespace ns3
