/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-battery.h"

#include "ns3/abort.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanBattery);

namespace
{

// Zeng, Xu and Zhang 2019, Table I
constexpr double WEIGHT = 20;             ///< W, N
constexpr double AIR_DENSITY = 1.225;     ///< rho, kg/m3
constexpr double DISC_AREA = 0.503;       ///< A, m2
constexpr double SOLIDITY = 0.05;         ///< s
constexpr double BLADE_DRAG = 0.012;      ///< profile drag coefficient delta
constexpr double TIP_SPEED = 120;         ///< U_tip, m/s
constexpr double INDUCED_CORRECTION = 0.1; ///< k
constexpr double INDUCED_SPEED = 4.03;    ///< v_0, mean rotor induced velocity in hover, m/s
constexpr double FUSELAGE_DRAG = 0.6;     ///< drag ratio d_0

/// Height at which a UAV stands on the ground, m
constexpr double GROUND_HEIGHT = 1.5;
/// Speed of landing, m/s
constexpr double LANDING_SPEED = 2;

} // namespace

double
RanPropulsionPower(const Vector& velocity)
{
    // Blade profile and induced power in hover, eq. 12's P_0 and P_i.
    static const double profile =
        BLADE_DRAG / 8 * AIR_DENSITY * SOLIDITY * DISC_AREA * std::pow(TIP_SPEED, 3);
    static const double induced =
        (1 + INDUCED_CORRECTION) * std::pow(WEIGHT, 1.5) / std::sqrt(2 * AIR_DENSITY * DISC_AREA);
    const double v2 = velocity.x * velocity.x + velocity.y * velocity.y;
    // sqrt(1 + x^2) - x without its cancellation
    const double x = v2 / (2 * INDUCED_SPEED * INDUCED_SPEED);
    const double inflow = 1 / (std::sqrt(1 + x * x) + x);
    const double level = profile * (1 + 3 * v2 / (TIP_SPEED * TIP_SPEED)) +
                         induced * std::sqrt(inflow) +
                         FUSELAGE_DRAG * AIR_DENSITY * SOLIDITY * DISC_AREA * std::pow(v2, 1.5) / 2;
    return std::max(0.0, level + WEIGHT * velocity.z);
}

TypeId
RanBattery::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanBattery")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanBattery>()
            .AddAttribute("Capacity",
                          "Energy of a full battery, Wh.",
                          DoubleValue(100),
                          MakeDoubleAccessor(&RanBattery::m_capacityWh),
                          MakeDoubleChecker<double>(0.01, 1e5))
            .AddAttribute("InitialCharge",
                          "State of charge when it is first used, percent.",
                          DoubleValue(100),
                          MakeDoubleAccessor(&RanBattery::m_initialCharge),
                          MakeDoubleChecker<double>(0, 100))
            .AddAttribute("BasePower",
                          "Power of avionics and radio, W.",
                          DoubleValue(10),
                          MakeDoubleAccessor(&RanBattery::m_basePower),
                          MakeDoubleChecker<double>(0));
    return tid;
}

RanBattery::RanBattery() = default;
RanBattery::~RanBattery() = default;

void
RanBattery::DoDispose()
{
    m_level.Cancel();
    if (m_route)
    {
        m_route->TraceDisconnectWithoutContext("CourseChange",
                                               MakeCallback(&RanBattery::ChangeCourse, this));
    }
    m_route = nullptr;
    m_raised = Callback<void, double>();
    Object::DoDispose();
}

void
RanBattery::Power(Ptr<RanRoute> route)
{
    m_route = route;
    m_route->TraceConnectWithoutContext("CourseChange",
                                        MakeCallback(&RanBattery::ChangeCourse, this));
    SetCharge(m_initialCharge);
}

double
RanBattery::GetEnergy() const
{
    return std::max(0.0, m_energy - m_power * (Simulator::Now() - m_since).GetSeconds());
}

double
RanBattery::GetCharge() const
{
    return 100 * GetEnergy() / (m_capacityWh * 3600);
}

void
RanBattery::SetCharge(double percent)
{
    SetEnergy(percent / 100 * m_capacityWh * 3600);
}

double
RanBattery::GetEnduranceS() const
{
    return m_power > 0 ? GetEnergy() / m_power : std::numeric_limits<double>::infinity();
}

void
RanBattery::SetAlarm(double percent, Callback<void, double> raised)
{
    SetEnergy(GetEnergy());
    m_alarmCharge = percent;
    m_raised = raised;
    Draw();
}

void
RanBattery::SetEnergy(double energy)
{
    NS_ABORT_MSG_UNLESS(m_route, "a battery needs to know first what it powers");
    // When power last changed, which is above any level not yet reached.
    const double before = m_energy;
    const double alarm = m_alarmCharge / 100 * m_capacityWh * 3600;
    m_energy = energy;
    m_since = Simulator::Now();
    Draw();
    const bool due = energy == 0 || (before > alarm && energy <= alarm);
    if (before > energy && due && !m_raised.IsNull())
    {
        m_raised(GetCharge());
    }
    if (m_energy == 0)
    {
        Land();
    }
}

void
RanBattery::ChangeCourse(Ptr<const MobilityModel> /* mobility */)
{
    SetEnergy(GetEnergy());
}

void
RanBattery::Draw()
{
    m_level.Cancel();
    const Vector velocity = m_route->GetVelocity();
    const bool flies = velocity.GetLength() > 0 || m_route->GetPosition().z > GROUND_HEIGHT;
    m_power = m_energy > 0 ? m_basePower + (flies ? RanPropulsionPower(velocity) : 0) : 0;
    if (m_power > 0)
    {
        const double alarm = m_alarmCharge / 100 * m_capacityWh * 3600;
        const double level = m_energy > alarm ? alarm : 0;
        m_level = Simulator::Schedule(Seconds((m_energy - level) / m_power),
                                      &RanBattery::SetEnergy,
                                      this,
                                      level);
    }
}

void
RanBattery::Land()
{
    const Vector position = m_route->GetPosition();
    const Vector target = m_route->GetTarget();
    if (target.x != position.x || target.y != position.y || target.z > GROUND_HEIGHT)
    {
        m_route->FlyTo({position.x, position.y, std::min(position.z, GROUND_HEIGHT)},
                       LANDING_SPEED);
    }
}

} // namespace ns3
