/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How a cell falls asleep, wakes up, leaves its users and fails.

#include "ran-cell.h"

#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{

namespace
{

/// Resource blocks of so long a time are compared with what waits for a sleeping cell
const Time WAKE_WINDOW = MilliSeconds(20);
/// What waits for a cell in light sleep waits no longer than two periods of SSBs
const Time LONGEST_WAIT = MilliSeconds(40);
/// How often a sleeping cell looks at what waits
const Time WAKE_CHECK = MilliSeconds(5);
/// A deep sleeper that woke up sleeps again after it has not been needed for so long
const Time QUIET_TIME = Seconds(1);
/// Averages of load never fade away wholly: less than this, in per cent, is none
constexpr double NO_LOAD_PCT = 0.1;

} // namespace

void
RanCell::SetActivation(Callback<void> callback)
{
    m_activation = callback;
}

void
RanCell::SetSleep(RanSleepMode mode, double wakePct)
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    m_wakePct = wakePct;
    m_draining = false;
    m_power.SetMode(mode, now);
    m_idleEvent.Cancel();
    m_quietNs = -1;
    const RanCellState state = m_power.GetState();
    const bool awayBefore = state == RanCellState::DEEP || state == RanCellState::OFF;
    if (mode == RanSleepMode::OFF && state == RanCellState::DEEP)
    {
        m_power.SetState(RanCellState::OFF, now);
    }
    else if ((mode <= RanSleepMode::LIGHT && awayBefore) ||
             (mode <= RanSleepMode::MICRO && state == RanCellState::LIGHT) ||
             (mode == RanSleepMode::DEEP && state == RanCellState::OFF))
    {
        Wake();
    }
    else if (mode == RanSleepMode::LIGHT && state == RanCellState::AWAKE && !HasDemand())
    {
        m_idleEvent = Simulator::Schedule(m_sleepAfter, &RanCell::FallAsleep, this);
    }
    CheckWake();
}

bool
RanCell::IsLeaving() const
{
    const RanCellState state = m_power.GetState();
    const bool here = state == RanCellState::AWAKE || state == RanCellState::LIGHT;
    return here && (m_power.GetMode() == RanSleepMode::OFF ||
                    (m_power.GetMode() == RanSleepMode::DEEP && m_quietNs < 0));
}

bool
RanCell::Drain()
{
    m_draining = true;
    return !HasRepetitions() && Simulator::Now().GetNanoSeconds() > m_inAirNs;
}

void
RanCell::Leave()
{
    m_draining = false;
    const bool off = m_power.GetMode() == RanSleepMode::OFF;
    m_wakeEvent.Cancel();
    m_waitingNs = -1;
    m_power.SetState(off ? RanCellState::OFF : RanCellState::DEEP,
                     Simulator::Now().GetNanoSeconds());
    CheckWake();
}

void
RanCell::Consider(double loadPct)
{
    if (m_power.GetMode() != RanSleepMode::DEEP)
    {
        return;
    }
    const int64_t now = Simulator::Now().GetNanoSeconds();
    if (m_power.GetState() == RanCellState::DEEP && loadPct > std::max(m_wakePct, NO_LOAD_PCT))
    {
        Wake();
    }
    else if (m_power.GetState() == RanCellState::AWAKE && m_quietNs >= 0)
    {
        if (std::max(loadPct, 100 * Load()) > std::max(m_wakePct / 2, NO_LOAD_PCT))
        {
            m_quietNs = now;
        }
        else if (now - m_quietNs >= QUIET_TIME.GetNanoSeconds())
        {
            m_quietNs = -1; // IsLeaving is true from now on
        }
    }
}

void
RanCell::SetOutage(bool outage)
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    m_idleEvent.Cancel();
    m_wakeEvent.Cancel();
    m_waitingNs = -1;
    m_draining = false;
    if (outage)
    {
        for (auto& repetitions : m_retransmissions)
        {
            for (RanTransportBlock& block : repetitions)
            {
                GiveUp(block);
            }
            repetitions.clear();
        }
        m_power.SetState(RanCellState::OUTAGE, now);
        return;
    }
    const RanSleepMode mode = m_power.GetMode();
    m_power.SetState(mode == RanSleepMode::OFF ? RanCellState::OFF : RanCellState::AWAKE, now);
    m_quietNs = -1;
    if (!m_activation.IsNull())
    {
        m_activation();
    }
}

void
RanCell::FallAsleep()
{
    if (m_power.GetMode() == RanSleepMode::LIGHT && m_power.GetState() == RanCellState::AWAKE &&
        !HasDemand())
    {
        m_waitingNs = -1;
        m_power.SetState(RanCellState::LIGHT, Simulator::Now().GetNanoSeconds());
    }
}

double
RanCell::WaitingPct()
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    double blocks = 0;
    for (const RanDirection direction : {RAN_DL, RAN_UL})
    {
        for (RanFlow* flow : m_active[direction])
        {
            // 12 subcarriers of 13 symbols, as for a whole resource block of a slot
            const RanMcs& mcs = RanMcsEntries(m_mcsTable)[SelectMcs(*flow, 1, now)];
            blocks += flow->bearer->BacklogBytes() * 8 / (mcs.SpectralEfficiency() * 12 * 13);
        }
    }
    const auto slots = static_cast<double>(WAKE_WINDOW.GetNanoSeconds() / m_grid.slotNs);
    return 100 * blocks / (m_grid.nRb * slots);
}

void
RanCell::CheckWake()
{
    const RanCellState state = m_power.GetState();
    if (state == RanCellState::AWAKE)
    {
        if (HasDemand())
        {
            m_idleEvent.Cancel();
        }
        return;
    }
    if (state != RanCellState::LIGHT && state != RanCellState::DEEP)
    {
        return;
    }
    if (!HasDemand())
    {
        m_waitingNs = -1; // whoever waited has left
        return;
    }
    const int64_t now = Simulator::Now().GetNanoSeconds();
    if (m_waitingNs < 0)
    {
        m_waitingNs = now;
    }
    const bool tooLong = state == RanCellState::LIGHT &&
                         now - m_waitingNs >= LONGEST_WAIT.GetNanoSeconds();
    if (tooLong || WaitingPct() >= m_wakePct)
    {
        Wake();
    }
    else if (!m_wakeEvent.IsPending())
    {
        m_wakeEvent = Simulator::Schedule(WAKE_CHECK, &RanCell::CheckWake, this);
    }
}

void
RanCell::Wake()
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    m_wakeEvent.Cancel();
    const int64_t delay = m_power.WakeNs();
    m_power.SetState(RanCellState::WAKING, now);
    m_wakeEvent = Simulator::Schedule(NanoSeconds(delay), &RanCell::Awake, this);
}

void
RanCell::Awake()
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    m_power.SetState(RanCellState::AWAKE, now);
    m_waitingNs = -1;
    m_quietNs = now;
    if (m_power.GetMode() == RanSleepMode::LIGHT && !HasDemand())
    {
        m_idleEvent = Simulator::Schedule(m_sleepAfter, &RanCell::FallAsleep, this);
    }
    if (!m_activation.IsNull())
    {
        m_activation();
    }
}

} // namespace ns3
