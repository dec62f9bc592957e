/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-frame-source.h"

#include "ns3/boolean.h"
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
            .SetParent<RanSource>()
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
            .AddAttribute("OnTime",
                          "Duration of a time of sending, s.",
                          StringValue("ns3::ConstantRandomVariable[Constant=1]"),
                          MakePointerAccessor(&RanFrameSource::m_onTime),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("OffTime",
                          "Duration of a time of silence, s; none without it.",
                          PointerValue(),
                          MakePointerAccessor(&RanFrameSource::m_offTime),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("ScaleSize",
                          "A rate factor changes the size of frames, not the time between them.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&RanFrameSource::m_scaleSize),
                          MakeBooleanChecker())
            .AddAttribute("PacketBytes",
                          "Largest UDP payload, bytes.",
                          UintegerValue(1400),
                          MakeUintegerAccessor(&RanFrameSource::m_packetBytes),
                          MakeUintegerChecker<uint32_t>(1, 65507));
    return tid;
}

RanFrameSource::RanFrameSource() = default;
RanFrameSource::~RanFrameSource() = default;

int64_t
RanFrameSource::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (const auto& variable : {m_interval, m_jitter, m_frameBytes, m_onTime, m_offTime})
    {
        if (variable)
        {
            variable->SetStream(stream++);
        }
    }
    return stream - first;
}

void
RanFrameSource::DoDispose()
{
    m_turn.Cancel();
    m_next.Cancel();
    m_socket = nullptr;
    RanSource::DoDispose();
}

void
RanFrameSource::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind();
    m_socket->Connect(m_peer);
    m_socket->ShutdownRecv();
    TurnOn();
}

void
RanFrameSource::StopApplication()
{
    m_turn.Cancel();
    m_next.Cancel();
    if (m_socket)
    {
        m_socket->Close();
    }
}

void
RanFrameSource::TurnOn()
{
    if (m_offTime)
    {
        m_turn = Simulator::Schedule(Seconds(m_onTime->GetValue()), &RanFrameSource::TurnOff, this);
    }
    m_next = Simulator::Schedule(m_left, &RanFrameSource::PlanFrame, this);
}

void
RanFrameSource::TurnOff()
{
    // The time between frames goes on in the next time of sending, else short ones would have more.
    m_left = Simulator::GetDelayLeft(m_next);
    m_next.Cancel();
    m_turn = Simulator::Schedule(Seconds(m_offTime->GetValue()), &RanFrameSource::TurnOn, this);
}

void
RanFrameSource::SetRateFactor(double factor)
{
    const double before = Pace();
    m_factor = factor;
    const bool pending = m_next.IsPending();
    const Time left = pending ? Simulator::GetDelayLeft(m_next) : m_left;
    m_left = Seconds(left.GetSeconds() * before / Pace());
    if (pending)
    {
        m_next.Cancel();
        m_next = Simulator::Schedule(m_left, &RanFrameSource::PlanFrame, this);
    }
}

double
RanFrameSource::Pace() const
{
    return m_scaleSize || m_factor <= 0 ? 1 : m_factor;
}

void
RanFrameSource::PlanFrame()
{
    // A source that is stopped goes on to count, so that sources do not begin again all at once.
    if (m_factor > 0)
    {
        Simulator::Schedule(Seconds(m_jitter->GetValue()), &RanFrameSource::SendFrame, this);
    }
    const double gap = m_interval->GetValue() / Pace();
    m_next = Simulator::Schedule(Seconds(gap), &RanFrameSource::PlanFrame, this);
}

void
RanFrameSource::SendFrame()
{
    const double bytes = m_frameBytes->GetValue() * (m_scaleSize ? m_factor : 1);
    auto left = static_cast<uint32_t>(std::max(1.0, std::round(bytes)));
    while (left > 0)
    {
        const uint32_t payload = std::min(left, m_packetBytes);
        m_socket->Send(Create<Packet>(payload));
        left -= payload;
    }
}

} // namespace ns3
