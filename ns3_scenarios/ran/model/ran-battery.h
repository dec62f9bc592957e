/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_BATTERY_H
#define RAN_BATTERY_H

#include "ran-route.h"

#include "ns3/callback.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/object.h"

namespace ns3
{

/**
 * \ingroup ran
 *
 * Propulsion power of a rotary-wing UAV of 20 N: Zeng, Xu and Zhang, "Energy Minimization for
 * Wireless Communication With Rotary-Wing UAV", IEEE Trans. Wireless Commun. 18(4), 2019, eq. 12
 * with the parameters of its Table I, of the horizontal speed. That is for level flight; for climb
 * and descent the work against gravity, weight times vertical speed, is added. A steep descent
 * gives no energy back.
 *
 * \param velocity m/s
 * \return W, not below zero
 */
double RanPropulsionPower(const Vector& velocity);

/**
 * \ingroup ran
 *
 * The battery of a UAV that flies a RanRoute. Power is constant from one change of velocity to the
 * next, so the charge is exact at any time without periodic events. On the ground, that is standing
 * at no more than 1.5 m, the rotors are off.
 *
 * A UAV whose battery is empty goes straight down at 2 m/s to 1.5 m, for which it needs no charge,
 * and stays there: whatever else it is told to do, it lands.
 *
 * Power() comes before everything else.
 */
class RanBattery : public Object
{
  public:
    static TypeId GetTypeId();

    RanBattery();
    ~RanBattery() override;

    /**
     * \param route what it powers
     */
    void Power(Ptr<RanRoute> route);

    /**
     * \return state of charge, percent
     */
    double GetCharge() const;

    /**
     * \param percent new state of charge, 0 to 100
     */
    void SetCharge(double percent);

    /**
     * \return power drawn now, W; 0 once empty
     */
    double GetPower() const
    {
        return m_power;
    }

    /**
     * \return how long the charge lasts at the power drawn now, s; infinite if none is drawn
     */
    double GetEnduranceS() const;

    /**
     * \return whether it is empty
     */
    bool IsEmpty() const
    {
        return GetEnergy() == 0;
    }

    /**
     * \param percent a state of charge
     * \param raised called with the state of charge each time it falls to that or below, and with 0
     *               when the battery is empty
     */
    void SetAlarm(double percent, Callback<void, double> raised);

  protected:
    void DoDispose() override;

  private:
    /// \return energy left, J
    double GetEnergy() const;

    /// \param energy left from now on, J; raises alarms on the way down, and lands if it is zero
    void SetEnergy(double energy);

    /// The velocity may have changed \param mobility the route
    void ChangeCourse(Ptr<const MobilityModel> mobility);

    /// Draw power for the present velocity from now on, and plan the next level to be reached
    void Draw();

    /// Go down, unless on the way or there
    void Land();

    double m_capacityWh;               ///< energy of a full battery, Wh
    double m_basePower;                ///< of avionics and radio, W
    double m_initialCharge;            ///< percent
    Ptr<RanRoute> m_route;             ///< what it powers
    double m_energy{0};                ///< energy left at \c m_since, J
    Time m_since;                      ///< when power last changed
    double m_power{0};                 ///< drawn since, W
    double m_alarmCharge{0};           ///< percent
    Callback<void, double> m_raised;   ///< called at the alarm's charge and at zero
    EventId m_level;                   ///< next level reached
};

} // namespace ns3

#endif /* RAN_BATTERY_H */
