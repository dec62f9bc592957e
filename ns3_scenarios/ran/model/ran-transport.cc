/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-transport.h"

#include "ran-gtp-header.h"
#include "ran-packet-tag.h"

#include "ns3/inet-socket-address.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-interface-address.h"
#include "ns3/ipv4-route.h"
#include "ns3/ipv4-routing-table-entry.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/simulator.h"
#include "ns3/udp-socket-factory.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace ns3
{

namespace
{

/// First address of the paths, two for each
constexpr uint32_t PATH_NETWORK = 10U << 24;
/// First address of the devices, one for each; paths have the addresses below
constexpr uint32_t DEVICE_NETWORK = PATH_NETWORK + (1U << 23);
/// Most paths
constexpr uint32_t MAX_PATHS = (DEVICE_NETWORK - PATH_NETWORK) / 2;
/// Most nodes and most classes, for which keys of paths have room
constexpr uint32_t MAX_INDEX = 1U << 20;
/// First of the source ports of tunnels, and how many bits tell them apart (RFC 6335 6)
constexpr uint32_t FIRST_SOURCE_PORT = 49152;
constexpr uint32_t SOURCE_PORT_BITS = 14;
/// IPv4 and UDP header, bytes
constexpr uint32_t IP_UDP_BYTES = 20 + 8;

/**
 * Ports differ between tunnels so that routers can tell flows apart (the idea of RFC 6438).
 * \param teid tunnel endpoint identifier \return UDP source port of its packets
 */
uint16_t
SourcePort(uint32_t teid)
{
    // Multiplicative hashing: the upper bits of the product with 2^32 over the golden ratio.
    return static_cast<uint16_t>(FIRST_SOURCE_PORT +
                                 ((teid * 2654435769U) >> (32 - SOURCE_PORT_BITS)));
}

/// \param what kind of thing \param index that does not exist
[[noreturn]] void
ThrowUnknown(const std::string& what, uint32_t index)
{
    throw std::invalid_argument("there is no transport " + what + " " + std::to_string(index));
}

} // namespace

NS_OBJECT_ENSURE_REGISTERED(RanTransport);

TypeId
RanTransport::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanTransport")
                            .SetParent<Object>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanTransport>();
    return tid;
}

RanTransport::RanTransport() = default;
RanTransport::~RanTransport() = default;

void
RanTransport::DoDispose()
{
    m_routers.clear();
    m_links.clear();
    m_drop.Nullify();
    Object::DoDispose();
}

Ipv4Address
RanTransport::PathAddress(uint32_t path, bool high)
{
    return Ipv4Address(PATH_NETWORK + 2 * path + high);
}

uint64_t
RanTransport::Key(const Path& path)
{
    return (static_cast<uint64_t>(path.tunnelClass) << 40) +
           (static_cast<uint64_t>(path.low) << 20) + path.high;
}

RanTransport::Router&
RanTransport::GetRouter(uint32_t index)
{
    if (index >= m_routers.size())
    {
        ThrowUnknown("node", index);
    }
    return m_routers[index];
}

RanTransportLink&
RanTransport::GetLink(uint32_t index)
{
    if (index >= m_links.size())
    {
        ThrowUnknown("link", index);
    }
    return *m_links[index];
}

uint32_t
RanTransport::AddNode(Ptr<Node> node)
{
    const auto index = static_cast<uint32_t>(m_routers.size());
    if (index == MAX_INDEX)
    {
        throw std::invalid_argument("there are too many transport nodes");
    }
    if (!node->GetObject<Ipv4>())
    {
        InternetStackHelper internet;
        internet.SetIpv6StackInstall(false);
        internet.SetRoutingHelper(Ipv4StaticRoutingHelper());
        internet.Install(node);
    }
    auto ipv4 = node->GetObject<Ipv4>();
    auto former = DynamicCast<Ipv4StaticRouting>(ipv4->GetRoutingProtocol());
    if (!former || DynamicCast<RanHostRouting>(former))
    {
        throw std::invalid_argument(
            "a transport node must have static routing and can be added only once");
    }
    Router router;
    router.node = node;
    router.udp = node->GetObject<UdpL4Protocol>();
    router.routing = CreateObject<RanHostRouting>();
    ipv4->SetRoutingProtocol(router.routing);
    for (uint32_t i = 0; i < former->GetNRoutes(); ++i)
    {
        const Ipv4RoutingTableEntry route = former->GetRoute(i);
        router.routing->AddNetworkRouteTo(route.GetDestNetwork(),
                                          route.GetDestNetworkMask(),
                                          route.GetGateway(),
                                          route.GetInterface(),
                                          former->GetMetric(i));
    }
    former->Dispose();
    ipv4->TraceConnectWithoutContext("Drop", MakeCallback(&RanTransport::DropByIp, this));
    router.socket = Socket::CreateSocket(node, UdpSocketFactory::GetTypeId());
    router.socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), RanGtpHeader::PORT));
    router.socket->SetRecvCallback(MakeCallback(&RanTransport::Receive, this, index));
    router.socket->TraceConnectWithoutContext("Drop", MakeCallback(&RanTransport::Drop, this));
    m_routers.push_back(router);
    return index;
}

uint32_t
RanTransport::AddLink(uint32_t first, uint32_t second, const RanTransportLinkSpec& spec)
{
    const uint32_t ends[] = {first, second};
    GetRouter(second);
    if (first == second || GetRouter(first).hops.count(second))
    {
        throw std::invalid_argument("transport nodes " + std::to_string(first) + " and " +
                                    std::to_string(second) +
                                    " must be two nodes without a link between them");
    }
    const auto index = static_cast<uint32_t>(m_links.size());
    auto link = CreateObject<RanTransportLink>();
    link->Build(spec,
                m_routers[first].node,
                m_routers[second].node,
                MakeCallback(&RanTransport::Drop, this));
    for (const uint32_t side : {0, 1})
    {
        const Ipv4Address own(DEVICE_NETWORK + 2 * index + side);
        auto device = link->GetPointToPointDevice(side);
        auto ipv4 = device->GetNode()->GetObject<Ipv4>();
        const uint32_t interface = ipv4->AddInterface(device);
        ipv4->AddAddress(interface, Ipv4InterfaceAddress(own, Ipv4Mask::GetOnes()));
        ipv4->SetUp(interface);
        auto route = Create<Ipv4Route>();
        route->SetSource(own);
        route->SetGateway(Ipv4Address(DEVICE_NETWORK + 2 * index + (1 - side)));
        route->SetOutputDevice(device);
        m_routers[ends[side]].hops[ends[1 - side]] = route;
    }
    m_links.push_back(link);
    return index;
}

uint32_t
RanTransport::AddClass()
{
    if (m_nClasses == MAX_INDEX)
    {
        throw std::invalid_argument("there are too many transport classes");
    }
    return m_nClasses++;
}

void
RanTransport::SetPath(uint32_t tunnelClass, const std::vector<uint32_t>& nodes)
{
    if (tunnelClass >= m_nClasses)
    {
        ThrowUnknown("class", tunnelClass);
    }
    auto sorted = nodes;
    std::sort(sorted.begin(), sorted.end());
    if (nodes.size() < 2 || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    {
        throw std::invalid_argument("a transport path must name at least two nodes, each once");
    }
    for (size_t i = 0; i + 1 < nodes.size(); ++i)
    {
        GetRouter(nodes[i + 1]);
        if (!GetRouter(nodes[i]).hops.count(nodes[i + 1]))
        {
            throw std::invalid_argument("a transport path cannot go from node " +
                                        std::to_string(nodes[i]) + " to node " +
                                        std::to_string(nodes[i + 1]) +
                                        ": there is no link between them");
        }
    }
    const auto [low, high] = std::minmax(nodes.front(), nodes.back());
    const uint64_t key = Key({tunnelClass, low, high});
    if (!m_paths.count(key) && m_paths.size() == MAX_PATHS)
    {
        throw std::invalid_argument("there are too many transport paths");
    }
    const uint32_t path =
        m_paths.emplace(key, static_cast<uint32_t>(m_paths.size())).first->second;
    const Ipv4Address first = PathAddress(path, nodes.front() == high);
    const Ipv4Address last = PathAddress(path, nodes.back() == high);
    for (size_t i = 0; i < nodes.size(); ++i)
    {
        const Router& router = m_routers[nodes[i]];
        const bool isFirst = i == 0;
        const bool isLast = i + 1 == nodes.size();
        router.routing->SetHostRoute(first, isFirst ? nullptr : router.hops.at(nodes[i - 1]));
        router.routing->SetHostRoute(last, isLast ? nullptr : router.hops.at(nodes[i + 1]));
    }
}

void
RanTransport::SetReceiver(uint32_t node, Receiver receiver)
{
    GetRouter(node).receiver = receiver;
}

void
RanTransport::SetDropCallback(RanTransportLink::DropCallback drop)
{
    m_drop = drop;
}

void
RanTransport::Send(uint32_t from,
                   uint32_t to,
                   uint32_t tunnelClass,
                   uint32_t teid,
                   uint8_t qfi,
                   Ptr<Packet> packet)
{
    RanGtpHeader header;
    header.teid = teid;
    header.qfi = qfi;
    RanPacketTag tag;
    packet->PeekPacketTag(tag);
    header.pduType = tag.direction;
    Transmit(from, to, tunnelClass, header, packet);
}

void
RanTransport::SendEndMarker(uint32_t from, uint32_t to, uint32_t tunnelClass, uint32_t teid)
{
    RanGtpHeader header;
    header.messageType = RanGtpHeader::END_MARKER;
    header.teid = teid;
    Transmit(from, to, tunnelClass, header, Create<Packet>());
}

void
RanTransport::Transmit(uint32_t from,
                       uint32_t to,
                       uint32_t tunnelClass,
                       RanGtpHeader& header,
                       Ptr<Packet> packet)
{
    const Router& sender = GetRouter(from);
    const Router& receiver = GetRouter(to);
    ++m_totals.sent;
    packet->AddPacketTag(RanTransportTag());
    if (from == to)
    {
        Simulator::ScheduleWithContext(receiver.node->GetId(),
                                       Time(0),
                                       &RanTransport::Deliver,
                                       this,
                                       to,
                                       header.teid,
                                       packet,
                                       header.messageType == RanGtpHeader::END_MARKER);
        return;
    }
    const auto [low, high] = std::minmax(from, to);
    const auto path = m_paths.find(Key({tunnelClass, low, high}));
    if (path == m_paths.end() || packet->GetSize() + RanGtpHeader::G_PDU_BYTES + IP_UDP_BYTES >
                                     RanTransportLink::MTU_BYTES)
    {
        Drop(packet);
        return;
    }
    header.payloadBytes = static_cast<uint16_t>(packet->GetSize());
    packet->AddHeader(header);
    const Ipv4Address destination = PathAddress(path->second, to == high);
    sender.udp->Send(packet,
                     PathAddress(path->second, from == high),
                     destination,
                     SourcePort(header.teid),
                     RanGtpHeader::PORT,
                     sender.routing->FindHostRoute(destination));
}

void
RanTransport::Receive(uint32_t node, Ptr<Socket> socket)
{
    while (auto packet = socket->Recv())
    {
        RanGtpHeader header;
        packet->RemoveHeader(header);
        Deliver(node, header.teid, packet, header.messageType == RanGtpHeader::END_MARKER);
    }
}

void
RanTransport::Deliver(uint32_t node, uint32_t teid, Ptr<Packet> packet, bool endMarker)
{
    const Receiver& receiver = m_routers[node].receiver;
    if (receiver.IsNull())
    {
        Drop(packet);
        return;
    }
    RanTransportTag tag;
    packet->RemovePacketTag(tag);
    ++m_totals.delivered;
    receiver(teid, packet, endMarker);
}

void
RanTransport::Drop(Ptr<const Packet> packet)
{
    RanTransportTag tag;
    if (!packet->PeekPacketTag(tag))
    {
        return;
    }
    ++m_totals.dropped;
    if (!m_drop.IsNull())
    {
        m_drop(packet);
    }
}

void
RanTransport::DropByIp(const Ipv4Header& /* header */,
                       Ptr<const Packet> packet,
                       Ipv4L3Protocol::DropReason /* reason */,
                       Ptr<Ipv4> /* ipv4 */,
                       uint32_t /* interface */)
{
    Drop(packet);
}

void
RanTransport::SetQueue(uint32_t link, const RanQueueSpec& queue)
{
    GetLink(link).SetQueue(queue);
}

void
RanTransport::SetLinkState(uint32_t link,
                           bool up,
                           double rateFactor,
                           Time extraDelay,
                           double lossProbability)
{
    GetLink(link).SetState(up, rateFactor, extraDelay, lossProbability);
}

RanTransportLinkCounters
RanTransport::TakeCounters(uint32_t link, uint32_t side)
{
    return GetLink(link).TakeCounters(side);
}

int64_t
RanTransport::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (const auto& link : m_links)
    {
        stream += link->AssignStreams(stream);
    }
    return stream - first;
}

uint64_t
RanTransport::CountHeld() const
{
    uint64_t held = 0;
    for (const auto& link : m_links)
    {
        held += link->CountHeld(0) + link->CountHeld(1);
    }
    return held;
}

} // namespace ns3
