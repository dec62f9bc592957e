/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_ROUTE_H
#define RAN_ROUTE_H

#include "ns3/event-id.h"
#include "ns3/mobility-model.h"
#include "ns3/nstime.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/// What happens at the last point of a route
enum class RanRouteEnd : uint8_t
{
    STOP,       ///< stay there
    TURN_BACK,  ///< visit the points in reverse order, and so on
    START_AGAIN ///< travel to the first point and so on
};

/**
 * \ingroup ran
 *
 * Moves a vehicle or a UAV in straight lines from point to point at constant speed.
 *
 * There is one event at each point and none between. The position is a function of the time alone,
 * so asking for it changes nothing; at the time of arrival it is exactly the point. The trace
 * source CourseChange tells of each change of velocity.
 */
class RanRoute : public MobilityModel
{
  public:
    static TypeId GetTypeId();

    RanRoute();
    ~RanRoute() override;

    /**
     * Travel from here to the first point, at once, and on from point to point.
     *
     * \param points where to, m
     * \param speed m/s, above zero
     * \param end what to do at the last point
     */
    void Follow(const std::vector<Vector>& points, double speed, RanRouteEnd end);

    /**
     * Give up the route, go straight to a point and stay there.
     *
     * \param point where to, m
     * \param speed m/s, above zero
     */
    void FlyTo(const Vector& point, double speed);

    /**
     * \return the point it is on its way to, or where it stands
     */
    Vector GetTarget() const
    {
        return m_to;
    }

    /**
     * \return when it arrives, or arrived, at the target
     */
    Time GetArrival() const
    {
        return m_departed + m_duration;
    }

  protected:
    void DoDispose() override;

  private:
    Vector DoGetPosition() const override;
    /// Place it somewhere else, where it stays
    void DoSetPosition(const Vector& position) override;
    Vector DoGetVelocity() const override;

    /// Be at the target, and set out for the next point that is not here, or stay
    void Depart();

    /// \return the index of the next point, or the number of points where there is none
    size_t Next();

    std::vector<Vector> m_points;           ///< of the route
    double m_speed{0};                      ///< m/s
    RanRouteEnd m_end{RanRouteEnd::STOP};   ///< what happens at the last point
    size_t m_next{0};                       ///< how many points of this pass it has set out for
    bool m_backwards{false};                ///< whether the points are visited in reverse order
    Vector m_from;                          ///< start of this leg
    Vector m_to;                            ///< end of this leg
    Time m_departed;                        ///< start of this leg
    Time m_duration;                        ///< of this leg; zero where it stands
    EventId m_arrival;                      ///< end of this leg
};

} // namespace ns3

#endif /* RAN_ROUTE_H */
