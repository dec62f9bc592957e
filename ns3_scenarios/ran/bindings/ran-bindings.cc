/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The Python module `_ran`: the RAN model as the simulation worker uses it.

#include "../helper/ran-network-helper.h"
#include "../model/ran-aerial-loss.h"
#include "../model/ran-battery.h"
#include "../model/ran-units.h"
#include "ran-edge-lab.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace py = pybind11;
using namespace ns3;

namespace
{

/// \param rows values in rows \param columns how many in a row \return a two-dimensional array
py::array_t<double>
Table(const std::vector<double>& rows, size_t columns)
{
    const size_t n = columns ? rows.size() / columns : 0;
    py::array_t<double> table({n, columns});
    std::copy(rows.begin(), rows.end(), table.mutable_data());
    return table;
}

constexpr const char* CELL_COLUMNS[] = {"dl_capacity",
                                        "ul_capacity",
                                        "ul_iot_db",
                                        "state",
                                        "energy",
                                        "sleep_ns",
                                        "wakes",
                                        "ho_attempts",
                                        "ho_successes",
                                        "ho_failures",
                                        "ho_ping_pongs",
                                        "rlf"};
constexpr const char* UE_COLUMNS[] = {"cell",
                                      "x_m",
                                      "y_m",
                                      "z_m",
                                      "speed_mps",
                                      "rsrp_dbm",
                                      "cqi",
                                      "state",
                                      "handovers",
                                      "battery_pct"};
constexpr const char* BEARER_COLUMNS[] =
    {"ue", "flow", "slice", "direction", "offered", "delivered", "dropped", "queued", "jitter_ms",
     "jitter_count"};
constexpr const char* PATH_COLUMNS[] = {"sent",
                                        "delivered",
                                        "dropped_radio",
                                        "dropped_transport",
                                        "in_flight",
                                        "jitter_ms",
                                        "jitter_count"};
constexpr const char* FLOW_COLUMNS[] = {"ue",
                                        "slice",
                                        "cell",
                                        "direction",
                                        "rb_symbols",
                                        "blocks",
                                        "errors",
                                        "finished",
                                        "given_up",
                                        "mcs",
                                        "sinr_db",
                                        "transmissions",
                                        "payload"};
constexpr const char* NEIGHBOUR_COLUMNS[] = {"ue", "rank", "cell", "rsrp_dbm"};
/// Names of RanCellState
constexpr const char* CELL_STATES[] = {"on", "light", "deep", "waking", "off", "outage"};
/// Names of RanUeState
constexpr const char* UE_STATES[] = {"connected", "preparing", "handover", "lost"};
/// Neighbours that are reported of each user
constexpr size_t REPORTED_NEIGHBOURS = 3;

/// Delays of many packets, and how many of them each row of a table has
struct Delays
{
    std::vector<float> ms;       ///< one after the other
    std::vector<int64_t> counts; ///< by row

    /// \param more delays of the next row
    void Add(const std::vector<float>& more)
    {
        ms.insert(ms.end(), more.begin(), more.end());
        counts.push_back(static_cast<int64_t>(more.size()));
    }

    /// \return both as arrays
    py::tuple Arrays() const
    {
        return py::make_tuple(py::array_t<float>(ms.size(), ms.data()),
                              py::array_t<int64_t>(counts.size(), counts.data()));
    }
};

/// \param network the network \param fromNs start of the interval \return counters of all cells
std::vector<double>
CollectCells(const RanNetwork& network, int64_t fromNs)
{
    const int64_t nowNs = Simulator::Now().GetNanoSeconds();
    std::vector<double> cells;
    for (const auto& cell : network.GetCells())
    {
        const RanPowerCounters power = cell->GetPower().Take(nowNs);
        const RanHandoverCounters& h = cell->handovers;
        cells.insert(cells.end(),
                     {cell->Capacity(RAN_DL, fromNs, nowNs),
                      cell->Capacity(RAN_UL, fromNs, nowNs),
                      cell->TakeInterferenceOverThermalDb(),
                      static_cast<double>(cell->GetPower().GetState()),
                      power.energy,
                      static_cast<double>(power.sleepNs),
                      static_cast<double>(power.wakes),
                      static_cast<double>(h.attempts),
                      static_cast<double>(h.successes),
                      static_cast<double>(h.failures),
                      static_cast<double>(h.pingPongs),
                      static_cast<double>(h.linkFailures)});
        cell->handovers = RanHandoverCounters();
    }
    return cells;
}

/**
 * What happened since the last call, as arrays; the counters are reset.
 * \param helper who built the network \param fromNs start of the interval, ns
 */
py::dict
Collect(const RanNetworkHelper& helper, int64_t fromNs)
{
    const Ptr<RanNetwork> network = helper.GetNetwork();
    std::vector<double> ues;
    std::vector<double> bearers;
    std::vector<double> paths;
    std::vector<double> flows;
    std::vector<double> neighbours;
    Delays radioDelays;
    Delays pathDelays;
    const auto addFlow = [&flows](const RanDeparted& d) {
        const RanFlowCounters& c = d.counters;
        flows.insert(flows.end(),
                     {static_cast<double>(d.ue),
                      static_cast<double>(d.slice),
                      static_cast<double>(d.cell),
                      static_cast<double>(d.direction),
                      c.rbSymbols,
                      static_cast<double>(c.blocks),
                      static_cast<double>(c.errors),
                      static_cast<double>(c.finished),
                      static_cast<double>(c.givenUp),
                      c.mcsSum,
                      c.sinrDbSum,
                      static_cast<double>(c.transmissions),
                      static_cast<double>(c.payloadBits)});
    };
    for (const RanDeparted& departed : network->TakeDeparted())
    {
        addFlow(departed);
    }
    for (const auto& ue : network->GetUes())
    {
        const RanLink& link = *ue->links.front();
        const Vector position = ue->mobility->GetPosition();
        ues.insert(ues.end(),
                   {static_cast<double>(link.cell->id),
                    position.x,
                    position.y,
                    position.z,
                    ue->mobility->GetVelocity().GetLength(),
                    link.cell->ReferenceSignalDbm() + RanToDb(link.geometry.gain),
                    static_cast<double>(link.cqi),
                    static_cast<double>(ue->state),
                    static_cast<double>(network->GetMobility()->TakeHandovers(*ue)),
                    helper.GetCharge(ue->id)});
        double rank = 0;
        for (const RanMeasured& m :
             network->GetMobility()->Strongest(*ue, REPORTED_NEIGHBOURS))
        {
            neighbours.insert(neighbours.end(),
                              {static_cast<double>(ue->id),
                               ++rank,
                               static_cast<double>(m.cell),
                               m.rsrpDbm});
        }
        for (const auto& qos : ue->qosFlows)
        {
            for (const RanDirection direction : {RAN_DL, RAN_UL})
            {
                const auto& bearer = qos->bearers[direction];
                if (!bearer)
                {
                    continue;
                }
                const RanBearerCounters c = bearer->TakeCounters();
                const auto queued = static_cast<double>(bearer->QueuedBits());
                bearers.insert(bearers.end(),
                               {static_cast<double>(ue->id),
                                static_cast<double>(qos->index),
                                static_cast<double>(qos->slice),
                                static_cast<double>(direction),
                                static_cast<double>(c.offeredBits),
                                static_cast<double>(c.deliveredBits),
                                static_cast<double>(c.droppedBits),
                                queued,
                                c.jitterSumMs,
                                static_cast<double>(c.jitterCount)});
                radioDelays.Add(c.delaysMs);
                const RanPathCounters p = std::exchange(qos->paths[direction], {});
                if (bearer->IsFullBuffer())
                {
                    // Its bits have no packets that would travel beyond the bearer.
                    paths.insert(paths.end(),
                                 {static_cast<double>(c.offeredBits),
                                  static_cast<double>(c.deliveredBits),
                                  static_cast<double>(c.droppedBits),
                                  0,
                                  queued,
                                  0,
                                  0});
                }
                else
                {
                    paths.insert(paths.end(),
                                 {static_cast<double>(p.sentBits),
                                  static_cast<double>(p.deliveredBits),
                                  static_cast<double>(p.droppedRadioBits),
                                  static_cast<double>(p.droppedTransportBits),
                                  static_cast<double>(qos->inFlightBits[direction]),
                                  p.jitterSumMs,
                                  static_cast<double>(p.jitterCount)});
                }
                pathDelays.Add(p.delaysMs);
            }
        }
        for (const auto& flow : ue->flows)
        {
            addFlow({ue->id,
                     flow->qos->slice,
                     flow->link->cell->id,
                     flow->direction,
                     flow->counters});
            flow->counters = RanFlowCounters();
        }
    }
    py::dict result;
    result["cells"] = Table(CollectCells(*network, fromNs), std::size(CELL_COLUMNS));
    result["ues"] = Table(ues, std::size(UE_COLUMNS));
    result["neighbours"] = Table(neighbours, std::size(NEIGHBOUR_COLUMNS));
    result["bearers"] = Table(bearers, std::size(BEARER_COLUMNS));
    result["paths"] = Table(paths, std::size(PATH_COLUMNS));
    result["flows"] = Table(flows, std::size(FLOW_COLUMNS));
    result["radio_delays"] = radioDelays.Arrays();
    result["path_delays"] = pathDelays.Arrays();
    return result;
}

template <size_t N>
py::tuple
Names(const char* const (&names)[N])
{
    py::tuple tuple(N);
    for (size_t i = 0; i < N; ++i)
    {
        tuple[i] = names[i];
    }
    return tuple;
}

/// \param load what jobs did at a site \return it by name
py::dict
LoadByName(const RanSiteLoad& load)
{
    return py::dict(py::arg("arrived") = load.arrived,
                    py::arg("completed") = load.completed,
                    py::arg("dropped") = load.dropped,
                    py::arg("waiting") = load.waiting,
                    py::arg("in_service") = load.inService,
                    py::arg("utilisation") = load.utilisation,
                    py::arg("wait_ns") = load.waitNs,
                    py::arg("service_ns") = load.serviceNs);
}

/// \param site an edge site \return its counters by name; they are reset
py::dict
TakeSiteCounters(RanEdgeSite& site)
{
    const RanSiteCounters c = site.TakeCounters();
    py::list applications;
    for (const RanSiteLoad& load : c.applications)
    {
        applications.append(LoadByName(load));
    }
    return py::dict(py::arg("applications") = applications,
                    py::arg("background") = LoadByName(c.background),
                    py::arg("mean_waiting") = c.meanWaiting);
}

/// \param source a source of jobs \return its counters by name; they are reset
py::dict
TakeJobCounters(RanJobSource& source)
{
    const RanJobCounters c = source.TakeCounters();
    return py::dict(py::arg("made") = c.made,
                    py::arg("offloaded") = c.offloaded,
                    py::arg("finished_local") = c.finishedLocal,
                    py::arg("finished_remote") = c.finishedRemote,
                    py::arg("lost") = c.lost,
                    py::arg("within_deadline") = c.withinDeadline,
                    py::arg("in_progress") = source.GetInProgress(),
                    py::arg("radio_ns") = c.radioNs,
                    py::arg("transport_ns") = c.transportNs,
                    py::arg("queue_ns") = c.queueNs,
                    py::arg("compute_ns") = c.computeNs,
                    py::arg("total_ns") = c.totalNs,
                    py::arg("delays_ms") = c.delaysMs);
}

RanSliceShare
Share(double dedicated, double minimum, double maximum)
{
    return {dedicated, minimum, maximum};
}

using Point = std::array<double, 3>;

/// \param point x, y and z \return the same
Vector
ToVector(const Point& point)
{
    return {point[0], point[1], point[2]};
}

/**
 * Path loss and shadowing between a site and users that move from point to point, one each second.
 * \param attributes of a RanChannel \param site where the site is
 * \param tracks points of each user, all of one length \return dB, a row for each user
 */
py::array_t<double>
SampleLosses(const RanAttributes& attributes,
             const Point& site,
             const std::vector<std::vector<Point>>& tracks)
{
    const auto place = [](const Point& point) {
        auto node = CreateObject<Node>();
        auto mobility = CreateObject<ConstantPositionMobilityModel>();
        mobility->SetPosition(ToVector(point));
        node->AggregateObject(mobility);
        return mobility;
    };
    auto channel = CreateObject<RanChannel>();
    for (const auto& [name, value] : attributes)
    {
        channel->SetAttribute(name, StringValue(value));
    }
    channel->Initialize();
    const auto here = place(site);
    std::vector<Ptr<ConstantPositionMobilityModel>> users;
    for (const auto& track : tracks)
    {
        users.push_back(place(track.at(0)));
    }
    const size_t steps = tracks.at(0).size();
    std::vector<double> losses(tracks.size() * steps);
    for (size_t step = 0; step < steps; ++step)
    {
        for (size_t user = 0; user < tracks.size(); ++user)
        {
            users[user]->SetPosition(ToVector(tracks[user].at(step)));
            losses[user * steps + step] = channel->LossDb(here, users[user]);
        }
        Simulator::Stop(Seconds(1));
        Simulator::Run();
    }
    channel->Dispose();
    Simulator::Destroy();
    return Table(losses, steps);
}

/// What a UAV is told: when, and where to fly at which speed, or its new state of charge
struct FlightOrder
{
    double atS;                                    ///< s
    std::optional<std::pair<Point, double>> flyTo; ///< point and speed
    std::optional<double> charge;                  ///< percent
};

/**
 * Fly a route on a battery.
 * \param battery attributes of a RanBattery \param alarm percent
 * \param start where it begins
 * \param points of its route, or none \param speed m/s \param end of it
 * \param orders given in flight \param times when to look, s
 * \return for each time position, velocity, charge, power and endurance; and the alarms
 */
py::tuple
Fly(const RanAttributes& battery,
    double alarm,
    const Point& start,
    const std::vector<Point>& points,
    double speed,
    RanRouteEnd end,
    const std::vector<FlightOrder>& orders,
    const std::vector<double>& times)
{
    auto route = CreateObject<RanRoute>();
    route->SetPosition(ToVector(start));
    auto power = CreateObject<RanBattery>();
    for (const auto& [name, value] : battery)
    {
        power->SetAttribute(name, StringValue(value));
    }
    power->Power(route);
    std::vector<double> alarms;
    const auto raise = [&alarms](double charge) {
        alarms.insert(alarms.end(), {Simulator::Now().GetSeconds(), charge});
    };
    power->SetAlarm(alarm, Callback<void, double>(raise));
    if (!points.empty())
    {
        std::vector<Vector> vectors;
        std::transform(points.begin(), points.end(), std::back_inserter(vectors), ToVector);
        route->Follow(vectors, speed, end);
    }
    for (const FlightOrder& order : orders)
    {
        Simulator::Schedule(Seconds(order.atS), [=] {
            if (order.flyTo)
            {
                route->FlyTo(ToVector(order.flyTo->first), order.flyTo->second);
            }
            if (order.charge)
            {
                power->SetCharge(*order.charge);
            }
        });
    }
    std::vector<double> rows;
    for (const double at : times)
    {
        Simulator::Schedule(Seconds(at), [&rows, route, power] {
            const Vector p = route->GetPosition();
            const Vector v = route->GetVelocity();
            rows.insert(rows.end(), {p.x, p.y, p.z, v.x, v.y, v.z});
            rows.insert(rows.end(),
                        {power->GetCharge(), power->GetPower(), power->GetEnduranceS()});
        });
    }
    Simulator::Stop(Seconds(times.back() + 1e-6));
    Simulator::Run();
    power->Dispose();
    route->Dispose();
    Simulator::Destroy();
    return py::make_tuple(Table(rows, 9), Table(alarms, 2));
}

} // namespace

PYBIND11_MODULE(_ran, m)
{
    m.doc() = "The 6G RAN model on ns-3, as the simulation worker uses it.";

    py::class_<RanArraySpec>(m, "ArraySpec")
        .def(py::init<>())
        .def_readwrite("element", &RanArraySpec::element)
        .def_readwrite("rows", &RanArraySpec::rows)
        .def_readwrite("columns", &RanArraySpec::columns)
        .def_readwrite("bearing_deg", &RanArraySpec::bearingDeg)
        .def_readwrite("tilt_deg", &RanArraySpec::tiltDeg);

    py::enum_<RanRouteEnd>(m, "RouteEnd")
        .value("stop", RanRouteEnd::STOP)
        .value("turn_back", RanRouteEnd::TURN_BACK)
        .value("start_again", RanRouteEnd::START_AGAIN);

    py::class_<RanUeSpec>(m, "UeSpec")
        .def(py::init<>())
        .def_readwrite("x_m", &RanUeSpec::x)
        .def_readwrite("y_m", &RanUeSpec::y)
        .def_readwrite("z_m", &RanUeSpec::z)
        .def_readwrite("walk_speed_mps", &RanUeSpec::walkSpeed)
        .def_readwrite("walk_bound_m", &RanUeSpec::walkBound)
        .def_readwrite("route", &RanUeSpec::route)
        .def_readwrite("route_speed_mps", &RanUeSpec::routeSpeed)
        .def_readwrite("route_end", &RanUeSpec::routeEnd)
        .def_readwrite("battery_wh", &RanUeSpec::batteryWh)
        .def_readwrite("battery_pct", &RanUeSpec::batteryPct)
        .def_readwrite("internet", &RanUeSpec::internet);

    py::class_<RanFlowSpec>(m, "FlowSpec")
        .def(py::init<>())
        .def_readwrite("slice", &RanFlowSpec::slice)
        .def_readwrite("delay_budget_ms", &RanFlowSpec::delayBudgetMs)
        .def_readwrite("guaranteed_bps", &RanFlowSpec::guaranteedBps)
        .def_readwrite("downlink", &RanFlowSpec::downlink)
        .def_readwrite("uplink", &RanFlowSpec::uplink)
        .def_readwrite("full_buffer", &RanFlowSpec::fullBuffer)
        .def_readwrite("downlink_queue_bytes", &RanFlowSpec::downlinkQueueBytes)
        .def_readwrite("uplink_queue_bytes", &RanFlowSpec::uplinkQueueBytes)
        .def_readwrite("codel", &RanFlowSpec::codel)
        .def_readwrite("port", &RanFlowSpec::port);

    py::enum_<RanSleepMode>(m, "SleepMode")
        .value("on", RanSleepMode::ON)
        .value("micro", RanSleepMode::MICRO)
        .value("light", RanSleepMode::LIGHT)
        .value("deep", RanSleepMode::DEEP)
        .value("off", RanSleepMode::OFF);

    py::enum_<RanPolicy>(m, "Policy")
        .value("round_robin", RanPolicy::ROUND_ROBIN)
        .value("proportional_fair", RanPolicy::PROPORTIONAL_FAIR)
        .value("max_ci", RanPolicy::MAX_CI)
        .value("qos", RanPolicy::QOS);

    py::class_<RanSliceShare>(m, "SliceShare").def(py::init(&Share));

    // Cells belong to their network; Python only refers to them.
    py::class_<RanCell, std::unique_ptr<RanCell, py::nodelete>>(m, "Cell")
        .def("set_grid", &RanCell::SetGrid)
        .def("set_tx_power", &RanCell::SetTxPower)
        .def("set_tilt", &RanCell::SetTilt)
        .def("set_target_bler", &RanCell::SetTargetBler)
        .def("set_scheduler", &RanCell::SetScheduler)
        .def("set_shares", &RanCell::SetShares)
        .def("set_sleep", &RanCell::SetSleep)
        .def("set_outage", &RanCell::SetOutage)
        .def("set_noise_rise", &RanCell::SetNoiseRise)
        .def("set_a3",
             [](RanCell& cell,
                double offsetDb,
                double hysteresisDb,
                double tttMs,
                const std::vector<float>& cellOffsetDb) {
                 cell.a3 = {offsetDb, hysteresisDb, MicroSeconds(tttMs * 1e3), cellOffsetDb};
             });

    py::class_<RanNetworkHelper>(m, "Network")
        .def(py::init<>())
        .def("add_carrier", &RanNetworkHelper::AddCarrier)
        .def("add_site", &RanNetworkHelper::AddSite)
        .def(
            "add_cell",
            [](RanNetworkHelper& h,
               uint32_t site,
               uint32_t carrier,
               const RanArraySpec& antenna,
               const RanAttributes& attributes,
               const RanAttributes& errorModel) {
                return PeekPointer(h.AddCell(site, carrier, antenna, attributes, errorModel));
            },
            py::return_value_policy::reference_internal)
        .def("set_mobility",
             [](RanNetworkHelper& h, const RanAttributes& attributes) {
                 for (const auto& [name, value] : attributes)
                 {
                     h.GetNetwork()->GetMobility()->SetAttribute(name, StringValue(value));
                 }
             })
        .def("add_ue", &RanNetworkHelper::AddUe)
        .def("add_flow", &RanNetworkHelper::AddFlow)
        .def("fly_to", &RanNetworkHelper::FlyTo)
        .def("set_charge", &RanNetworkHelper::SetCharge)
        .def("charge", &RanNetworkHelper::GetCharge)
        .def("set_rate_factor", &RanNetworkHelper::SetRateFactor)
        .def("set_slice", &RanNetworkHelper::SetSlice)
        .def("order_handover",
             [](RanNetworkHelper& h, uint32_t ue, uint32_t cell) {
                 const auto network = h.GetNetwork();
                 network->GetMobility()->Order(*network->GetUes().at(ue),
                                               *network->GetCells().at(cell));
             })
        .def("add_application", &RanNetworkHelper::AddApplication)
        .def("start", &RanNetworkHelper::Start)
        .def("advance", &RanNetworkHelper::Advance)
        .def("refresh_geometry",
             [](RanNetworkHelper& h) { h.GetNetwork()->RefreshGeometry(); })
        .def("refresh_links", [](RanNetworkHelper& h) { h.GetNetwork()->RefreshLinks(); })
        .def("wake", [](RanNetworkHelper& h) { h.GetNetwork()->Wake(); })
        .def("collect", &Collect);

    // For tests; the network of a lab is not that of a Network, and there is one at a time.
    py::class_<RanEdgeLab>(m, "EdgeLab")
        .def(py::init<uint32_t>())
        .def("add_site", &RanEdgeLab::AddSite)
        .def("add_source", &RanEdgeLab::AddSource)
        .def("feed", &RanEdgeLab::Feed)
        .def("submit", &RanEdgeLab::Submit)
        .def("take_computed",
             [](RanEdgeLab& lab) {
                 py::list computed;
                 for (const auto& job : lab.TakeComputed())
                 {
                     computed.append(
                         py::make_tuple(job.application, job.atNs, job.queueNs, job.computeNs));
                 }
                 return computed;
             })
        .def("lose", &RanEdgeLab::Lose)
        .def("retarget", &RanEdgeLab::Retarget)
        .def("advance", &RanEdgeLab::Advance)
        .def("set_capacity",
             [](RanEdgeLab& lab, uint32_t site, uint32_t servers, double gflops) {
                 lab.GetSite(site)->SetCapacity(servers, gflops);
             })
        .def("set_background_load",
             [](RanEdgeLab& lab, uint32_t site, double share) {
                 lab.GetSite(site)->SetBackgroundLoad(share);
             })
        .def("set_fraction",
             [](RanEdgeLab& lab, uint32_t source, double fraction) {
                 lab.GetSource(source)->SetFraction(fraction);
             })
        .def("set_rate_factor",
             [](RanEdgeLab& lab, uint32_t source, double factor) {
                 lab.GetSource(source)->SetRateFactor(factor);
             })
        .def("incomplete",
             [](RanEdgeLab& lab, uint32_t site) { return lab.GetServer(site)->GetIncomplete(); })
        .def("take_site", [](RanEdgeLab& lab, uint32_t site) {
            return TakeSiteCounters(*lab.GetSite(site));
        })
        .def("take_source", [](RanEdgeLab& lab, uint32_t source) {
            return TakeJobCounters(*lab.GetSource(source));
        });

    m.attr("CELL_COLUMNS") = Names(CELL_COLUMNS);
    m.attr("UE_COLUMNS") = Names(UE_COLUMNS);
    m.attr("BEARER_COLUMNS") = Names(BEARER_COLUMNS);
    m.attr("PATH_COLUMNS") = Names(PATH_COLUMNS);
    m.attr("FLOW_COLUMNS") = Names(FLOW_COLUMNS);
    m.attr("NEIGHBOUR_COLUMNS") = Names(NEIGHBOUR_COLUMNS);
    m.attr("CELL_STATES") = Names(CELL_STATES);
    m.attr("UE_STATES") = Names(UE_STATES);

    m.def("set_seed", [](uint32_t seed, uint64_t run) {
        RngSeedManager::SetSeed(seed);
        RngSeedManager::SetRun(run);
    });
    m.def("set_default", [](const std::string& name, const std::string& value) {
        Config::SetDefault(name, StringValue(value));
    });
    py::enum_<RanMcsTable>(m, "McsTable")
        .value("qam64", RanMcsTable::QAM64)
        .value("qam256", RanMcsTable::QAM256)
        .value("qam1024", RanMcsTable::QAM1024);
    m.def("transport_block_bits", [](RanMcsTable table, size_t mcs, double resourceElements) {
        return RanTransportBlockBits(RanMcsEntries(table).at(mcs), resourceElements, 1);
    });
    m.def("mutual_information", &RanMutualInformation);
    m.def(
        "sinr_db_for_bler",
        [](RanMcsTable table, size_t mcs, uint32_t bits, double bler, bool repetitionGain) {
            auto model = CreateObjectWithAttributes<RanErrorModel>("RepetitionGain",
                                                                   BooleanValue(repetitionGain));
            return model->SinrDbForBler(RanMcsEntries(table).at(mcs), bits, bler);
        });

    m.def("warm_up", [] { RanMutualInformation(2, 1); });
    m.def("now_ns", [] { return Simulator::Now().GetNanoSeconds(); });
    m.def("event_count", [] { return Simulator::GetEventCount(); });

    // What tests of users in the air and on the road look at.
    py::enum_<RanAerialEnvironment>(m, "AerialEnvironment")
        .value("UMi", RanAerialEnvironment::UMI)
        .value("UMa", RanAerialEnvironment::UMA)
        .value("RMa", RanAerialEnvironment::RMA);
    py::class_<FlightOrder>(m, "FlightOrder")
        .def(py::init<double, std::optional<std::pair<Point, double>>, std::optional<double>>(),
             py::arg("at_s"),
             py::arg("fly_to") = py::none(),
             py::arg("charge_pct") = py::none());
    m.def("aerial_los_probability", &RanAerialLosProbability);
    m.def("aerial_path_loss_db", &RanAerialPathLossDb);
    m.def("aerial_shadowing_db", &RanAerialShadowingDb);
    m.def("propulsion_power_w", [](const Point& v) { return RanPropulsionPower(ToVector(v)); });
    m.def("sample_losses", &SampleLosses);
    m.def("fly", &Fly);
}
