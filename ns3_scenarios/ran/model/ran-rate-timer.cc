/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-rate-timer.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

namespace
{

/// What would take longer never ends; ns-3's time reaches to 292 years
constexpr double LONGEST_S = 9e9;

} // namespace

RanRateTimer::RanRateTimer(Callback<void> expired)
    : m_expired(expired)
{
}

RanRateTimer::~RanRateTimer()
{
    m_event.Cancel();
}

void
RanRateTimer::Start(double amount)
{
    m_running = true;
    m_left = amount;
    Plan();
}

void
RanRateTimer::SetRate(double rate)
{
    if (m_running)
    {
        const double usedS = (Simulator::Now() - m_since).GetSeconds();
        m_left = std::max(0.0, m_left - m_rate * usedS);
    }
    m_rate = rate;
    Plan();
}

void
RanRateTimer::Cancel()
{
    m_running = false;
    m_event.Cancel();
}

void
RanRateTimer::Plan()
{
    m_event.Cancel();
    m_since = Simulator::Now();
    if (m_running && m_left < m_rate * LONGEST_S)
    {
        m_event = Simulator::Schedule(NanoSeconds(std::llround(m_left / m_rate * 1e9)),
                                      &RanRateTimer::Expire,
                                      this);
    }
}

void
RanRateTimer::Expire()
{
    m_running = false;
    const Callback<void> expired = m_expired; // may destroy this timer
    expired();
}

} // namespace ns3
