/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-user-plane.h"

#include "ns3/ipv4-interface-address.h"
#include "ns3/ipv4.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanUserPlane);

namespace
{

/// Network of all users and anchors
constexpr uint32_t NETWORK = 7U << 24;
/// Host part of the first anchor's address
constexpr uint32_t FIRST_ANCHOR_HOST = 1;
/// Host part of the first user's address
constexpr uint32_t FIRST_UE_HOST = 1024;
/// IPv4's protocol number on a link
constexpr uint16_t IPV4_PROTOCOL = 0x0800;
/// Bytes of an IPv4 header without options, followed by the ports
constexpr uint32_t IPV4_HEADER_BYTES = 20;

/// What the user plane reads of an IP packet
struct Addressing
{
    uint32_t destinationHost; ///< host part of the destination
    uint16_t sourcePort;      ///< UDP or TCP
    uint16_t destinationPort; ///< UDP or TCP
};

/// \param packet an IP packet \return its addressing (RFC 791, RFC 768)
Addressing
Read(Ptr<const Packet> packet)
{
    std::array<uint8_t, IPV4_HEADER_BYTES + 4> h{};
    packet->CopyData(h.data(), h.size());
    return {.destinationHost = (static_cast<uint32_t>(h[17]) << 16) + (h[18] << 8) + h[19],
            .sourcePort = static_cast<uint16_t>((h[20] << 8) + h[21]),
            .destinationPort = static_cast<uint16_t>((h[22] << 8) + h[23])};
}

/// \param device where packets come out \param packets the packets
void
Receive(Ptr<VirtualNetDevice> device, const RanBearer::Packets& packets)
{
    for (const Ptr<Packet>& packet : packets)
    {
        device->Receive(packet,
                        IPV4_PROTOCOL,
                        device->GetAddress(),
                        device->GetAddress(),
                        NetDevice::PACKET_HOST);
    }
}

/// \param device where packets come out, in the context of its node \param packets the packets
void
DeliverTo(Ptr<VirtualNetDevice> device, const RanBearer::Packets& packets)
{
    Simulator::ScheduleWithContext(device->GetNode()->GetId(), Time(0), &Receive, device, packets);
}

} // namespace

TypeId
RanUserPlane::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanUserPlane")
                            .SetParent<Object>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanUserPlane>();
    return tid;
}

RanUserPlane::RanUserPlane() = default;
RanUserPlane::~RanUserPlane() = default;

void
RanUserPlane::DoDispose()
{
    m_anchors.clear();
    m_subscribers.clear();
    Object::DoDispose();
}

Ptr<VirtualNetDevice>
RanUserPlane::MakeDevice(Ptr<Node> node, Ipv4Address address, VirtualNetDevice::SendCallback send)
{
    auto device = CreateObject<VirtualNetDevice>();
    device->SetAddress(Mac48Address::Allocate());
    device->SetSendCallback(send);
    node->AddDevice(device);
    auto ipv4 = node->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(device);
    ipv4->AddAddress(interface, Ipv4InterfaceAddress(address, Ipv4Mask("255.0.0.0")));
    ipv4->SetUp(interface);
    return device;
}

Ipv4Address
RanUserPlane::AddAnchor(Ptr<Node> node)
{
    const auto index = static_cast<uint32_t>(m_anchors.size());
    const Ipv4Address address(NETWORK + FIRST_ANCHOR_HOST + index);
    auto device = MakeDevice(
        node,
        address,
        [this, index](Ptr<Packet> packet, const Address&, const Address&, uint16_t) {
            return SendFromAnchor(index, packet);
        });
    m_anchors.push_back({address, device});
    return address;
}

Ipv4Address
RanUserPlane::AddUe(Ptr<RanUe> ue, Ptr<Node> node)
{
    const uint32_t index = ue->id;
    const Ipv4Address address(NETWORK + FIRST_UE_HOST + index);
    auto device = MakeDevice(
        node,
        address,
        [this, index](Ptr<Packet> packet, const Address&, const Address&, uint16_t) {
            return SendFromUe(index, packet);
        });
    m_subscribers.resize(std::max<size_t>(m_subscribers.size(), index + 1));
    m_subscribers[index] = {.ue = ue, .device = device, .ports = {}};
    return address;
}

void
RanUserPlane::AddFlow(Ptr<RanUe> ue, RanQosFlow& qos, uint16_t port)
{
    Subscriber& subscriber = m_subscribers[ue->id];
    subscriber.ports.resize(qos.index + 1);
    subscriber.ports[qos.index] = port;
    for (const RanDirection direction : {RAN_DL, RAN_UL})
    {
        const auto& bearer = qos.bearers[direction];
        if (!bearer)
        {
            continue;
        }
        const uint32_t index = ue->id;
        bearer->SetReceiver([this, index, direction](const RanBearer::Packets& packets) {
            direction == RAN_DL ? ArriveAtUe(index, packets) : ArriveAtSite(index, packets);
        });
        bearer->TraceConnectWithoutContext(
            "Drop",
            MakeBoundCallback(&RanUserPlane::DropAtBearer, &qos, direction));
    }
}

RanQosFlow*
RanUserPlane::Classify(const Subscriber& subscriber, uint16_t source, uint16_t destination)
{
    for (size_t i = 0; i < subscriber.ports.size(); ++i)
    {
        const uint16_t port = subscriber.ports[i];
        if (port != 0 && (port == source || port == destination))
        {
            return subscriber.ue->qosFlows[i].get();
        }
    }
    return nullptr;
}

void
RanUserPlane::Mark(const RanUe& ue, RanQosFlow& qos, RanDirection direction, Ptr<Packet> packet)
{
    RanPacketTag tag;
    tag.ue = ue.id;
    tag.flow = static_cast<uint16_t>(qos.index);
    tag.direction = direction;
    tag.bytes = packet->GetSize();
    tag.sentNs = Simulator::Now().GetNanoSeconds();
    packet->AddPacketTag(tag);
    qos.paths[direction].sentBits += 8ULL * tag.bytes;
    qos.inFlightBits[direction] += 8LL * tag.bytes;
}

bool
RanUserPlane::SendFromAnchor(uint32_t /* anchor */, Ptr<Packet> packet)
{
    const Addressing to = Read(packet);
    const uint32_t index = to.destinationHost - FIRST_UE_HOST;
    if (to.destinationHost < FIRST_UE_HOST || index >= m_subscribers.size())
    {
        return false;
    }
    const Subscriber& subscriber = m_subscribers[index];
    RanQosFlow* qos = Classify(subscriber, to.sourcePort, to.destinationPort);
    if (!qos || !qos->bearers[RAN_DL])
    {
        return false;
    }
    Mark(*subscriber.ue, *qos, RAN_DL, packet);
    qos->bearers[RAN_DL]->Enqueue(packet);
    return true;
}

bool
RanUserPlane::SendFromUe(uint32_t ue, Ptr<Packet> packet)
{
    const Addressing to = Read(packet);
    const Subscriber& subscriber = m_subscribers[ue];
    RanQosFlow* qos = Classify(subscriber, to.sourcePort, to.destinationPort);
    if (!qos || !qos->bearers[RAN_UL])
    {
        return false;
    }
    Mark(*subscriber.ue, *qos, RAN_UL, packet);
    qos->bearers[RAN_UL]->Enqueue(packet);
    return true;
}

void
RanUserPlane::ArriveAtUe(uint32_t ue, const RanBearer::Packets& packets)
{
    for (const Ptr<Packet>& packet : packets)
    {
        CountArrival(packet);
    }
    DeliverTo(m_subscribers[ue].device, packets);
}

void
RanUserPlane::ArriveAtSite(uint32_t /* ue */, const RanBearer::Packets& packets)
{
    for (const Ptr<Packet>& packet : packets)
    {
        ArriveAtAnchor(Read(packet).destinationHost - FIRST_ANCHOR_HOST, packet);
    }
}

void
RanUserPlane::ArriveAtAnchor(uint32_t anchor, Ptr<Packet> packet)
{
    CountArrival(packet);
    DeliverTo(m_anchors.at(anchor).device, {packet});
}

void
RanUserPlane::CountArrival(Ptr<const Packet> packet)
{
    RanPacketTag tag;
    packet->PeekPacketTag(tag);
    RanQosFlow& qos = *m_subscribers[tag.ue].ue->qosFlows[tag.flow];
    RanPathCounters& path = qos.paths[tag.direction];
    path.deliveredBits += 8ULL * tag.bytes;
    qos.inFlightBits[tag.direction] -= 8LL * tag.bytes;
    const double delayMs = tag.Age().GetSeconds() * 1e3;
    path.delaysMs.push_back(static_cast<float>(delayMs));
    double& last = qos.lastDelayMs[tag.direction];
    if (last >= 0)
    {
        path.jitterSumMs += std::abs(delayMs - last);
        ++path.jitterCount;
    }
    last = delayMs;
}

void
RanUserPlane::DropAtBearer(RanQosFlow* qos, RanDirection direction, Ptr<const Packet> packet)
{
    qos->paths[direction].droppedRadioBits += 8ULL * packet->GetSize();
    qos->inFlightBits[direction] -= 8LL * packet->GetSize();
}

} // namespace ns3
