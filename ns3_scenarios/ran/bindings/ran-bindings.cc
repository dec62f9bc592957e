/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The Python module `_ran`: the RAN model as the simulation worker uses it.

#include "../helper/ran-network-helper.h"
#include "../helper/ran-transport-lab.h"
#include "../model/ran-gtp-header.h"
#include "../model/ran-units.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

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

constexpr const char* CELL_COLUMNS[] = {"dl_capacity", "ul_capacity", "ul_iot_db"};
constexpr const char* UE_COLUMNS[] = {"cell", "x_m", "y_m", "z_m", "rsrp_dbm", "cqi"};
constexpr const char* BEARER_COLUMNS[] =
    {"ue", "direction", "offered", "delivered", "dropped", "queued", "jitter_ms", "jitter_count"};
constexpr const char* FLOW_COLUMNS[] = {"ue",
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

/**
 * What happened since the last call, as arrays; the counters are reset.
 * \param network the network \param fromNs start of the interval, ns
 */
py::dict
Collect(Ptr<RanNetwork> network, int64_t fromNs)
{
    const int64_t nowNs = Simulator::Now().GetNanoSeconds();
    std::vector<double> cells;
    for (const auto& cell : network->GetCells())
    {
        cells.insert(cells.end(),
                     {cell->Capacity(RAN_DL, fromNs, nowNs),
                      cell->Capacity(RAN_UL, fromNs, nowNs),
                      cell->TakeInterferenceOverThermalDb()});
    }
    std::vector<double> ues;
    std::vector<double> bearers;
    std::vector<double> flows;
    std::vector<float> delays;
    std::vector<int64_t> delayCounts;
    for (const auto& ue : network->GetUes())
    {
        const RanLink& link = *ue->links.front();
        const RanGrid& grid = link.cell->GetGrid();
        const Vector position = ue->mobility->GetPosition();
        const double rsrpW = link.cell->DownlinkPsd() * link.geometry.gain * grid.rbHz / 12;
        ues.insert(ues.end(),
                   {static_cast<double>(link.cell->id),
                    position.x,
                    position.y,
                    position.z,
                    RanToDb(rsrpW) + 30,
                    static_cast<double>(link.cqi)});
        for (const RanDirection direction : {RAN_DL, RAN_UL})
        {
            if (!ue->bearers[direction])
            {
                continue;
            }
            const RanBearerCounters c = ue->bearers[direction]->TakeCounters();
            bearers.insert(bearers.end(),
                           {static_cast<double>(ue->id),
                            static_cast<double>(direction),
                            static_cast<double>(c.offeredBits),
                            static_cast<double>(c.deliveredBits),
                            static_cast<double>(c.droppedBits),
                            static_cast<double>(ue->bearers[direction]->QueuedBits()),
                            c.jitterSumMs,
                            static_cast<double>(c.jitterCount)});
            delays.insert(delays.end(), c.delaysMs.begin(), c.delaysMs.end());
            delayCounts.push_back(static_cast<int64_t>(c.delaysMs.size()));
        }
        for (const auto& flow : ue->flows)
        {
            const RanFlowCounters& c = flow->counters;
            flows.insert(flows.end(),
                         {static_cast<double>(ue->id),
                          static_cast<double>(flow->link->cell->id),
                          static_cast<double>(flow->direction),
                          c.rbSymbols,
                          static_cast<double>(c.blocks),
                          static_cast<double>(c.errors),
                          static_cast<double>(c.finished),
                          static_cast<double>(c.givenUp),
                          c.mcsSum,
                          c.sinrDbSum,
                          static_cast<double>(c.transmissions),
                          static_cast<double>(c.payloadBits)});
            flow->counters = RanFlowCounters();
        }
    }
    py::dict result;
    result["cells"] = Table(cells, std::size(CELL_COLUMNS));
    result["ues"] = Table(ues, std::size(UE_COLUMNS));
    result["bearers"] = Table(bearers, std::size(BEARER_COLUMNS));
    result["flows"] = Table(flows, std::size(FLOW_COLUMNS));
    result["delays_ms"] = py::array_t<float>(delays.size(), delays.data());
    result["delay_counts"] = py::array_t<int64_t>(delayCounts.size(), delayCounts.data());
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

RanSliceShare
Share(double dedicated, double minimum, double maximum)
{
    return {dedicated, minimum, maximum};
}

/// \param m the module, which gets what tests of the transport network need
void
BindTransportLab(py::module_& m)
{
    py::enum_<RanDiscipline>(m, "Discipline")
        .value("fifo", RanDiscipline::FIFO)
        .value("red", RanDiscipline::RED)
        .value("codel", RanDiscipline::CODEL)
        .value("fq_codel", RanDiscipline::FQ_CODEL)
        .value("token_bucket", RanDiscipline::TOKEN_BUCKET);

    py::class_<RanQueueSpec>(m, "QueueSpec")
        .def(py::init<RanDiscipline, uint32_t, double>(),
             py::arg("discipline") = RanDiscipline::FIFO,
             py::arg("limit_packets") = 1000,
             py::arg("rate_share") = 1.0);

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

    py::class_<RanUeSpec>(m, "UeSpec")
        .def(py::init<>())
        .def_readwrite("x_m", &RanUeSpec::x)
        .def_readwrite("y_m", &RanUeSpec::y)
        .def_readwrite("z_m", &RanUeSpec::z)
        .def_readwrite("slice", &RanUeSpec::slice)
        .def_readwrite("delay_budget_ms", &RanUeSpec::delayBudgetMs)
        .def_readwrite("guaranteed_bps", &RanUeSpec::guaranteedBps)
        .def_readwrite("walk_speed_mps", &RanUeSpec::walkSpeed)
        .def_readwrite("walk_bound_m", &RanUeSpec::walkBound)
        .def_readwrite("downlink_full", &RanUeSpec::downlinkFull)
        .def_readwrite("uplink_full", &RanUeSpec::uplinkFull)
        .def_readwrite("internet", &RanUeSpec::internet)
        .def_readwrite("downlink_queue_bytes", &RanUeSpec::downlinkQueueBytes)
        .def_readwrite("uplink_queue_bytes", &RanUeSpec::uplinkQueueBytes)
        .def_readwrite("codel", &RanUeSpec::codel);

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
        .def("set_shares", &RanCell::SetShares);

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
        .def("add_ue", &RanNetworkHelper::AddUe)
        .def("add_application", &RanNetworkHelper::AddApplication)
        .def("start", &RanNetworkHelper::Start)
        .def("advance", &RanNetworkHelper::Advance)
        .def("refresh_geometry",
             [](RanNetworkHelper& h) { h.GetNetwork()->RefreshGeometry(); })
        .def("refresh_links", [](RanNetworkHelper& h) { h.GetNetwork()->RefreshLinks(); })
        .def("wake", [](RanNetworkHelper& h) { h.GetNetwork()->Wake(); })
        .def("collect", [](RanNetworkHelper& h, int64_t fromNs) {
            return Collect(h.GetNetwork(), fromNs);
        });

    BindTransportLab(m);

    m.attr("CELL_COLUMNS") = Names(CELL_COLUMNS);
    m.attr("UE_COLUMNS") = Names(UE_COLUMNS);
    m.attr("BEARER_COLUMNS") = Names(BEARER_COLUMNS);
    m.attr("FLOW_COLUMNS") = Names(FLOW_COLUMNS);

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
}
