/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-mobility.h"

#include "ran-network.h"
#include "ran-units.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanMobility);

namespace
{

/// RSRP of a cell that is not heard
constexpr float UNHEARD = -std::numeric_limits<float>::infinity();

} // namespace

TypeId
RanMobility::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanMobility")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanMobility>()
            .AddAttribute("Enabled",
                          "Users are handed over and can lose their cell.",
                          BooleanValue(true),
                          MakeBooleanAccessor(&RanMobility::m_enabled),
                          MakeBooleanChecker())
            .AddAttribute("MeasurementPeriod",
                          "Time between samples of RSRP.",
                          TimeValue(MilliSeconds(40)),
                          MakeTimeAccessor(&RanMobility::m_period),
                          MakeTimeChecker(MilliSeconds(1)))
            .AddAttribute("FilterCoefficient",
                          "k of the layer-3 filter, TS 38.331 5.5.3.2.",
                          DoubleValue(4),
                          MakeDoubleAccessor(&RanMobility::m_filterCoefficient),
                          MakeDoubleChecker<double>(0, 19))
            .AddAttribute("MeasurementError",
                          "Standard deviation of a sample, dB.",
                          DoubleValue(1.2),
                          MakeDoubleAccessor(&RanMobility::m_errorDb),
                          MakeDoubleChecker<double>(0, 10))
            .AddAttribute("PreparationTime",
                          "From the measurement report to the handover command.",
                          TimeValue(MilliSeconds(20)),
                          MakeTimeAccessor(&RanMobility::m_preparation),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("InterruptionTime",
                          "From the handover command to service by the target.",
                          TimeValue(MilliSeconds(30)),
                          MakeTimeAccessor(&RanMobility::m_interruption),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("PingPongTime",
                          "A return to the source within this time is a ping-pong.",
                          TimeValue(Seconds(1)),
                          MakeTimeAccessor(&RanMobility::m_pingPong),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("QOut",
                          "SINR below which a link is out of sync, dB.",
                          DoubleValue(-8),
                          MakeDoubleAccessor(&RanMobility::m_qOutDb),
                          MakeDoubleChecker<double>())
            .AddAttribute("QIn",
                          "SINR above which a link is in sync again, dB.",
                          DoubleValue(-6),
                          MakeDoubleAccessor(&RanMobility::m_qInDb),
                          MakeDoubleChecker<double>())
            .AddAttribute("T310",
                          "Time out of sync after which the link has failed.",
                          TimeValue(Seconds(1)),
                          MakeTimeAccessor(&RanMobility::m_t310),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("ReestablishmentTime",
                          "From the failure to service by the best cell.",
                          TimeValue(MilliSeconds(150)),
                          MakeTimeAccessor(&RanMobility::m_reestablishment),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("MinRsrp",
                          "RSRP below which a cell cannot be used, dBm.",
                          DoubleValue(-125),
                          MakeDoubleAccessor(&RanMobility::m_minRsrpDbm),
                          MakeDoubleChecker<double>());
    return tid;
}

RanMobility::RanMobility() = default;
RanMobility::~RanMobility() = default;

void
RanMobility::DoDispose()
{
    m_measure.Cancel();
    for (Track& track : m_tracks)
    {
        track.procedure.Cancel();
    }
    m_network = nullptr;
    Object::DoDispose();
}

void
RanMobility::Start(RanNetwork* network)
{
    m_network = network;
    for (const auto& cell : network->GetCells())
    {
        if (cell->carrier == 0)
        {
            m_candidates.push_back(PeekPointer(cell));
        }
    }
    m_tracks.resize(network->GetUes().size());
    for (Track& track : m_tracks)
    {
        track.rsrpDbm.assign(m_candidates.size(), UNHEARD);
        track.enteredNs.assign(m_candidates.size(), -1);
    }
    m_error = CreateObject<NormalRandomVariable>();
    m_error->SetAttribute("Variance", DoubleValue(m_errorDb * m_errorDb));
    Measure();
}

int64_t
RanMobility::AssignStreams(int64_t stream)
{
    m_error->SetStream(stream);
    return 1;
}

void
RanMobility::Measure()
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    const auto& ues = m_network->GetUes();
    for (size_t i = 0; i < ues.size(); ++i)
    {
        RanUe& ue = *ues[i];
        Track& track = m_tracks[i];
        if (!m_enabled && ue.IsServed())
        {
            continue; // an order may have taken it to where it is lost
        }
        Sample(ue, track);
        if (!ue.IsServed())
        {
            continue;
        }
        if (HasFailed(ue, track, now))
        {
            Fail(ue);
        }
        else if (ue.state == RanUeState::CONNECTED)
        {
            if (RanCell* target = Triggered(ue, track, now))
            {
                Order(ue, *target);
            }
        }
    }
    Evacuate();
    m_measure = Simulator::Schedule(m_period, &RanMobility::Measure, this);
}

void
RanMobility::Sample(const RanUe& ue, Track& track)
{
    const auto weight = static_cast<float>(1 / std::exp2(m_filterCoefficient / 4));
    for (size_t i = 0; i < m_candidates.size(); ++i)
    {
        RanCell& cell = *m_candidates[i];
        if (!cell.GetPower().IsHeard())
        {
            track.rsrpDbm[i] = UNHEARD;
            track.enteredNs[i] = -1;
            continue;
        }
        auto sample = static_cast<float>(ue.gainDb[cell.id] + cell.ReferenceSignalDbm());
        if (m_errorDb > 0)
        {
            sample += static_cast<float>(m_error->GetValue());
        }
        float& filtered = track.rsrpDbm[i];
        filtered = filtered == UNHEARD ? sample : filtered + weight * (sample - filtered);
    }
    if (!ue.IsServed())
    {
        std::fill(track.enteredNs.begin(), track.enteredNs.end(), -1);
        track.outOfSyncNs = -1;
    }
}

RanCell*
RanMobility::Triggered(const RanUe& ue, Track& track, int64_t nowNs)
{
    RanCell& serving = *ue.links.front()->cell;
    const RanA3& a3 = serving.a3;
    const auto own = static_cast<size_t>(
        std::find(m_candidates.begin(), m_candidates.end(), &serving) - m_candidates.begin());
    if (track.rsrpDbm[own] == UNHEARD)
    {
        return nullptr; // nobody listens to a report
    }
    RanCell* best = nullptr;
    double strongest = UNHEARD;
    for (size_t i = 0; i < m_candidates.size(); ++i)
    {
        RanCell& cell = *m_candidates[i];
        const double offset =
            cell.id < a3.cellOffsetDb.size() ? a3.cellOffsetDb[cell.id] : 0;
        const double level = track.rsrpDbm[i] + offset;
        if (i == own || level - a3.hysteresisDb <= track.rsrpDbm[own] + a3.offsetDb)
        {
            track.enteredNs[i] = -1;
            continue;
        }
        if (track.enteredNs[i] < 0)
        {
            track.enteredNs[i] = nowNs;
        }
        if (nowNs - track.enteredNs[i] >= a3.timeToTrigger.GetNanoSeconds() &&
            level > strongest && TakesUsers(cell))
        {
            strongest = level;
            best = &cell;
        }
    }
    return best;
}

bool
RanMobility::HasFailed(const RanUe& ue, Track& track, int64_t nowNs) const
{
    const RanLink& link = *ue.links.front();
    const RanCellState state = link.cell->GetPower().GetState();
    const bool gone = state == RanCellState::OFF || state == RanCellState::OUTAGE;
    const double sinr = gone ? 0 : link.cell->AverageSinr(link);
    if (sinr > RanFromDb(m_qInDb))
    {
        track.outOfSyncNs = -1;
    }
    else if (sinr < RanFromDb(m_qOutDb) && track.outOfSyncNs < 0)
    {
        track.outOfSyncNs = nowNs;
    }
    return track.outOfSyncNs >= 0 && nowNs - track.outOfSyncNs >= m_t310.GetNanoSeconds();
}

void
RanMobility::Evacuate()
{
    const auto& ues = m_network->GetUes();
    for (const auto& cell : m_network->GetCells())
    {
        if (cell->GetPower().GetMode() == RanSleepMode::DEEP)
        {
            double sum = 0;
            uint32_t count = 0;
            for (RanCell* neighbour : cell->neighbours)
            {
                if (neighbour->GetPower().GetState() == RanCellState::AWAKE && count < 6)
                {
                    sum += neighbour->Load();
                    ++count;
                }
            }
            cell->Consider(count ? 100 * sum / count : 0);
        }
        if (!cell->IsLeaving())
        {
            continue;
        }
        bool busy = false;
        for (size_t i = 0; m_enabled && i < ues.size(); ++i)
        {
            RanUe& ue = *ues[i];
            if (!ue.IsServed() || ue.links.front()->cell != PeekPointer(cell))
            {
                continue;
            }
            if (ue.state == RanUeState::CONNECTED)
            {
                if (RanCell* target = BestCell(ue, m_tracks[i]))
                {
                    Order(ue, *target);
                }
            }
            busy = busy || ue.state == RanUeState::PREPARING;
        }
        if (!busy && cell->Drain())
        {
            cell->Leave();
        }
    }
}

bool
RanMobility::TakesUsers(RanCell& cell)
{
    return cell.GetPower().IsHeard() && !cell.IsLeaving();
}

RanCell*
RanMobility::BestCell(const RanUe& ue, const Track& track) const
{
    RanCell* best = nullptr;
    double strongest = m_minRsrpDbm;
    for (size_t i = 0; i < m_candidates.size(); ++i)
    {
        RanCell* cell = m_candidates[i];
        const bool leaving = cell == ue.links.front()->cell && cell->IsLeaving();
        if (!leaving && TakesUsers(*cell) && track.rsrpDbm[i] > strongest)
        {
            strongest = track.rsrpDbm[i];
            best = cell;
        }
    }
    return best;
}

void
RanMobility::Order(RanUe& ue, RanCell& target)
{
    RanCell& source = *ue.links.front()->cell;
    if (ue.state != RanUeState::CONNECTED || &target == &source)
    {
        return;
    }
    ++source.handovers.attempts;
    ue.state = RanUeState::PREPARING;
    m_tracks[ue.id].procedure =
        Simulator::Schedule(m_preparation, &RanMobility::Execute, this, &ue, &target);
}

void
RanMobility::Execute(RanUe* ue, RanCell* target)
{
    RanLink& link = *ue->links.front();
    RanCell* source = link.cell;
    ue->state = RanUeState::CONNECTED;
    if (!TakesUsers(*target))
    {
        ++source->handovers.failures; // the target refuses
        return;
    }
    if (!source->GetPower().IsHeard() || source->AverageSinr(link) < RanFromDb(m_qOutDb))
    {
        ++source->handovers.failures; // the command does not arrive
        Fail(*ue);
        return;
    }
    m_network->Detach(*ue);
    ue->state = RanUeState::HANDOVER;
    m_tracks[ue->id].procedure =
        Simulator::Schedule(m_interruption, &RanMobility::Complete, this, ue, source, target);
}

void
RanMobility::Complete(RanUe* ue, RanCell* source, RanCell* target)
{
    Track& track = m_tracks[ue->id];
    if (!Attach(*ue, *target))
    {
        ++source->handovers.failures;
        ++source->handovers.linkFailures;
        ue->state = RanUeState::LOST;
        track.procedure =
            Simulator::Schedule(m_reestablishment, &RanMobility::Reestablish, this, ue);
        return;
    }
    const int64_t now = Simulator::Now().GetNanoSeconds();
    ++source->handovers.successes;
    ++track.handovers;
    if (track.source == target && now - track.handedOverNs <= m_pingPong.GetNanoSeconds())
    {
        ++source->handovers.pingPongs;
    }
    track.source = source;
    track.handedOverNs = now;
}

void
RanMobility::Fail(RanUe& ue)
{
    Track& track = m_tracks[ue.id];
    track.procedure.Cancel();
    RanHandoverCounters& counters = ue.links.front()->cell->handovers;
    counters.failures += ue.state == RanUeState::PREPARING;
    ++counters.linkFailures;
    m_network->Detach(ue);
    ue.state = RanUeState::LOST;
    track.procedure =
        Simulator::Schedule(m_reestablishment, &RanMobility::Reestablish, this, &ue);
}

void
RanMobility::Reestablish(RanUe* ue)
{
    Track& track = m_tracks[ue->id];
    RanCell* best = BestCell(*ue, track);
    if (!best || !Attach(*ue, *best))
    {
        // Before the next measurement nothing can have changed.
        track.procedure = Simulator::Schedule(std::max(m_reestablishment, m_period),
                                              &RanMobility::Reestablish,
                                              this,
                                              ue);
        return;
    }
    track.source = nullptr;
}

bool
RanMobility::Attach(RanUe& ue, RanCell& cell)
{
    if (!TakesUsers(cell))
    {
        return false;
    }
    m_network->Attach(ue, cell);
    const RanLink& link = *ue.links.front();
    if (cell.AverageSinr(link) < RanFromDb(m_qOutDb))
    {
        m_network->Detach(ue);
        return false;
    }
    Track& track = m_tracks[ue.id];
    ue.state = RanUeState::CONNECTED;
    track.outOfSyncNs = -1;
    std::fill(track.enteredNs.begin(), track.enteredNs.end(), -1);
    m_network->Serve(ue);
    return true;
}

std::vector<RanMeasured>
RanMobility::Strongest(const RanUe& ue, size_t n) const
{
    std::vector<RanMeasured> all;
    for (size_t i = 0; i < m_candidates.size(); ++i)
    {
        const RanCell* cell = m_candidates[i];
        const float rsrp = m_tracks[ue.id].rsrpDbm[i];
        if (cell != ue.links.front()->cell && rsrp != UNHEARD)
        {
            all.push_back({cell->id, rsrp});
        }
    }
    n = std::min(n, all.size());
    const auto stronger = [](const RanMeasured& a, const RanMeasured& b) {
        return a.rsrpDbm > b.rsrpDbm;
    };
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n), all.end(), stronger);
    all.resize(n);
    return all;
}

uint64_t
RanMobility::TakeHandovers(const RanUe& ue)
{
    return std::exchange(m_tracks[ue.id].handovers, 0);
}

} // namespace ns3
