/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-network.h"

#include "ran-units.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <utility>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanNetwork);

TypeId
RanNetwork::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanNetwork")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanNetwork>()
            .AddAttribute("MovementPeriod",
                          "How often the geometry of moving users is computed.",
                          TimeValue(MilliSeconds(50)),
                          MakeTimeAccessor(&RanNetwork::m_movementPeriod),
                          MakeTimeChecker(MilliSeconds(1)));
    return tid;
}

RanNetwork::RanNetwork()
    : m_mobility(CreateObject<RanMobility>())
{
}

RanNetwork::~RanNetwork() = default;

void
RanNetwork::DoDispose()
{
    m_tick.Cancel();
    m_servingChanged.Nullify();
    m_mobility->Dispose();
    for (auto& ue : m_ues)
    {
        ue->Dispose();
    }
    for (auto& cell : m_cells)
    {
        cell->Dispose();
    }
    m_ues.clear();
    m_cells.clear();
    m_channels.clear();
    Object::DoDispose();
}

void
RanNetwork::AddCarrier(Ptr<RanChannel> channel)
{
    channel->Initialize();
    m_channels.push_back(channel);
}

void
RanNetwork::AddCell(Ptr<RanCell> cell)
{
    cell->id = static_cast<uint32_t>(m_cells.size());
    cell->SetActivation(MakeCallback(&RanNetwork::Wake, this));
    m_cells.push_back(cell);
}

void
RanNetwork::AddUe(Ptr<RanUe> ue)
{
    ue->id = static_cast<uint32_t>(m_ues.size());
    m_ues.push_back(ue);
}

void
RanNetwork::LocateUe(RanUe& ue)
{
    ue.located = ue.mobility->GetPosition();
    // Sectors of a site share path loss, line of sight and shadowing.
    std::vector<std::vector<double>> losses(m_channels.size()); // by carrier and site
    for (const auto& cell : m_cells)
    {
        auto& known = losses[cell->carrier];
        if (cell->site >= known.size())
        {
            known.resize(cell->site + 1, -1);
        }
        if (known[cell->site] < 0)
        {
            known[cell->site] = cell->channel->LossDb(cell->mobility, ue.mobility);
        }
        cell->geometries[ue.id] = cell->channel->Geometry(cell->mobility,
                                                          cell->array,
                                                          ue.mobility,
                                                          ue.array,
                                                          known[cell->site]);
        ue.gainDb[cell->id] = static_cast<float>(RanToDb(cell->geometries[ue.id].gain));
    }
}

void
RanNetwork::Start()
{
    for (const auto& cell : m_cells)
    {
        cell->Initialize();
        cell->geometries.resize(m_ues.size());
        for (const auto& other : m_cells)
        {
            if (other != cell && other->carrier == cell->carrier)
            {
                cell->neighbours.push_back(PeekPointer(other));
            }
        }
        const Vector here = cell->mobility->GetPosition();
        std::stable_sort(cell->neighbours.begin(),
                         cell->neighbours.end(),
                         [&](const RanCell* a, const RanCell* b) {
                             return CalculateDistance(here, a->mobility->GetPosition()) <
                                    CalculateDistance(here, b->mobility->GetPosition());
                         });
    }
    bool moving = false;
    for (const auto& ue : m_ues)
    {
        ue->gainDb.resize(m_cells.size());
        LocateUe(*ue);
        RanCell* best = nullptr;
        double bestPower = -1;
        for (const auto& cell : m_cells)
        {
            const double power = cell->geometries[ue->id].gain * cell->DownlinkPsd();
            if (cell->carrier == 0 && power > bestPower)
            {
                bestPower = power;
                best = PeekPointer(cell);
            }
        }
        CreateFlows(*ue);
        Attach(*ue, *best);
        moving = moving || ue->mobile;
    }
    RefreshLinks();
    for (const auto& ue : m_ues)
    {
        Serve(*ue);
    }
    if (moving)
    {
        Simulator::Schedule(m_movementPeriod, &RanNetwork::FollowMovement, this);
    }
    m_mobility->Start(this);
}

void
RanNetwork::CreateFlows(RanUe& ue)
{
    for (size_t carrier = 0; carrier < m_channels.size(); ++carrier)
    {
        ue.links.push_back(std::make_unique<RanLink>());
        RanLink* link = ue.links.back().get();
        link->ue = &ue;
        for (const auto& qos : ue.qosFlows)
        {
            for (const RanDirection direction : {RAN_DL, RAN_UL})
            {
                if (!qos->bearers[direction])
                {
                    continue;
                }
                auto flow = std::make_unique<RanFlow>();
                flow->link = link;
                flow->qos = qos.get();
                flow->bearer = qos->bearers[direction];
                flow->direction = direction;
                ue.flows.push_back(std::move(flow));
            }
        }
    }
    for (const auto& qos : ue.qosFlows)
    {
        for (const RanDirection direction : {RAN_DL, RAN_UL})
        {
            if (const auto& bearer = qos->bearers[direction])
            {
                bearer->SetActivation(MakeCallback(
                    &RanNetwork::Arrival, this, &ue, PeekPointer(bearer), direction));
            }
        }
    }
}

void
RanNetwork::Attach(RanUe& ue, RanCell& primary)
{
    for (size_t carrier = 0; carrier < ue.links.size(); ++carrier)
    {
        RanLink& link = *ue.links[carrier];
        // Cells of one sector follow each other, carrier by carrier.
        link.cell = PeekPointer(m_cells[primary.id + carrier]);
        link.filteredSinr = -1;
        link.cqi = 0;
        link.nextCqi = 0;
        link.measuredNs = -1;
        link.offsetDb = {};
        link.cell->RefreshLink(link);
    }
    for (const auto& flow : ue.flows)
    {
        flow->link->cell->AddFlow(flow.get());
    }
}

void
RanNetwork::Serve(RanUe& ue)
{
    for (const auto& flow : ue.flows)
    {
        if (flow->bearer->BacklogBytes() > 0)
        {
            flow->link->cell->Activate(flow.get());
            Wake();
        }
    }
    if (!m_servingChanged.IsNull())
    {
        m_servingChanged(ue);
    }
}

void
RanNetwork::Detach(RanUe& ue)
{
    for (const auto& flow : ue.flows)
    {
        const uint32_t cell = flow->link->cell->id;
        flow->link->cell->RemoveFlow(flow.get());
        ++flow->epoch;
        m_departed.push_back({ue.id, flow->qos->slice, cell, flow->direction, flow->counters});
        flow->counters = RanFlowCounters();
    }
    for (const auto& qos : ue.qosFlows)
    {
        for (const auto& bearer : qos->bearers)
        {
            if (bearer)
            {
                bearer->Reestablish();
            }
        }
    }
}

std::vector<RanDeparted>
RanNetwork::TakeDeparted()
{
    return std::exchange(m_departed, {});
}

void
RanNetwork::SetServingChanged(Callback<void, RanUe&> callback)
{
    m_servingChanged = callback;
}

void
RanNetwork::Arrival(RanUe* ue, RanBearer* bearer, RanDirection direction)
{
    if (!ue->IsServed())
    {
        return; // whatever serves it next looks at its queues
    }
    const auto activate = [this, ue, bearer] {
        if (!ue->IsServed())
        {
            return;
        }
        for (const auto& flow : ue->flows)
        {
            if (PeekPointer(flow->bearer) == bearer)
            {
                flow->link->cell->Activate(flow.get());
            }
        }
        Wake();
    };
    if (direction == RAN_DL)
    {
        activate();
    }
    else
    {
        Simulator::Schedule(ue->links.front()->cell->UplinkGrantDelay(), activate);
    }
}

void
RanNetwork::RefreshGeometry()
{
    for (const auto& ue : m_ues)
    {
        LocateUe(*ue);
    }
    RefreshLinks();
}

void
RanNetwork::RefreshLinks()
{
    for (const auto& ue : m_ues)
    {
        for (const auto& link : ue->links)
        {
            link->cell->RefreshLink(*link);
        }
    }
}

void
RanNetwork::FollowMovement()
{
    for (const auto& ue : m_ues)
    {
        if (ue->mobile && CalculateDistance(ue->mobility->GetPosition(), ue->located) > 0)
        {
            LocateUe(*ue);
            for (const auto& link : ue->links)
            {
                link->cell->RefreshLink(*link);
            }
        }
    }
    Simulator::Schedule(m_movementPeriod, &RanNetwork::FollowMovement, this);
}

int64_t
RanNetwork::ShortestSlotNs() const
{
    int64_t shortest = INT64_MAX;
    for (const auto& cell : m_cells)
    {
        shortest = std::min(shortest, cell->GetGrid().slotNs);
    }
    return shortest;
}

int64_t
RanNetwork::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (const auto& channel : m_channels)
    {
        stream += channel->AssignStreams(stream);
    }
    for (const auto& cell : m_cells)
    {
        stream += cell->AssignStreams(stream);
    }
    for (const auto& ue : m_ues)
    {
        stream += ue->mobility->AssignStreams(stream);
    }
    stream += m_mobility->AssignStreams(stream);
    return stream - first;
}

void
RanNetwork::Wake()
{
    if (m_tick.IsPending())
    {
        return;
    }
    const int64_t step = ShortestSlotNs();
    const int64_t now = Simulator::Now().GetNanoSeconds();
    m_tick = Simulator::Schedule(NanoSeconds(step - now % step), &RanNetwork::Tick, this);
}

void
RanNetwork::Tick()
{
    const int64_t now = Simulator::Now().GetNanoSeconds();
    bool work = false;
    for (const auto& cell : m_cells)
    {
        if (cell->SlotStarts(now))
        {
            cell->Decide(now);
        }
    }
    std::vector<std::pair<Time, std::vector<RanTransportBlock>>> endings;
    for (const auto& cell : m_cells)
    {
        if (cell->SlotStarts(now))
        {
            for (RanTransportBlock& block : cell->Transmit(now))
            {
                const Time delay = cell->CompletionDelay(block);
                auto found = std::find_if(endings.begin(), endings.end(), [&](const auto& e) {
                    return e.first == delay;
                });
                if (found == endings.end())
                {
                    endings.emplace_back(delay, std::vector<RanTransportBlock>());
                    found = endings.end() - 1;
                }
                found->second.push_back(std::move(block));
            }
        }
        work = work || cell->HasWork();
    }
    for (auto& [delay, blocks] : endings)
    {
        Simulator::Schedule(delay, [this, done = std::move(blocks)]() mutable {
            Complete(std::move(done));
        });
    }
    if (work)
    {
        Wake();
    }
}

void
RanNetwork::Complete(std::vector<RanTransportBlock> blocks)
{
    for (RanTransportBlock& block : blocks)
    {
        RanCell* cell = block.flow->link->cell;
        cell->Finish(block);
        if (cell->HasWork())
        {
            Wake();
        }
    }
}

} // namespace ns3
