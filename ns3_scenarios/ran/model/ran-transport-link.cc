/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-transport-link.h"

#include "ns3/data-rate.h"
#include "ns3/double.h"
#include "ns3/drop-tail-queue.h"
#include "ns3/fq-codel-queue-disc.h"
#include "ns3/mac48-address.h"
#include "ns3/net-device-queue-interface.h"
#include "ns3/object-factory.h"
#include "ns3/queue-size.h"
#include "ns3/red-queue-disc.h"
#include "ns3/simulator.h"
#include "ns3/tbf-queue-disc.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace ns3
{

namespace
{

/// PPP header of ns-3's point-to-point devices, bytes
constexpr uint32_t PPP_BYTES = 2;
/// Epoch of what is sent into a cut link
constexpr uint32_t NEVER = std::numeric_limits<uint32_t>::max();
/// Bytes that FqCoDel gives a flow in its turn (RFC 8290 5.2.2)
constexpr uint32_t QUANTUM_BYTES = 1514;
/// Token bucket: how long a full bucket lasts at its rate, s
constexpr double BURST_S = 1e-3;
/// RED: queue lengths between which packets are dropped early, over the limit
constexpr double RED_LOW = 0.2;
constexpr double RED_HIGH = 0.6;

/// \param discipline from which \param items everything that waits is taken, in any order
void
Drain(Ptr<QueueDisc> discipline, std::vector<Ptr<QueueDiscItem>>& items)
{
    for (size_t i = 0; i < discipline->GetNInternalQueues(); ++i)
    {
        while (auto item = discipline->GetInternalQueue(i)->Dequeue())
        {
            items.push_back(item);
        }
    }
    for (size_t i = 0; i < discipline->GetNQueueDiscClasses(); ++i)
    {
        Drain(discipline->GetQueueDiscClass(i)->GetQueueDisc(), items);
    }
}

/// \param condition whether it is all right \param message what is wrong otherwise
void
Require(bool condition, const char* message)
{
    if (!condition)
    {
        throw std::invalid_argument(message);
    }
}

/// \param queue a specification
void
CheckQueue(const RanQueueSpec& queue)
{
    Require(queue.limitPackets > 0, "a transport queue must hold at least one packet");
    Require(queue.rateShare > 0 && queue.rateShare <= 1,
            "a token bucket's share of the link rate must be above 0 and at most 1");
}

/// \param probability of loss
void
CheckLoss(double probability)
{
    Require(probability >= 0 && probability <= 1,
            "the loss probability of a transport link must be from 0 to 1");
}

} // namespace

NS_OBJECT_ENSURE_REGISTERED(RanTransportTag);

TypeId
RanTransportTag::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanTransportTag")
                            .SetParent<Tag>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanTransportTag>();
    return tid;
}

TypeId
RanTransportTag::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t
RanTransportTag::GetSerializedSize() const
{
    return 8;
}

void
RanTransportTag::Serialize(TagBuffer buffer) const
{
    buffer.WriteU64(static_cast<uint64_t>(enteredNs));
}

void
RanTransportTag::Deserialize(TagBuffer buffer)
{
    enteredNs = static_cast<int64_t>(buffer.ReadU64());
}

void
RanTransportTag::Print(std::ostream& os) const
{
    os << "entered_ns=" << enteredNs;
}

NS_OBJECT_ENSURE_REGISTERED(RanTransportLink);

TypeId
RanTransportLink::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanTransportLink")
                            .SetParent<PointToPointChannel>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanTransportLink>();
    return tid;
}

RanTransportLink::RanTransportLink() = default;
RanTransportLink::~RanTransportLink() = default;

void
RanTransportLink::DoDispose()
{
    for (auto& direction : m_directions)
    {
        direction.discipline = nullptr;
        direction.errors = nullptr;
    }
    m_replaced.clear();
    m_drop.Nullify();
    PointToPointChannel::DoDispose();
}

void
RanTransportLink::Build(const RanTransportLinkSpec& spec,
                        Ptr<Node> first,
                        Ptr<Node> second,
                        DropCallback drop)
{
    CheckQueue(spec.queue);
    CheckLoss(spec.lossProbability);
    Require(spec.rateBps >= 1, "the rate of a transport link must be at least 1 bit/s");
    Require(!spec.delay.IsStrictlyNegative(), "the delay of a transport link must not be negative");
    m_spec = spec;
    m_drop = drop;
    for (const auto& node : {first, second})
    {
        auto queue = CreateObject<DropTailQueue<Packet>>();
        queue->SetMaxSize(QueueSize(QueueSizeUnit::PACKETS, 1));
        auto device = CreateObject<PointToPointNetDevice>();
        device->SetAddress(Mac48Address::Allocate());
        device->SetMtu(MTU_BYTES);
        device->SetQueue(queue);
        device->Attach(this);
        node->AddDevice(device);
        auto interface = CreateObject<NetDeviceQueueInterface>();
        interface->GetTxQueue(0)->ConnectQueueTraces(queue);
        device->AggregateObject(interface);
    }
    for (const uint32_t side : {0, 1})
    {
        m_directions[side].errors = CreateObject<RateErrorModel>();
        m_directions[side].errors->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
        m_directions[side].reported = m_directions[side].changed = Simulator::Now();
    }
    SetState(true, 1, Time(0), 0);
    SetQueue(spec.queue);
}

int64_t
RanTransportLink::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (const Direction& direction : m_directions)
    {
        stream += direction.errors->AssignStreams(stream);
        if (auto red = DynamicCast<RedQueueDisc>(direction.discipline))
        {
            stream += red->AssignStreams(stream);
        }
    }
    return stream - first;
}

uint64_t
RanTransportLink::RateBps() const
{
    return std::max<uint64_t>(1, std::llround(m_spec.rateBps * m_rateFactor));
}

Ptr<QueueDisc>
RanTransportLink::MakeDiscipline(const RanQueueSpec& queue) const
{
    ObjectFactory factory;
    switch (queue.discipline)
    {
    case RanDiscipline::FIFO:
        factory.SetTypeId("ns3::FifoQueueDisc");
        break;
    case RanDiscipline::RED:
        factory.SetTypeId("ns3::RedQueueDisc");
        factory.Set("MinTh", DoubleValue(RED_LOW * queue.limitPackets));
        factory.Set("MaxTh", DoubleValue(RED_HIGH * queue.limitPackets));
        factory.Set("LinkBandwidth", DataRateValue(DataRate(RateBps())));
        factory.Set("LinkDelay", TimeValue(m_spec.delay));
        break;
    case RanDiscipline::CODEL:
        factory.SetTypeId("ns3::CoDelQueueDisc");
        break;
    case RanDiscipline::FQ_CODEL:
        factory.SetTypeId("ns3::FqCoDelQueueDisc");
        break;
    case RanDiscipline::TOKEN_BUCKET: {
        const double rate = std::max(8.0, queue.rateShare * RateBps());
        const double burst = std::max<double>(MTU_BYTES, rate * BURST_S / 8);
        factory.SetTypeId("ns3::TbfQueueDisc");
        factory.Set("Rate", DataRateValue(DataRate(std::llround(rate))));
        factory.Set("Burst", UintegerValue(std::llround(burst)));
        break;
    }
    }
    factory.Set("MaxSize", QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, queue.limitPackets)));
    auto discipline = factory.Create<QueueDisc>();
    if (auto fair = DynamicCast<FqCoDelQueueDisc>(discipline))
    {
        fair->SetQuantum(QUANTUM_BYTES);
    }
    return discipline;
}

void
RanTransportLink::InstallDiscipline(uint32_t side)
{
    Direction& direction = m_directions[side];
    auto device = GetPointToPointDevice(side);
    auto control = device->GetNode()->GetObject<TrafficControlLayer>();
    auto next = MakeDiscipline(m_spec.queue);
    next->TraceConnectWithoutContext("Enqueue",
                                     MakeCallback(&RanTransportLink::Enqueued, this, side));
    next->TraceConnectWithoutContext("DropBeforeEnqueue",
                                     MakeCallback(&RanTransportLink::Refused, this, side));
    next->TraceConnectWithoutContext("DropAfterDequeue",
                                     MakeCallback(&RanTransportLink::Discarded, this, side));
    std::vector<Ptr<QueueDiscItem>> waiting;
    if (const auto former = direction.discipline)
    {
        Drain(former, waiting);
        std::stable_sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
            return a->GetTimeStamp() < b->GetTimeStamp();
        });
        control->DeleteRootQueueDiscOnDevice(device);
        if (DynamicCast<TbfQueueDisc>(former))
        {
            m_replaced.push_back(former);
        }
    }
    direction.discipline = next;
    control->SetRootQueueDiscOnDevice(device, next);
    control->ScanDevices();
    next->Initialize();
    m_moving = true;
    for (const auto& item : waiting)
    {
        next->Enqueue(item);
    }
    m_moving = false;
    next->Run();
}

void
RanTransportLink::SetQueue(const RanQueueSpec& queue)
{
    CheckQueue(queue);
    m_spec.queue = queue;
    InstallDiscipline(0);
    InstallDiscipline(1);
}

void
RanTransportLink::SetState(bool up, double rateFactor, Time extraDelay, double lossProbability)
{
    CheckLoss(lossProbability);
    Require(rateFactor > 0, "the rate factor of a transport link must be above 0; cut it instead");
    Require(!extraDelay.IsStrictlyNegative(),
            "the extra delay of a transport link must not be negative");
    if (m_up && !up)
    {
        ++m_cuts;
    }
    m_up = up;
    const bool rateChanges = rateFactor != m_rateFactor;
    m_rateFactor = rateFactor;
    SetAttribute("Delay", TimeValue(m_spec.delay + extraDelay));
    const double loss = 1 - (1 - m_spec.lossProbability) * (1 - lossProbability);
    for (const uint32_t side : {0, 1})
    {
        GetPointToPointDevice(side)->SetDataRate(DataRate(RateBps()));
        m_directions[side].errors->SetRate(loss);
    }
    if (rateChanges && m_spec.queue.discipline == RanDiscipline::TOKEN_BUCKET)
    {
        // A bucket that waits for tokens would do so at the former rate.
        SetQueue(m_spec.queue);
    }
}

void
RanTransportLink::Count(Direction& direction, int packets, uint32_t bytes)
{
    RanTransportLinkCounters& c = direction.counters;
    const Time now = Simulator::Now();
    const double elapsedNs = static_cast<double>((now - direction.changed).GetNanoSeconds());
    direction.packetNs += elapsedNs * static_cast<double>(c.queuePackets);
    direction.byteNs += elapsedNs * static_cast<double>(c.queueBytes);
    direction.changed = now;
    c.queuePackets += packets;
    c.queueBytes += packets * static_cast<int64_t>(bytes);
}

void
RanTransportLink::Enqueued(uint32_t side, Ptr<const QueueDiscItem> item)
{
    RanTransportTag tag;
    if (m_moving || !item->GetPacket()->PeekPacketTag(tag))
    {
        return;
    }
    tag.enteredNs = Simulator::Now().GetNanoSeconds();
    item->GetPacket()->ReplacePacketTag(tag);
    Direction& direction = m_directions[side];
    const uint32_t bytes = item->GetSize() + PPP_BYTES;
    ++direction.counters.sentPackets;
    direction.counters.sentBits += 8 * bytes;
    Count(direction, 1, bytes);
}

void
RanTransportLink::Refused(uint32_t side, Ptr<const QueueDiscItem> item, const char* reason)
{
    RanTransportTag tag;
    if (m_moving)
    {
        Discarded(side, item, reason);
    }
    else if (item->GetPacket()->PeekPacketTag(tag))
    {
        RanTransportLinkCounters& c = m_directions[side].counters;
        const uint32_t bytes = item->GetSize() + PPP_BYTES;
        ++c.sentPackets;
        c.sentBits += 8 * bytes;
        ++c.droppedPackets;
        c.droppedBits += 8 * bytes;
        m_drop(item->GetPacket());
    }
}

void
RanTransportLink::Discarded(uint32_t side,
                            Ptr<const QueueDiscItem> item,
                            const char* /* reason */)
{
    RanTransportTag tag;
    if (item->GetPacket()->PeekPacketTag(tag))
    {
        Direction& direction = m_directions[side];
        const uint32_t bytes = item->GetSize() + PPP_BYTES;
        Count(direction, -1, bytes);
        ++direction.counters.droppedPackets;
        direction.counters.droppedBits += 8 * bytes;
        m_drop(item->GetPacket());
    }
}

bool
RanTransportLink::TransmitStart(Ptr<const Packet> packet,
                                Ptr<PointToPointNetDevice> source,
                                Time duration)
{
    const uint32_t side = source == GetSource(0) ? 0 : 1;
    Direction& direction = m_directions[side];
    RanTransportTag tag;
    if (packet->PeekPacketTag(tag))
    {
        Count(direction, -1, packet->GetSize());
    }
    ++direction.onWire;
    direction.busy += duration;
    direction.busyUntil = Simulator::Now() + duration;
    Simulator::ScheduleWithContext(GetDestination(side)->GetNode()->GetId(),
                                   duration + GetDelay(),
                                   &RanTransportLink::Arrive,
                                   this,
                                   packet->Copy(),
                                   side,
                                   m_up ? m_cuts : NEVER);
    return true;
}

void
RanTransportLink::Arrive(Ptr<Packet> packet, uint32_t side, uint32_t epoch)
{
    Direction& direction = m_directions[side];
    RanTransportLinkCounters& c = direction.counters;
    --direction.onWire;
    RanTransportTag tag;
    const bool counted = packet->PeekPacketTag(tag);
    const uint64_t bits = 8 * packet->GetSize();
    if (epoch != m_cuts ||
        (direction.errors->GetRate() > 0 && direction.errors->IsCorrupt(packet)))
    {
        if (counted)
        {
            ++c.lostPackets;
            c.lostBits += bits;
            m_drop(packet);
        }
        return;
    }
    if (counted)
    {
        ++c.deliveredPackets;
        c.deliveredBits += bits;
        direction.delaysNs.push_back(Simulator::Now().GetNanoSeconds() - tag.enteredNs);
    }
    GetDestination(side)->Receive(packet);
}

RanTransportLinkCounters
RanTransportLink::TakeCounters(uint32_t side)
{
    Direction& direction = m_directions[side];
    Count(direction, 0, 0);
    const Time now = Simulator::Now();
    RanTransportLinkCounters report = direction.counters;
    report.discipline = m_spec.queue.discipline;
    report.meanQueuePackets = static_cast<double>(report.queuePackets);
    report.meanQueueBytes = static_cast<double>(report.queueBytes);
    const Time pending = Max(direction.busyUntil - now, Time(0));
    if (now > direction.reported)
    {
        const double ns = static_cast<double>((now - direction.reported).GetNanoSeconds());
        report.meanQueuePackets = direction.packetNs / ns;
        report.meanQueueBytes = direction.byteNs / ns;
        report.utilisation =
            static_cast<double>((direction.busy - pending).GetNanoSeconds()) / ns;
    }
    if (auto& delays = direction.delaysNs; !delays.empty())
    {
        double sum = 0;
        for (const int64_t delay : delays)
        {
            sum += static_cast<double>(delay);
        }
        const auto nth = delays.begin() + (95 * delays.size() + 99) / 100 - 1;
        std::nth_element(delays.begin(), nth, delays.end());
        report.meanDelayMs = sum / static_cast<double>(delays.size()) / 1e6;
        report.p95DelayMs = static_cast<double>(*nth) / 1e6;
        delays.clear();
    }
    direction.counters = RanTransportLinkCounters();
    direction.counters.queuePackets = report.queuePackets;
    direction.counters.queueBytes = report.queueBytes;
    direction.reported = now;
    direction.packetNs = 0;
    direction.byteNs = 0;
    direction.busy = pending;
    return report;
}

uint64_t
RanTransportLink::CountHeld(uint32_t side) const
{
    const Direction& direction = m_directions[side];
    return direction.discipline->GetNPackets() +
           GetPointToPointDevice(side)->GetQueue()->GetNPackets() + direction.onWire;
}

} // namespace ns3
