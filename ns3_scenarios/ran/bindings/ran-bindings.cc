/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The Python module `_ran`: the RAN model as the simulation worker uses it.

#include "../helper/ran-network-helper.h"
#include "../model/ran-units.h"
#include "ran-edge-lab.h"

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
