/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-job-server.h"

#include "ns3/inet-socket-address.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/udp-socket-factory.h"
#include "ns3/uinteger.h"

#include <iterator>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanJobServer);

TypeId
RanJobServer::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanJobServer")
            .SetParent<Application>()
            .SetGroupName("Ran")
            .AddConstructor<RanJobServer>()
            .AddAttribute("Port",
                          "UDP port where it listens.",
                          UintegerValue(10),
                          MakeUintegerAccessor(&RanJobServer::m_port),
                          MakeUintegerChecker<uint16_t>(1))
            .AddAttribute("Site",
                          "Where the jobs are computed.",
                          PointerValue(),
                          MakePointerAccessor(&RanJobServer::m_site),
                          MakePointerChecker<RanEdgeSite>())
            .AddAttribute("PacketBytes",
                          "Largest UDP payload of a response, bytes.",
                          UintegerValue(1400),
                          MakeUintegerAccessor(&RanJobServer::m_packetBytes),
                          MakeUintegerChecker<uint32_t>(RanJobHeader::BYTES, 65507))
            .AddAttribute("Timeout",
                          "When a request is forgotten that is not complete.",
                          TimeValue(Seconds(5)),
                          MakeTimeAccessor(&RanJobServer::m_timeout),
                          MakeTimeChecker(Time(1)));
    return tid;
}

RanJobServer::RanJobServer() = default;
RanJobServer::~RanJobServer() = default;

void
RanJobServer::DoDispose()
{
    m_expiry.Cancel();
    m_places.clear();
    m_incomplete.clear();
    m_socket = nullptr;
    m_site = nullptr;
    Application::DoDispose();
}

void
RanJobServer::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), m_port));
    m_socket->SetRecvCallback(MakeCallback(&RanJobServer::Receive, this));
}

void
RanJobServer::StopApplication()
{
    if (m_socket)
    {
        m_socket->Close();
    }
}

void
RanJobServer::Receive(Ptr<Socket> socket)
{
    Address source;
    while (Ptr<Packet> packet = socket->RecvFrom(source))
    {
        RanJobHeader header;
        packet->RemoveHeader(header);
        const Key key(source, header.job);
        auto place = m_places.find(key);
        if (place == m_places.end())
        {
            m_incomplete.push_back({.key = key, .since = Simulator::Now(), .datagrams = {}});
            place = m_places.emplace(key, std::prev(m_incomplete.end())).first;
        }
        if (!place->second->datagrams.Add(header))
        {
            continue;
        }
        m_incomplete.erase(place->second);
        m_places.erase(place);
        const int64_t delayNs = Simulator::Now().GetNanoSeconds() - header.sentNs;
        header.radioNs = RanRadioNs(packet);
        header.transportNs = delayNs - header.radioNs;
        m_site->Submit(header.application,
                       header.workGflop,
                       RanEdgeSite::Done([this, source, header](Time queue, Time compute) {
                           Respond(source, header, queue, compute);
                       }));
    }
    PlanExpiry();
}

void
RanJobServer::Respond(const Address& source, RanJobHeader header, Time queue, Time compute)
{
    header.queueNs = queue.GetNanoSeconds();
    header.computeNs = compute.GetNanoSeconds();
    for (const auto& datagram : RanJobDatagrams(header, header.responseBytes, m_packetBytes))
    {
        m_socket->SendTo(datagram, 0, source);
    }
}

void
RanJobServer::PlanExpiry()
{
    if (!m_expiry.IsPending() && !m_incomplete.empty())
    {
        const Time expiry = m_incomplete.front().since + m_timeout;
        m_expiry = Simulator::Schedule(expiry - Simulator::Now(), &RanJobServer::Expire, this);
    }
}

void
RanJobServer::Expire()
{
    while (!m_incomplete.empty() &&
           m_incomplete.front().since + m_timeout <= Simulator::Now())
    {
        m_places.erase(m_incomplete.front().key);
        m_incomplete.pop_front();
    }
    PlanExpiry();
}

} // namespace ns3
