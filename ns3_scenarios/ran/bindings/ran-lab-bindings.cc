/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Parts of the model by themselves, for tests. The network of a lab is not that of a Network, and
// there is one at a time.

#include "ran-lab-bindings.h"

#include "../model/ran-aerial-loss.h"
#include "../model/ran-battery.h"
#include "../model/ran-channel.h"
#include "../model/ran-gtp-header.h"
#include "../model/ran-route.h"
#include "ran-edge-lab.h"
#include "ran-tables.h"
#include "ran-transport-lab.h"

#include "ns3/constant-position-mobility-model.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace py = pybind11;

namespace ns3
{

namespace
{

/// Attribute names and values, as ns-3 writes them
using RanAttributes = std::map<std::string, std::string>;

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

/// \param m the module, which gets what tests of the transport network need
void
BindTransportLab(py::module_& m)
{
    using Counters = RanTransportLinkCounters;
    py::class_<Counters>(m, "TransportLinkCounters")
        .def_readonly("sent_packets", &Counters::sentPackets)
        .def_readonly("sent_bits", &Counters::sentBits)
        .def_readonly("delivered_packets", &Counters::deliveredPackets)
        .def_readonly("delivered_bits", &Counters::deliveredBits)
        .def_readonly("dropped_packets", &Counters::droppedPackets)
        .def_readonly("dropped_bits", &Counters::droppedBits)
        .def_readonly("lost_packets", &Counters::lostPackets)
        .def_readonly("lost_bits", &Counters::lostBits)
        .def_readonly("mean_delay_ms", &Counters::meanDelayMs)
        .def_readonly("p95_delay_ms", &Counters::p95DelayMs)
        .def_readonly("queue_packets", &Counters::queuePackets)
        .def_readonly("queue_bytes", &Counters::queueBytes)
        .def_readonly("mean_queue_packets", &Counters::meanQueuePackets)
        .def_readonly("mean_queue_bytes", &Counters::meanQueueBytes)
        .def_readonly("utilisation", &Counters::utilisation)
        .def_readonly("discipline", &Counters::discipline);

    using Stream = RanTransportLab::Stream;
    py::class_<Stream>(m, "TransportStream")
        .def_readonly("sent", &Stream::sent)
        .def_readonly("dropped", &Stream::dropped)
        .def_readonly("delivered", &Stream::delivered)
        .def_readonly("end_markers", &Stream::endMarkers);

    using Lab = RanTransportLab;
    py::class_<Lab>(m, "TransportLab")
        .def(py::init<>())
        .def("add_node", &Lab::AddNode, py::arg("stack") = false)
        .def("count_static_routes", &Lab::CountStaticRoutes)
        .def(
            "add_link",
            [](Lab& lab,
               uint32_t first,
               uint32_t second,
               double rateBps,
               int64_t delayNs,
               const RanQueueSpec& queue,
               double loss) {
                return lab.GetTransport().AddLink(first,
                                                  second,
                                                  {rateBps, NanoSeconds(delayNs), loss, queue});
            },
            py::arg("first"),
            py::arg("second"),
            py::arg("rate_bps"),
            py::arg("delay_ns"),
            py::arg("queue") = RanQueueSpec(),
            py::arg("loss") = 0.0)
        .def("add_class", [](Lab& lab) { return lab.GetTransport().AddClass(); })
        .def("set_path",
             [](Lab& lab, uint32_t tunnelClass, const std::vector<uint32_t>& nodes) {
                 lab.GetTransport().SetPath(tunnelClass, nodes);
             })
        .def("set_queue",
             [](Lab& lab, uint32_t link, const RanQueueSpec& queue) {
                 lab.GetTransport().SetQueue(link, queue);
             })
        .def(
            "set_link_state",
            [](Lab& lab, uint32_t link, bool up, double rateFactor, int64_t delayNs, double loss) {
                lab.GetTransport().SetLinkState(link, up, rateFactor, NanoSeconds(delayNs), loss);
            },
            py::arg("link"),
            py::arg("up") = true,
            py::arg("rate_factor") = 1.0,
            py::arg("extra_delay_ns") = 0,
            py::arg("loss") = 0.0)
        .def("remove_receiver",
             [](Lab& lab, uint32_t node) {
                 lab.GetTransport().SetReceiver(node, RanTransport::Receiver());
             })
        .def(
            "add_stream",
            [](Lab& lab,
               uint32_t from,
               uint32_t to,
               uint32_t tunnelClass,
               uint32_t bytes,
               uint64_t count,
               double intervalNs,
               bool poisson,
               int64_t startNs) {
                Stream stream;
                stream.from = from;
                stream.to = to;
                stream.tunnelClass = tunnelClass;
                stream.bytes = bytes;
                stream.count = count;
                stream.intervalNs = intervalNs;
                stream.poisson = poisson;
                stream.startNs = startNs;
                return lab.AddStream(stream);
            },
            py::arg("source"),
            py::arg("target"),
            py::arg("tunnel_class"),
            py::arg("size_bytes"),
            py::arg("count"),
            py::arg("interval_ns") = 0.0,
            py::arg("poisson") = false,
            py::arg("start_ns") = 0)
        .def("send_end_marker", &Lab::SendEndMarker)
        .def("advance", &Lab::Advance)
        .def("drain", &Lab::Drain)
        .def("stream", &Lab::GetStream)
        .def("counters",
             [](Lab& lab, uint32_t link, uint32_t side) {
                 return lab.GetTransport().TakeCounters(link, side);
             })
        .def("totals",
             [](Lab& lab) {
                 const RanTransportTotals& t = lab.GetTransport().GetTotals();
                 return py::make_tuple(t.sent, t.delivered, t.dropped);
             })
        .def("held", [](Lab& lab) { return lab.GetTransport().CountHeld(); });

    m.def("gtp_header",
          [](uint8_t type, uint32_t teid, uint8_t qfi, uint8_t pduType, uint16_t payloadBytes) {
              RanGtpHeader header;
              header.messageType = static_cast<RanGtpHeader::MessageType>(type);
              header.teid = teid;
              header.qfi = qfi;
              header.pduType = pduType;
              header.payloadBytes = payloadBytes;
              auto packet = Create<Packet>();
              packet->AddHeader(header);
              std::string bytes(packet->GetSize(), '\0');
              packet->CopyData(reinterpret_cast<uint8_t*>(bytes.data()), packet->GetSize());
              RanGtpHeader read;
              packet->RemoveHeader(read);
              return py::make_tuple(py::bytes(bytes),
                                    +read.messageType,
                                    read.teid,
                                    read.qfi,
                                    read.pduType,
                                    read.payloadBytes);
          });
}

/// \param m the module, which gets what tests of edge sites need
void
BindEdgeLab(py::module_& m)
{
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
}

/// \param m the module, which gets what tests of users in the air and on the road need
void
BindFlights(py::module_& m)
{
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

} // namespace

void
RanBindLabs(py::module_& m)
{
    BindEdgeLab(m);
    BindTransportLab(m);
    BindFlights(m);
}

} // namespace ns3
