/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-transport-lab.h"

#include "../model/ran-packet-tag.h"

#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/simulator.h"

#include <stdexcept>

namespace ns3
{

RanTransportLab::RanTransportLab()
    : m_transport(CreateObject<RanTransport>())
{
    m_transport->SetDropCallback(MakeCallback(&RanTransportLab::Drop, this));
}

RanTransportLab::~RanTransportLab()
{
    m_transport->Dispose();
    Simulator::Destroy();
}

uint32_t
RanTransportLab::AddNode(bool stack)
{
    auto node = CreateObject<Node>();
    if (stack)
    {
        Ipv4StaticRoutingHelper routing;
        InternetStackHelper internet;
        internet.SetIpv6StackInstall(false);
        internet.SetRoutingHelper(routing);
        internet.Install(node);
        routing.GetStaticRouting(node->GetObject<Ipv4>())
            ->SetDefaultRoute(Ipv4Address("127.0.0.2"), 0);
    }
    const uint32_t index = m_transport->AddNode(node);
    m_transport->SetReceiver(index, MakeCallback(&RanTransportLab::Receive, this));
    m_nodes.push_back(node);
    return index;
}

uint32_t
RanTransportLab::CountStaticRoutes(uint32_t node) const
{
    Ipv4StaticRoutingHelper routing;
    return routing.GetStaticRouting(m_nodes.at(node)->GetObject<Ipv4>())->GetNRoutes();
}

uint32_t
RanTransportLab::AddStream(const Stream& stream)
{
    const auto index = static_cast<uint32_t>(m_streams.size());
    m_streams.push_back(stream);
    m_streams.back().random = CreateObject<ExponentialRandomVariable>();
    Simulator::Schedule(NanoSeconds(stream.startNs), &RanTransportLab::SendNext, this, index);
    return index;
}

void
RanTransportLab::SendNext(uint32_t index)
{
    Stream& stream = m_streams[index];
    if (stream.count == 0)
    {
        return;
    }
    --stream.count;
    ++stream.sent;
    RanPacketTag tag;
    tag.ue = index;
    tag.bytes = stream.bytes;
    tag.sentNs = Simulator::Now().GetNanoSeconds();
    auto packet = Create<Packet>(stream.bytes);
    packet->AddPacketTag(tag);
    const double interval = stream.poisson ? stream.random->GetValue(stream.intervalNs, 0)
                                           : stream.intervalNs;
    Simulator::Schedule(NanoSeconds(static_cast<int64_t>(interval)),
                        &RanTransportLab::SendNext,
                        this,
                        index);
    m_transport->Send(stream.from, stream.to, stream.tunnelClass, index, 1, packet);
}

void
RanTransportLab::SendEndMarker(uint32_t index)
{
    const Stream& stream = m_streams.at(index);
    m_transport->SendEndMarker(stream.from, stream.to, stream.tunnelClass, index);
}

void
RanTransportLab::Receive(uint32_t index, Ptr<Packet> packet, bool endMarker)
{
    Stream& stream = m_streams.at(index);
    const int64_t now = Simulator::Now().GetNanoSeconds();
    if (endMarker)
    {
        stream.endMarkers.push_back(now);
        return;
    }
    RanPacketTag tag;
    if (!packet->PeekPacketTag(tag) || tag.ue != index || packet->GetSize() != stream.bytes)
    {
        throw std::logic_error("a packet came out of a tunnel other than it went in");
    }
    stream.delivered.emplace_back(tag.sentNs, now);
}

void
RanTransportLab::Drop(Ptr<const Packet> packet)
{
    RanPacketTag tag;
    if (packet->PeekPacketTag(tag)) // End Markers have none
    {
        ++m_streams.at(tag.ue).dropped;
    }
}

void
RanTransportLab::Advance(int64_t ns)
{
    Simulator::Stop(NanoSeconds(ns));
    Simulator::Run();
}

void
RanTransportLab::Drain()
{
    Simulator::Run();
}

} // namespace ns3
