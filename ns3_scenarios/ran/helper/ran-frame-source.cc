/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-frame-source.h"

#include "ns3/packet.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/string.h"
#include "ns3/udp-socket-factory.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanFrameSource);

TypeId
RanFrameSource::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanFrameSource")
            .SetParent<SourceApplication>()
            .SetGroupName("Ran")
            .AddConstructor<RanFrameSource>()
            .AddAttribute("Interval",
                          "Time between nominal frame times, s.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0.016]"),
                          MakePointerAccessor(&RanFrameSource::m_interval),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("Jitter",
                          "Delay from the nominal to the actual time of a frame, s.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0]"),
                          MakePointerAccessor(&RanFrameSource::m_jitter),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("FrameBytes",
                          "Size of a frame, bytes.",
                          StringValue("ns3::ConstantRandomVariable[Constant=1000]"),
                          MakePointerAccessor(&RanFrameSource::m_frameBytes),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("PacketBytes",
                          "Largest UDP payload, bytes.",
                          UintegerValue(1400),
                          MakeUintegerAccessor(&RanFrameSource::m_packetBytes),
                          MakeUintegerChecker<uint32_t>(1, 65507));
    return tid;
}

RanFrameSource::RanFrameSource() = default;
RanFrameSource::~RanFrameSource() = default;

void
RanFrameSource::DoDispose()
{
    m_socket = nullptr;
    SourceApplication::DoDispose();
}

void
RanFrameSource::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind();
    m_socket->Connect(m_peer);
    m_socket->ShutdownRecv();
    PlanFrame();
}

void
RanFrameSource::StopApplication()
{
    m_next.Cancel();
    if (m_socket)
    {
        m_socket->Close();
    }
}

void
RanFrameSource::PlanFrame()
{
    Simulator::Schedule(Seconds(m_jitter->GetValue()), &RanFrameSource::SendFrame, this);
    m_next =
        Simulator::Schedule(Seconds(m_interval->GetValue()), &RanFrameSource::PlanFrame, this);
}

void
RanFrameSource::SendFrame()
{
    auto left = static_cast<uint32_t>(std::max(1.0, std::round(m_frameBytes->GetValue())));
    while (left > 0)
    {
        const uint32_t bytes = std::min(left, m_packetBytes);
        m_socket->Send(Create<Packet>(bytes));
        left -= bytes;
    }
}

} // namespace ns3
