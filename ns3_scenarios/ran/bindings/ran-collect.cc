/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-collect.h"

#include "../model/ran-units.h"
#include "ran-tables.h"

#include "ns3/simulator.h"

#include <cmath>
#include <utility>

namespace py = pybind11;

namespace ns3
{

namespace
{

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
                                        "jitter_count",
                                        "reordered"};
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
constexpr const char* LINK_COLUMNS[] = {"sent_bits",
                                        "delivered_bits",
                                        "dropped_bits",
                                        "lost_bits",
                                        "packets",
                                        "missing_packets",
                                        "delay_ms",
                                        "delay_p95_ms",
                                        "queue_packets",
                                        "queued_bits",
                                        "utilisation"};
constexpr const char* EDGE_COLUMNS[] = {"arrived",
                                        "completed",
                                        "dropped",
                                        "in_system",
                                        "utilisation",
                                        "background",
                                        "waiting",
                                        "wait_ms",
                                        "service_ms"};
constexpr const char* JOB_COLUMNS[] = {"made",
                                       "offloaded",
                                       "finished",
                                       "lost",
                                       "in_progress",
                                       "within_deadline",
                                       "radio_ms",
                                       "transport_ms",
                                       "queue_ms",
                                       "compute_ms"};
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

/// \param helper who built the network \return counters of links, both directions of each
std::vector<double>
CollectLinks(const RanNetworkHelper& helper)
{
    std::vector<double> links;
    for (uint32_t link = 0; link < helper.GetNLinks(); ++link)
    {
        for (const uint32_t side : {0, 1})
        {
            const RanTransportLinkCounters c = helper.GetTransport()->TakeCounters(link, side);
            const uint64_t missing = c.droppedPackets + c.lostPackets;
            links.insert(links.end(),
                         {static_cast<double>(c.sentBits),
                          static_cast<double>(c.deliveredBits),
                          static_cast<double>(c.droppedBits),
                          static_cast<double>(c.lostBits),
                          static_cast<double>(c.deliveredPackets + missing),
                          static_cast<double>(missing),
                          c.deliveredPackets ? c.meanDelayMs : std::nan(""),
                          c.deliveredPackets ? c.p95DelayMs : std::nan(""),
                          c.meanQueuePackets,
                          static_cast<double>(8 * c.queueBytes),
                          c.utilisation});
        }
    }
    return links;
}

/// \param helper who built the network \return counters of edge sites
std::vector<double>
CollectEdge(const RanNetworkHelper& helper)
{
    std::vector<double> sites;
    for (const auto& site : helper.GetEdgeSites())
    {
        const RanSiteCounters c = site->TakeCounters();
        RanSiteLoad all = c.background;
        for (const RanSiteLoad& load : c.applications)
        {
            all.arrived += load.arrived;
            all.completed += load.completed;
            all.dropped += load.dropped;
            all.waiting += load.waiting;
            all.inService += load.inService;
            all.utilisation += load.utilisation;
            all.waitNs += load.waitNs;
            all.serviceNs += load.serviceNs;
        }
        const double jobs = all.completed ? static_cast<double>(all.completed) : std::nan("");
        sites.insert(sites.end(),
                     {static_cast<double>(all.arrived),
                      static_cast<double>(all.completed),
                      static_cast<double>(all.dropped),
                      static_cast<double>(all.waiting + all.inService),
                      all.utilisation,
                      c.background.utilisation,
                      c.meanWaiting,
                      all.waitNs * 1e-6 / jobs,
                      all.serviceNs * 1e-6 / jobs});
    }
    return sites;
}

/**
 * \param helper who built the network
 * \param delays gets the delays of the jobs of each application
 * \return counters of applications
 */
std::vector<double>
CollectJobs(const RanNetworkHelper& helper, Delays& delays)
{
    std::vector<double> rows;
    for (uint32_t application = 0; application < helper.GetNApplications(); ++application)
    {
        RanJobCounters all;
        size_t inProgress = 0;
        std::vector<float> ms;
        for (const auto& source : helper.GetJobSources(application))
        {
            const RanJobCounters c = source->TakeCounters();
            inProgress += source->GetInProgress();
            all.made += c.made;
            all.offloaded += c.offloaded;
            all.finishedLocal += c.finishedLocal;
            all.finishedRemote += c.finishedRemote;
            all.lost += c.lost;
            all.withinDeadline += c.withinDeadline;
            all.radioNs += c.radioNs;
            all.transportNs += c.transportNs;
            all.queueNs += c.queueNs;
            all.computeNs += c.computeNs;
            ms.insert(ms.end(), c.delaysMs.begin(), c.delaysMs.end());
        }
        delays.Add(ms);
        const uint64_t finished = all.finishedLocal + all.finishedRemote;
        const double jobs = finished ? static_cast<double>(finished) : std::nan("");
        rows.insert(rows.end(),
                    {static_cast<double>(all.made),
                     static_cast<double>(all.offloaded),
                     static_cast<double>(finished),
                     static_cast<double>(all.lost),
                     static_cast<double>(inProgress),
                     static_cast<double>(all.withinDeadline),
                     all.radioNs * 1e-6 / jobs,
                     all.transportNs * 1e-6 / jobs,
                     all.queueNs * 1e-6 / jobs,
                     all.computeNs * 1e-6 / jobs});
    }
    return rows;
}

} // namespace

py::dict
RanCollect(RanNetworkHelper& helper, int64_t fromNs)
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
                                  static_cast<double>(p.jitterCount),
                                  static_cast<double>(p.reordered)});
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
    Delays jobDelays;
    result["links"] = Table(CollectLinks(helper), std::size(LINK_COLUMNS));
    result["edge"] = Table(CollectEdge(helper), std::size(EDGE_COLUMNS));
    result["jobs"] = Table(CollectJobs(helper, jobDelays), std::size(JOB_COLUMNS));
    result["job_delays"] = jobDelays.Arrays();
    result["radio_delays"] = radioDelays.Arrays();
    result["path_delays"] = pathDelays.Arrays();
    return result;
}

void
RanBindColumns(py::module_& m)
{
    m.attr("CELL_COLUMNS") = Names(CELL_COLUMNS);
    m.attr("UE_COLUMNS") = Names(UE_COLUMNS);
    m.attr("BEARER_COLUMNS") = Names(BEARER_COLUMNS);
    m.attr("PATH_COLUMNS") = Names(PATH_COLUMNS);
    m.attr("FLOW_COLUMNS") = Names(FLOW_COLUMNS);
    m.attr("NEIGHBOUR_COLUMNS") = Names(NEIGHBOUR_COLUMNS);
    m.attr("LINK_COLUMNS") = Names(LINK_COLUMNS);
    m.attr("EDGE_COLUMNS") = Names(EDGE_COLUMNS);
    m.attr("JOB_COLUMNS") = Names(JOB_COLUMNS);
    m.attr("CELL_STATES") = Names(CELL_STATES);
    m.attr("UE_STATES") = Names(UE_STATES);
}

} // namespace ns3
