/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-route.h"

#include "ns3/abort.h"
#include "ns3/simulator.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanRoute);

TypeId
RanRoute::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanRoute")
                            .SetParent<MobilityModel>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanRoute>();
    return tid;
}

RanRoute::RanRoute() = default;
RanRoute::~RanRoute() = default;

void
RanRoute::DoDispose()
{
    m_arrival.Cancel();
    MobilityModel::DoDispose();
}

void
RanRoute::Follow(const std::vector<Vector>& points, double speed, RanRouteEnd end)
{
    NS_ABORT_MSG_IF(speed <= 0, "a route needs a speed above zero");
    m_to = GetPosition();
    m_points = points;
    m_speed = speed;
    m_end = end;
    m_next = 0;
    m_backwards = false;
    Depart();
}

void
RanRoute::FlyTo(const Vector& point, double speed)
{
    Follow({point}, speed, RanRouteEnd::STOP);
}

Vector
RanRoute::DoGetPosition() const
{
    const Time elapsed = Simulator::Now() - m_departed;
    if (elapsed >= m_duration)
    {
        return m_to;
    }
    const double share = elapsed.GetDouble() / m_duration.GetDouble();
    return {m_from.x + share * (m_to.x - m_from.x),
            m_from.y + share * (m_to.y - m_from.y),
            m_from.z + share * (m_to.z - m_from.z)};
}

void
RanRoute::DoSetPosition(const Vector& position)
{
    m_points.clear();
    m_to = position;
    Depart();
}

Vector
RanRoute::DoGetVelocity() const
{
    if (m_duration.IsZero())
    {
        return {};
    }
    const double length = CalculateDistance(m_from, m_to);
    return {(m_to.x - m_from.x) / length * m_speed,
            (m_to.y - m_from.y) / length * m_speed,
            (m_to.z - m_from.z) / length * m_speed};
}

void
RanRoute::Depart()
{
    m_arrival.Cancel();
    m_from = m_to;
    m_departed = Simulator::Now();
    m_duration = Time(0);
    // A route may name the same point several times, but not so that it never leaves it.
    for (size_t tries = 0; m_duration.IsZero() && tries < 2 * m_points.size(); ++tries)
    {
        const size_t next = Next();
        if (next == m_points.size())
        {
            break;
        }
        m_to = m_points[next];
        m_duration = Seconds(CalculateDistance(m_from, m_to) / m_speed);
    }
    if (!m_duration.IsZero())
    {
        m_arrival = Simulator::Schedule(m_duration, &RanRoute::Depart, this);
    }
    NotifyCourseChange();
}

size_t
RanRoute::Next()
{
    const size_t count = m_points.size();
    if (m_next == count && m_end == RanRouteEnd::TURN_BACK)
    {
        m_backwards = !m_backwards;
        m_next = 0;
    }
    else if (m_next == count && m_end == RanRouteEnd::START_AGAIN)
    {
        m_next = 0;
    }
    if (m_next == count)
    {
        return count;
    }
    const size_t index = m_backwards ? count - 1 - m_next : m_next;
    ++m_next;
    return index;
}

} // namespace ns3
