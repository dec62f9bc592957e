/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-power.h"

#include <algorithm>

namespace ns3
{

const RanPowerStates&
RanPowerStates::Of(uint8_t category)
{
    static const RanPowerStates first{.deep = 1,
                                      .light = 25,
                                      .micro = 55,
                                      .uplink = 110,
                                      .downlink = 280,
                                      .lightNs = 6'000'000,
                                      .deepNs = 50'000'000,
                                      .lightEnergy = 90e-3,
                                      .deepEnergy = 1000e-3};
    static const RanPowerStates second{.deep = 1,
                                       .light = 2.1,
                                       .micro = 5.5,
                                       .uplink = 6.5,
                                       .downlink = 32,
                                       .lightNs = 640'000'000,
                                       .deepNs = 10'000'000'000,
                                       .lightEnergy = 1088e-3,
                                       .deepEnergy = 17000e-3};
    return category == 1 ? first : second;
}

void
RanPower::SetCategory(uint8_t category)
{
    m_states = &RanPowerStates::Of(category);
}

void
RanPower::SetMode(RanSleepMode mode, int64_t nowNs)
{
    Advance(nowNs);
    m_mode = mode;
}

void
RanPower::SetState(RanCellState state, int64_t nowNs)
{
    Advance(nowNs);
    if (state == RanCellState::WAKING)
    {
        const bool light = m_state == RanCellState::LIGHT;
        m_counters.energy += light ? m_states->lightEnergy : m_states->deepEnergy;
        ++m_counters.wakes;
        m_before = m_state;
    }
    m_state = state;
    m_activeUntilNs = nowNs;
}

bool
RanPower::IsHeard() const
{
    return m_state == RanCellState::AWAKE || m_state == RanCellState::LIGHT ||
           (m_state == RanCellState::WAKING && m_before == RanCellState::LIGHT);
}

int64_t
RanPower::WakeNs() const
{
    return m_state == RanCellState::LIGHT ? m_states->lightNs : m_states->deepNs;
}

void
RanPower::AddSlot(int64_t nowNs, int64_t slotNs, double load)
{
    Advance(nowNs);
    m_active = m_states->uplink + (m_states->downlink - m_states->uplink) * load;
    m_activeUntilNs = nowNs + slotNs;
}

double
RanPower::IdlePower() const
{
    const auto asleep = [this](RanCellState state) {
        return state == RanCellState::LIGHT  ? m_states->light
               : state == RanCellState::DEEP ? m_states->deep
                                             : 0.0;
    };
    switch (m_state)
    {
    case RanCellState::AWAKE:
        return m_mode == RanSleepMode::ON ? m_states->uplink : m_states->micro;
    case RanCellState::WAKING:
        return asleep(m_before);
    default:
        return asleep(m_state);
    }
}

void
RanPower::Advance(int64_t nowNs)
{
    const int64_t activeNs = std::max<int64_t>(std::min(nowNs, m_activeUntilNs) - m_sinceNs, 0);
    const int64_t idleNs = nowNs - m_sinceNs - activeNs;
    m_sinceNs = nowNs;
    m_counters.energy += (m_active * activeNs + IdlePower() * idleNs) * 1e-9;
    const bool micro = m_state == RanCellState::AWAKE && m_mode != RanSleepMode::ON;
    if (micro || m_state == RanCellState::LIGHT || m_state == RanCellState::DEEP ||
        m_state == RanCellState::OFF)
    {
        m_counters.sleepNs += idleNs;
    }
}

RanPowerCounters
RanPower::Take(int64_t nowNs)
{
    Advance(nowNs);
    const RanPowerCounters taken = m_counters;
    m_counters = RanPowerCounters();
    return taken;
}

} // namespace ns3
