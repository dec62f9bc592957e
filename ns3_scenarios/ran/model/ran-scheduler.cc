/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-scheduler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{

namespace
{

/// How much a packet at its delay budget outweighs a fresh one (M-LWDF, Andrews et al. 2001)
constexpr double URGENCY_WEIGHT = 20;
/// Weight of flows that have less than is guaranteed to them: they come before all others
constexpr double GUARANTEE_WEIGHT = 1e3;
/// More flows than a cell will ever have: orders go round modulo this
constexpr uint32_t ORDERS = 1U << 30;

} // namespace

void
RanScheduler::SetPolicy(RanPolicy policy)
{
    m_policy = policy;
}

void
RanScheduler::SetRestart(bool restart)
{
    m_restart = restart;
}

void
RanScheduler::SetShares(const std::vector<RanSliceShare>& shares)
{
    m_shares = shares;
    m_credits.assign(shares.size(), Credit());
    m_unlimited = std::all_of(shares.begin(), shares.end(), [](const RanSliceShare& s) {
        return s.minPct == 0 && s.maxPct >= 100;
    });
}

void
RanScheduler::SetAveragingSlots(double slots)
{
    m_averagingSlots = slots;
}

double
RanScheduler::Metric(const RanCandidate& c) const
{
    if (m_policy == RanPolicy::ROUND_ROBIN)
    {
        return -static_cast<double>(c.units);
    }
    if (m_policy == RanPolicy::MAX_CI)
    {
        return c.bytesPerUnit;
    }
    const double average =
        std::max(1e-3,
                 c.averageBytes + (c.units * c.bytesPerUnit - c.averageBytes) / m_averagingSlots);
    double metric = c.bytesPerUnit / average;
    if (m_policy == RanPolicy::QOS)
    {
        metric *= 1 + URGENCY_WEIGHT * c.urgency;
        metric *= average < c.guaranteedBytes ? GUARANTEE_WEIGHT * c.guaranteedBytes / average : 1;
    }
    return metric;
}

uint32_t
RanScheduler::Place(const RanCandidate& c) const
{
    return (c.order + ORDERS - m_next) % ORDERS;
}

uint32_t
RanScheduler::Give(std::vector<RanCandidate>& candidates,
                   uint32_t budget,
                   std::vector<uint32_t>& limits,
                   int onlySlice)
{
    // A binary heap of (metric, tie-breaker): each unit changes only the winner's metric.
    struct Entry
    {
        double metric;
        uint32_t tie;
        uint32_t index;

        bool operator<(const Entry& o) const
        {
            return metric != o.metric ? metric < o.metric : tie > o.tie;
        }
    };

    static thread_local std::vector<Entry> heap;
    heap.clear();
    const auto n = static_cast<uint32_t>(candidates.size());
    for (uint32_t i = 0; i < n; ++i)
    {
        const RanCandidate& c = candidates[i];
        if ((onlySlice >= 0 && c.slice != static_cast<uint32_t>(onlySlice)) ||
            c.units >= c.demandUnits)
        {
            continue;
        }
        heap.push_back({Metric(c), Place(c), i});
    }
    std::make_heap(heap.begin(), heap.end());
    uint32_t given = 0;
    while (given < budget && !heap.empty())
    {
        std::pop_heap(heap.begin(), heap.end());
        Entry& top = heap.back();
        RanCandidate& c = candidates[top.index];
        uint32_t step = c.units ? 1 : std::min(c.firstUnits, c.demandUnits);
        if (heap.size() == 1)
        {
            const uint32_t all = std::min(
                {c.demandUnits - c.units, limits[c.slice], budget - given});
            step = std::max(step, all);
        }
        if (limits[c.slice] < step || budget - given < step)
        {
            heap.pop_back();
            continue;
        }
        c.units += step;
        given += step;
        limits[c.slice] -= step;
        if (c.units >= c.demandUnits)
        {
            heap.pop_back();
            continue;
        }
        top.metric = Metric(c);
        std::push_heap(heap.begin(), heap.end());
    }
    return given;
}

void
RanScheduler::Assign(std::vector<RanCandidate>& candidates,
                     uint32_t units,
                     const std::vector<uint32_t>& used)
{
    if (m_restart)
    {
        m_next = 0;
    }
    const auto nSlices = static_cast<uint32_t>(m_shares.size());
    static thread_local std::vector<uint32_t> limits;
    limits.assign(nSlices, std::numeric_limits<uint32_t>::max());
    if (m_unlimited)
    {
        Give(candidates, units, limits, -1);
    }
    else
    {
        static thread_local std::vector<uint64_t> demand;
        demand.assign(nSlices, 0);
        for (const RanCandidate& c : candidates)
        {
            demand[c.slice] += c.demandUnits;
        }
        double total = units;
        for (uint32_t u : used)
        {
            total += u;
        }
        int64_t free = units;
        static thread_local std::vector<uint32_t> floors;
        floors.assign(nSlices, 0);
        for (uint32_t s = 0; s < nSlices; ++s)
        {
            // Balances never run further than one slot ahead: what was not needed is not owed.
            Credit& credit = m_credits[s];
            const RanSliceShare& share = m_shares[s];
            credit.min = std::min(credit.min + total * share.minPct / 100 - used[s], total);
            credit.dedicated =
                std::min(credit.dedicated + total * share.dedicatedPct / 100 - used[s], total);
            credit.max = std::min(credit.max + total * share.maxPct / 100 - used[s], total);
            constexpr double tiny = 1e-9;
            const auto allowed = static_cast<uint32_t>(std::max(0.0, credit.max + tiny));
            const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(demand[s], allowed));
            limits[s] = share.maxPct >= 100 ? std::numeric_limits<uint32_t>::max() : allowed;
            floors[s] = std::min(wanted, static_cast<uint32_t>(std::max(0.0, credit.min + tiny)));
            const auto reserved = static_cast<uint32_t>(std::max(0.0, credit.dedicated + tiny));
            if (reserved > wanted)
            {
                // Idle dedicated units are withheld from everybody; they are used up by that.
                free -= reserved - wanted;
                credit.dedicated -= reserved - wanted;
            }
        }
        for (uint32_t s = 0; s < nSlices && free > 0; ++s)
        {
            if (floors[s] > 0)
            {
                free -= Give(candidates,
                             std::min<uint32_t>(floors[s], static_cast<uint32_t>(free)),
                             limits,
                             static_cast<int>(s));
            }
        }
        if (free > 0)
        {
            Give(candidates, static_cast<uint32_t>(free), limits, -1);
        }
        for (const RanCandidate& c : candidates)
        {
            m_credits[c.slice].min -= c.units;
            m_credits[c.slice].dedicated -= c.units;
            m_credits[c.slice].max -= c.units;
        }
        for (uint32_t s = 0; s < nSlices; ++s)
        {
            // A slice that took more than its guarantee does not have to pay it back.
            m_credits[s].min = std::max(m_credits[s].min, 0.0);
            m_credits[s].dedicated = std::max(m_credits[s].dedicated, 0.0);
        }
    }
    // The next slot starts after the last flow that got one of the surplus units.
    if (m_policy == RanPolicy::ROUND_ROBIN && !candidates.empty())
    {
        uint32_t most = 0;
        for (const RanCandidate& c : candidates)
        {
            most = std::max(most, c.units);
        }
        uint32_t last = 0;
        bool found = false;
        for (const RanCandidate& c : candidates)
        {
            const uint32_t place = Place(c);
            if (c.units == most && (!found || place > last))
            {
                last = place;
                found = true;
            }
        }
        m_next = (m_next + last) % ORDERS + 1;
    }
}

} // namespace ns3
