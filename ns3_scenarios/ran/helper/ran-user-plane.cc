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
#include <iterator>
#include <utility>

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

/// Bit of a tunnel endpoint identifier between sites
constexpr uint32_t FORWARDED = 1U << 31;
/// Bits of a tunnel endpoint identifier that say the flow
constexpr uint32_t FLOW_BITS = 8;

/// \param ue index of a user \param flow index of its flow \return its tunnel endpoint identifier
uint32_t
TeidOf(uint32_t ue, uint32_t flow)
{
    return ue << FLOW_BITS | flow;
}

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
                            .AddConstructor<RanUserPlane>()
                            .AddAttribute("PathSwitchDelay",
                                          "From service by a new site to packets sent there.",
                                          TimeValue(MilliSeconds(10)),
                                          MakeTimeAccessor(&RanUserPlane::m_pathSwitchDelay),
                                          MakeTimeChecker(Time(0)))
                            .AddAttribute("MarkerTimeout",
                                          "Wait for the End Marker of a former path.",
                                          TimeValue(MilliSeconds(100)),
                                          MakeTimeAccessor(&RanUserPlane::m_markerTimeout),
                                          MakeTimeChecker(Time(0)));
    return tid;
}

RanUserPlane::RanUserPlane() = default;
RanUserPlane::~RanUserPlane() = default;

void
RanUserPlane::DoDispose()
{
    for (Subscriber& subscriber : m_subscribers)
    {
        subscriber.pathSwitch.Cancel();
        for (Tunnel& tunnel : subscriber.tunnels)
        {
            tunnel.release.Cancel();
        }
    }
    m_transport = nullptr;
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
        VirtualNetDevice::SendCallback(
            [this, index](Ptr<Packet> packet, const Address&, const Address&, uint16_t) {
                return SendFromAnchor(index, packet);
            }));
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
        VirtualNetDevice::SendCallback(
            [this, index](Ptr<Packet> packet, const Address&, const Address&, uint16_t) {
                return SendFromUe(index, packet);
            }));
    m_subscribers.resize(std::max<size_t>(m_subscribers.size(), index + 1));
    m_subscribers[index].ue = ue;
    m_subscribers[index].device = device;
    return address;
}

void
RanUserPlane::AddFlow(Ptr<RanUe> ue, RanQosFlow& qos, uint16_t port, bool timed)
{
    Subscriber& subscriber = m_subscribers[ue->id];
    subscriber.tunnels.resize(qos.index + 1);
    subscriber.tunnels[qos.index].port = port;
    subscriber.tunnels[qos.index].timed = timed;
    for (const RanDirection direction : {RAN_DL, RAN_UL})
    {
        const auto& bearer = qos.bearers[direction];
        if (!bearer)
        {
            continue;
        }
        const uint32_t index = ue->id;
        bearer->SetReceiver(Callback<void, const RanBearer::Packets&>(
            [this, index, direction](const RanBearer::Packets& packets) {
                direction == RAN_DL ? ArriveAtUe(index, packets) : LeaveSite(index, packets);
            }));
        bearer->TraceConnectWithoutContext(
            "Drop",
            MakeBoundCallback(&RanUserPlane::DropAtBearer, &qos, direction));
    }
}

void
RanUserPlane::SetTransport(Ptr<RanTransport> transport,
                           const std::vector<uint32_t>& sites,
                           const std::vector<uint32_t>& anchors)
{
    m_transport = transport;
    m_siteNodes = sites;
    m_anchorNodes = anchors;
    for (uint32_t site = 0; site < sites.size(); ++site)
    {
        transport->SetReceiver(
            sites[site],
            RanTransport::Receiver([this, site](uint32_t teid, Ptr<Packet> packet, bool marker) {
                ArriveAtSite(site, teid, packet, marker);
            }));
    }
    for (uint32_t anchor = 0; anchor < anchors.size(); ++anchor)
    {
        transport->SetReceiver(
            anchors[anchor],
            RanTransport::Receiver([this, anchor](uint32_t, Ptr<Packet> packet, bool marker) {
                if (!marker)
                {
                    ArriveAtAnchor(anchor, packet);
                }
            }));
    }
    transport->SetDropCallback(MakeCallback(&RanUserPlane::DropInTransport, this));
}

void
RanUserPlane::SetPath(uint32_t tunnelClass, const std::vector<uint32_t>& nodes)
{
    m_transport->SetPath(tunnelClass, nodes);
    if (nodes.back() == m_anchorNodes.front())
    {
        m_paths[{tunnelClass, nodes.front(), nodes.back()}] = nodes;
    }
}

void
RanUserPlane::EnsureForwarding(uint32_t tunnelClass, uint32_t site, uint32_t target)
{
    // Towards the core up to where the target's path joins, and from there back.
    const uint32_t core = m_anchorNodes.front();
    const auto& up = m_paths.at({tunnelClass, m_siteNodes[site], core});
    const auto& down = m_paths.at({tunnelClass, m_siteNodes[target], core});
    std::vector<uint32_t> nodes;
    for (const uint32_t node : up)
    {
        nodes.push_back(node);
        const auto joint = std::find(down.begin(), down.end(), node);
        if (joint != down.end())
        {
            nodes.insert(nodes.end(), std::make_reverse_iterator(joint), down.rend());
            break;
        }
    }
    auto& laid = m_paths[{tunnelClass, m_siteNodes[site], m_siteNodes[target]}];
    if (laid != nodes)
    {
        laid = nodes;
        m_transport->SetPath(tunnelClass, nodes);
    }
}

RanQosFlow*
RanUserPlane::Classify(const Subscriber& subscriber, uint16_t source, uint16_t destination)
{
    for (size_t i = 0; i < subscriber.tunnels.size(); ++i)
    {
        const uint16_t port = subscriber.tunnels[i].port;
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
RanUserPlane::SendFromAnchor(uint32_t anchor, Ptr<Packet> packet)
{
    const Addressing to = Read(packet);
    const uint32_t index = to.destinationHost - FIRST_UE_HOST;
    if (to.destinationHost < FIRST_UE_HOST || index >= m_subscribers.size())
    {
        return false;
    }
    Subscriber& subscriber = m_subscribers[index];
    RanQosFlow* qos = Classify(subscriber, to.sourcePort, to.destinationPort);
    if (!qos || !qos->bearers[RAN_DL])
    {
        return false;
    }
    Mark(*subscriber.ue, *qos, RAN_DL, packet);
    if (!m_transport)
    {
        EnterBearer(index, qos->index, packet);
        return true;
    }
    subscriber.tunnels[qos->index].anchor = static_cast<int>(anchor);
    m_transport->Send(m_anchorNodes[anchor],
                      m_siteNodes[subscriber.site],
                      qos->tunnelClass,
                      TeidOf(index, qos->index),
                      static_cast<uint8_t>(qos->index),
                      packet);
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
RanUserPlane::EnterBearer(uint32_t ue, uint32_t flow, Ptr<Packet> packet)
{
    const Subscriber& subscriber = m_subscribers[ue];
    if (subscriber.tunnels[flow].timed)
    {
        // Until the packet comes out of the bearer, the tag says when it went in.
        RanPacketTag tag;
        packet->RemovePacketTag(tag);
        tag.radioNs = Simulator::Now().GetNanoSeconds();
        packet->AddPacketTag(tag);
    }
    subscriber.ue->qosFlows[flow]->bearers[RAN_DL]->Enqueue(packet);
}

void
RanUserPlane::ArriveAtUe(uint32_t ue, const RanBearer::Packets& packets)
{
    const Subscriber& subscriber = m_subscribers[ue];
    for (const Ptr<Packet>& packet : packets)
    {
        CountArrival(packet);
        RanPacketTag tag;
        packet->PeekPacketTag(tag);
        if (subscriber.tunnels[tag.flow].timed)
        {
            packet->RemovePacketTag(tag);
            tag.radioNs = Simulator::Now().GetNanoSeconds() - tag.radioNs;
            packet->AddPacketTag(tag);
        }
    }
    DeliverTo(subscriber.device, packets);
}

void
RanUserPlane::LeaveSite(uint32_t ue, const RanBearer::Packets& packets)
{
    const Subscriber& subscriber = m_subscribers[ue];
    const uint32_t site = subscriber.ue->links.front()->cell->site;
    for (const Ptr<Packet>& packet : packets)
    {
        RanPacketTag tag;
        packet->PeekPacketTag(tag);
        if (subscriber.tunnels[tag.flow].timed)
        {
            packet->RemovePacketTag(tag);
            tag.radioNs = tag.Age().GetNanoSeconds();
            packet->AddPacketTag(tag);
        }
        const uint32_t anchor = Read(packet).destinationHost - FIRST_ANCHOR_HOST;
        if (!m_transport)
        {
            ArriveAtAnchor(anchor, packet);
            continue;
        }
        m_transport->Send(m_siteNodes[site],
                          m_anchorNodes.at(anchor),
                          subscriber.ue->qosFlows[tag.flow]->tunnelClass,
                          TeidOf(ue, tag.flow),
                          static_cast<uint8_t>(tag.flow),
                          packet);
    }
}

void
RanUserPlane::ArriveAtSite(uint32_t site, uint32_t teid, Ptr<Packet> packet, bool marker)
{
    const bool forwarded = teid & FORWARDED;
    const uint32_t ue = (teid & ~FORWARDED) >> FLOW_BITS;
    const uint32_t flow = teid & ((1U << FLOW_BITS) - 1);
    const Subscriber& subscriber = m_subscribers[ue];
    const bool serves = subscriber.ue->links.front()->cell->site == site;
    if (marker)
    {
        serves ? Release(ue, flow) : Forward(ue, flow, site, nullptr);
    }
    else if (forwarded)
    {
        serves ? EndForwarding(ue, flow, packet->GetUid(), packet)
               : Forward(ue, flow, site, packet);
    }
    else if (subscriber.tunnels[flow].awaitsMarker && site == subscriber.site)
    {
        m_subscribers[ue].tunnels[flow].held.push_back(packet);
    }
    else
    {
        Admit(ue, flow, site, packet);
    }
}

void
RanUserPlane::Admit(uint32_t ue, uint32_t flow, uint32_t site, Ptr<Packet> packet)
{
    auto& underway = m_subscribers[ue].tunnels[flow].underway;
    if (m_subscribers[ue].ue->links.front()->cell->site != site)
    {
        underway.push_back({packet->GetUid(), nullptr});
        Forward(ue, flow, site, packet);
    }
    else if (underway.empty())
    {
        EnterBearer(ue, flow, packet);
    }
    else
    {
        underway.push_back({packet->GetUid(), packet});
    }
}

void
RanUserPlane::Forward(uint32_t ue, uint32_t flow, uint32_t site, Ptr<Packet> packet)
{
    const Ptr<RanUe>& user = m_subscribers[ue].ue;
    const uint32_t serving = user->links.front()->cell->site;
    const uint32_t tunnelClass = user->qosFlows[flow]->tunnelClass;
    const uint32_t from = m_siteNodes[site];
    const uint32_t to = m_siteNodes[serving];
    const uint32_t teid = TeidOf(ue, flow) | FORWARDED;
    EnsureForwarding(tunnelClass, site, serving);
    if (packet)
    {
        m_transport->Send(from, to, tunnelClass, teid, static_cast<uint8_t>(flow), packet);
    }
    else
    {
        m_transport->SendEndMarker(from, to, tunnelClass, teid);
    }
}

void
RanUserPlane::EndForwarding(uint32_t ue, uint32_t flow, uint64_t uid, Ptr<Packet> packet)
{
    auto& underway = m_subscribers[ue].tunnels[flow].underway;
    const auto found = std::find_if(underway.begin(), underway.end(), [uid](const Underway& other) {
        return !other.packet && other.uid == uid;
    });
    if (found == underway.end())
    {
        return; // dropped elsewhere
    }
    if (packet)
    {
        found->packet = packet;
    }
    else
    {
        underway.erase(found);
    }
    for (; !underway.empty() && underway.front().packet; underway.pop_front())
    {
        EnterBearer(ue, flow, underway.front().packet);
    }
}

void
RanUserPlane::ServingChanged(RanUe& ue)
{
    if (!m_transport || ue.id >= m_subscribers.size() || !m_subscribers[ue.id].ue)
    {
        return; // it has no packets
    }
    Subscriber& subscriber = m_subscribers[ue.id];
    if (Simulator::Now().IsZero())
    {
        subscriber.site = ue.links.front()->cell->site;
    }
    else if (subscriber.site != ue.links.front()->cell->site &&
             !subscriber.pathSwitch.IsPending())
    {
        subscriber.pathSwitch =
            Simulator::Schedule(m_pathSwitchDelay, &RanUserPlane::SwitchPath, this, ue.id);
    }
}

void
RanUserPlane::SwitchPath(uint32_t ue)
{
    Subscriber& subscriber = m_subscribers[ue];
    const bool unfinished =
        std::any_of(subscriber.tunnels.begin(), subscriber.tunnels.end(), [](const Tunnel& tunnel) {
            return tunnel.awaitsMarker;
        });
    if (unfinished)
    {
        // One switch after the other, so that each End Marker belongs to one.
        subscriber.pathSwitch =
            Simulator::Schedule(m_pathSwitchDelay, &RanUserPlane::SwitchPath, this, ue);
        return;
    }
    const uint32_t former = subscriber.site;
    subscriber.site = subscriber.ue->links.front()->cell->site;
    if (former == subscriber.site)
    {
        return;
    }
    for (uint32_t flow = 0; flow < subscriber.tunnels.size(); ++flow)
    {
        Tunnel& tunnel = subscriber.tunnels[flow];
        if (tunnel.anchor < 0)
        {
            continue;
        }
        tunnel.awaitsMarker = true;
        tunnel.release.Cancel();
        tunnel.release =
            Simulator::Schedule(m_markerTimeout, &RanUserPlane::Release, this, ue, flow);
        m_transport->SendEndMarker(m_anchorNodes[tunnel.anchor],
                                   m_siteNodes[former],
                                   subscriber.ue->qosFlows[flow]->tunnelClass,
                                   TeidOf(ue, flow));
    }
}

void
RanUserPlane::Release(uint32_t ue, uint32_t flow)
{
    const uint32_t site = m_subscribers[ue].site;
    Tunnel& tunnel = m_subscribers[ue].tunnels[flow];
    tunnel.awaitsMarker = false;
    tunnel.release.Cancel();
    for (const Ptr<Packet>& packet : std::exchange(tunnel.held, {}))
    {
        Admit(ue, flow, site, packet);
    }
}

void
RanUserPlane::DropInTransport(Ptr<const Packet> packet)
{
    RanPacketTag tag;
    if (!packet->PeekPacketTag(tag))
    {
        return; // an End Marker
    }
    RanQosFlow& qos = *m_subscribers[tag.ue].ue->qosFlows[tag.flow];
    qos.paths[tag.direction].droppedTransportBits += 8ULL * tag.bytes;
    qos.inFlightBits[tag.direction] -= 8LL * tag.bytes;
    if (tag.direction == RAN_DL)
    {
        EndForwarding(tag.ue, tag.flow, packet->GetUid(), nullptr);
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
    int64_t& latestNs = qos.latestSentNs[tag.direction];
    path.reordered += tag.sentNs < latestNs;
    latestNs = std::max(latestNs, tag.sentNs);
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
