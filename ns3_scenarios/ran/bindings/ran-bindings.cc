/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The Python module `_ran`: the RAN model as the simulation worker uses it.

#include "../helper/ran-network-helper.h"
#include "ran-collect.h"
#include "ran-lab-bindings.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>

namespace py = pybind11;
using namespace ns3;

namespace
{

RanSliceShare
Share(double dedicated, double minimum, double maximum)
{
    return {dedicated, minimum, maximum};
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
        .def_readwrite("port", &RanFlowSpec::port)
        .def_readwrite("jobs", &RanFlowSpec::jobs);

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
        .def("add_edge_site", &RanNetworkHelper::AddEdgeSite)
        .def("add_jobs", &RanNetworkHelper::AddJobs)
        .def("set_application", &RanNetworkHelper::SetApplication)
        .def("set_background_load",
             [](RanNetworkHelper& h, uint32_t site, double share) {
                 h.GetEdgeSites().at(site)->SetBackgroundLoad(share);
             })
        .def("add_transport", &RanNetworkHelper::AddTransport)
        .def("add_link",
             [](RanNetworkHelper& h,
                uint32_t first,
                uint32_t second,
                double rateBps,
                double delayMs,
                double loss,
                const RanQueueSpec& queue) {
                 return h.AddLink(first,
                                  second,
                                  {rateBps, NanoSeconds(std::llround(delayMs * 1e6)), loss, queue});
             })
        .def("add_class", [](RanNetworkHelper& h) { return h.GetTransport()->AddClass(); })
        .def("set_path",
             [](RanNetworkHelper& h, uint32_t tunnelClass, const std::vector<uint32_t>& nodes) {
                 h.GetUserPlane()->SetPath(tunnelClass, nodes);
             })
        .def("set_tunnel_class", &RanNetworkHelper::SetTunnelClass)
        .def("set_queue",
             [](RanNetworkHelper& h, uint32_t link, const RanQueueSpec& queue) {
                 h.GetTransport()->SetQueue(link, queue);
             })
        .def("set_link_state",
             [](RanNetworkHelper& h,
                uint32_t link,
                bool up,
                double rateFactor,
                double extraDelayMs,
                double loss) {
                 h.GetTransport()->SetLinkState(link,
                                                up,
                                                rateFactor,
                                                NanoSeconds(std::llround(extraDelayMs * 1e6)),
                                                loss);
             })
        .def("order_handover",
             [](RanNetworkHelper& h, uint32_t ue, uint32_t cell) {
                 const auto network = h.GetNetwork();
                 network->GetMobility()->Order(*network->GetUes().at(ue),
                                               *network->GetCells().at(cell));
             })
        .def("add_application", &RanNetworkHelper::AddApplication)
        .def("start", &RanNetworkHelper::Start)
        .def("advance", &RanNetworkHelper::Advance)
        .def("redraw", &RanNetworkHelper::Redraw)
        .def("refresh_geometry",
             [](RanNetworkHelper& h) { h.GetNetwork()->RefreshGeometry(); })
        .def("refresh_links", [](RanNetworkHelper& h) { h.GetNetwork()->RefreshLinks(); })
        .def("wake", [](RanNetworkHelper& h) { h.GetNetwork()->Wake(); })
        .def("collect", &RanCollect);

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

    RanBindColumns(m);
    RanBindLabs(m);
}
