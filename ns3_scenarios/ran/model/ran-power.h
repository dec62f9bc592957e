/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_POWER_H
#define RAN_POWER_H

#include <cstdint>

namespace ns3
{

/// How deeply a cell may sleep (TR 38.864 Table 5.1-1), or that it is taken away
enum class RanSleepMode : uint8_t
{
    ON,    ///< never sleeps
    MICRO, ///< in every slot without a transmission, at no cost
    LIGHT, ///< after some idle time, with a wake-up time
    DEEP,  ///< hands its users over first, and needs longer to wake up
    OFF    ///< until it is switched on
};

/// What a cell is doing
enum class RanCellState : uint8_t
{
    AWAKE,   ///< in service
    LIGHT,   ///< in light sleep
    DEEP,    ///< in deep sleep
    WAKING,  ///< on its way back into service
    OFF,     ///< switched off
    OUTAGE   ///< failed
};

/**
 * Powers and transitions of a base station category, in relative units.
 */
struct RanPowerStates
{
    double deep;               ///< deep sleep
    double light;              ///< light sleep
    double micro;              ///< micro sleep
    double uplink;             ///< active uplink
    double downlink;           ///< active downlink, all resource blocks at full power
    int64_t lightNs;           ///< transition time of light sleep
    int64_t deepNs;            ///< transition time of deep sleep
    double lightEnergy;        ///< additional energy of a transition to and from light sleep, unit s
    double deepEnergy;         ///< additional energy of a transition to and from deep sleep, unit s

    /**
     * \param category 1 or 2
     * \return the states of TR 38.864 Tables 5.1-1 and 5.1-2
     */
    static const RanPowerStates& Of(uint8_t category);
};

/**
 * Energy of an interval.
 */
struct RanPowerCounters
{
    double energy{0};      ///< in relative units times s
    int64_t sleepNs{0};    ///< time in micro, light or deep sleep, or off
    uint64_t wakes{0};     ///< wake-ups from light or deep sleep
};

/**
 * \ingroup ran
 *
 * Integrates the power of a cell over its states and slots. A slot with a downlink transmission
 * takes P_UL + (P_DL - P_UL) s, s being the share of the reference's resource blocks times the ratio
 * of power densities; one with uplink only, and every idle slot of a cell that may not sleep, P_UL;
 * other idle slots micro sleep. The whole transition time and energy are counted at the wake-up.
 */
class RanPower
{
  public:
    /**
     * \param category base station category of TR 38.864, 1 or 2
     */
    void SetCategory(uint8_t category);

    /**
     * \param mode how deeply the cell may sleep \param nowNs the time
     */
    void SetMode(RanSleepMode mode, int64_t nowNs);

    /**
     * \param state what the cell does from now on \param nowNs the time
     */
    void SetState(RanCellState state, int64_t nowNs);

    /**
     * A slot with transmissions begins. It ends early if the state changes.
     * \param nowNs the time \param slotNs its duration
     * \param load share of reference resource blocks times relative power
     */
    void AddSlot(int64_t nowNs, int64_t slotNs, double load);

    /**
     * \return what the cell does
     */
    RanCellState GetState() const
    {
        return m_state;
    }

    /**
     * \return how deeply the cell may sleep
     */
    RanSleepMode GetMode() const
    {
        return m_mode;
    }

    /**
     * \return whether users hear the cell: its synchronisation signals are sent in light sleep too
     */
    bool IsHeard() const;

    /**
     * \return time from the order to wake up to service
     */
    int64_t WakeNs() const;

    /**
     * \param nowNs the time \return what has come together since the last call
     */
    RanPowerCounters Take(int64_t nowNs);

  private:
    /// \param nowNs integrate up to this time
    void Advance(int64_t nowNs);

    /// \return power of the present state without transmissions
    double IdlePower() const;

    const RanPowerStates* m_states{&RanPowerStates::Of(1)}; ///< of the category
    RanSleepMode m_mode{RanSleepMode::ON};     ///< how deeply it may sleep
    RanCellState m_state{RanCellState::AWAKE}; ///< what it does
    RanCellState m_before{RanCellState::AWAKE}; ///< what it woke up from
    int64_t m_sinceNs{0};                      ///< integrated up to here
    double m_active{0};                        ///< power of the slot with transmissions
    int64_t m_activeUntilNs{0};                ///< end of that slot
    RanPowerCounters m_counters;               ///< of the interval
};

} // namespace ns3

#endif /* RAN_POWER_H */
