/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-job-source.h"

#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/string.h"
#include "ns3/udp-socket-factory.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanJobSource);

TypeId
RanJobSource::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanJobSource")
            .SetParent<RanSource>()
            .SetGroupName("Ran")
            .AddConstructor<RanJobSource>()
            .AddAttribute("Interval",
                          "Time between jobs at the nominal rate, s.",
                          StringValue("ns3::ConstantRandomVariable[Constant=0.1]"),
                          MakePointerAccessor(&RanJobSource::m_interval),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("Work",
                          "Work of a job, Gflop.",
                          StringValue("ns3::ConstantRandomVariable[Constant=10]"),
                          MakePointerAccessor(&RanJobSource::m_work),
                          MakePointerChecker<RandomVariableStream>())
            .AddAttribute("Application",
                          "Index of the application.",
                          UintegerValue(0),
                          MakeUintegerAccessor(&RanJobSource::m_application),
                          MakeUintegerChecker<uint16_t>())
            .AddAttribute("RequestBytes",
                          "Size of a request, headers of the application included.",
                          UintegerValue(50000),
                          MakeUintegerAccessor(&RanJobSource::m_requestBytes),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("ResponseBytes",
                          "Size of a response, headers of the application included.",
                          UintegerValue(1000),
                          MakeUintegerAccessor(&RanJobSource::m_responseBytes),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("PacketBytes",
                          "Largest UDP payload of a request, bytes.",
                          UintegerValue(1400),
                          MakeUintegerAccessor(&RanJobSource::m_packetBytes),
                          MakeUintegerChecker<uint32_t>(RanJobHeader::BYTES, 65507))
            .AddAttribute("Fraction",
                          "Share of the jobs that are offloaded.",
                          DoubleValue(1),
                          MakeDoubleAccessor(&RanJobSource::m_fraction),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("LocalGflops",
                          "Speed of the device, Gflop/s.",
                          DoubleValue(100),
                          MakeDoubleAccessor(&RanJobSource::m_localGflops),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("Deadline",
                          "Delay within which a job is in time.",
                          TimeValue(MilliSeconds(100)),
                          MakeTimeAccessor(&RanJobSource::m_deadline),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("Timeout",
                          "Delay from which on a job is lost.",
                          TimeValue(Seconds(5)),
                          MakeTimeAccessor(&RanJobSource::m_timeout),
                          MakeTimeChecker(Time(1)));
    return tid;
}

RanJobSource::RanJobSource()
    : m_place(CreateObject<UniformRandomVariable>()),
      m_next(MakeCallback(&RanJobSource::Make, this))
{
}

RanJobSource::~RanJobSource() = default;

int64_t
RanJobSource::AssignStreams(int64_t stream)
{
    m_interval->SetStream(stream);
    m_work->SetStream(stream + 1);
    m_place->SetStream(stream + 2);
    return 3;
}

void
RanJobSource::DoDispose()
{
    m_next.Cancel();
    m_expiry.Cancel();
    m_pending.clear();
    m_socket = nullptr;
    RanSource::DoDispose();
}

void
RanJobSource::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind();
    m_socket->SetRecvCallback(MakeCallback(&RanJobSource::Receive, this));
    m_next.Start(m_interval->GetValue());
}

void
RanJobSource::StopApplication()
{
    m_next.Cancel();
}

void
RanJobSource::SetTarget(Ipv4Address address, uint16_t port)
{
    SetRemote(InetSocketAddress(address, port));
}

void
RanJobSource::SetFraction(double fraction)
{
    m_fraction = fraction;
}

void
RanJobSource::SetRateFactor(double factor)
{
    m_next.SetRate(factor);
}

RanJobCounters
RanJobSource::TakeCounters()
{
    return std::exchange(m_counters, RanJobCounters());
}

void
RanJobSource::Make()
{
    m_next.Start(m_interval->GetValue());
    const double workGflop = m_work->GetValue();
    const bool offload = m_place->GetValue() < m_fraction;
    const uint32_t job = m_made++;
    m_pending[job] = {.made = Simulator::Now(), .offloaded = offload, .response = {}};
    ++m_counters.made;
    PlanExpiry();
    if (offload)
    {
        ++m_counters.offloaded;
        Offload(job, workGflop);
    }
    else
    {
        ComputeHere(job, workGflop);
    }
}

void
RanJobSource::Offload(uint32_t job, double workGflop)
{
    RanJobHeader header;
    header.job = job;
    header.application = m_application;
    header.workGflop = workGflop;
    header.responseBytes = m_responseBytes;
    for (const auto& datagram : RanJobDatagrams(header, m_requestBytes, m_packetBytes))
    {
        m_socket->SendTo(datagram, 0, m_peer);
    }
}

void
RanJobSource::ComputeHere(uint32_t job, double workGflop)
{
    const Time now = Simulator::Now();
    const Time start = std::max(now, m_deviceFree);
    const double computeNs = std::round(workGflop / m_localGflops * 1e9);
    if (!(computeNs < static_cast<double>((now + m_timeout - start).GetNanoSeconds())))
    {
        return; // too late, or never on a device without speed
    }
    const Time compute = NanoSeconds(static_cast<int64_t>(computeNs));
    m_deviceFree = start + compute;
    Simulator::Schedule(m_deviceFree - now,
                        &RanJobSource::Finish,
                        this,
                        job,
                        Parts{.radioNs = 0,
                              .transportNs = 0,
                              .queueNs = (start - now).GetNanoSeconds(),
                              .computeNs = compute.GetNanoSeconds()});
}

void
RanJobSource::Receive(Ptr<Socket> socket)
{
    while (Ptr<Packet> packet = socket->Recv())
    {
        RanJobHeader header;
        packet->RemoveHeader(header);
        const auto pending = m_pending.find(header.job);
        if (pending == m_pending.end() || !pending->second.response.Add(header))
        {
            continue;
        }
        const int64_t delayNs = Simulator::Now().GetNanoSeconds() - header.sentNs;
        const int64_t radioNs = RanRadioNs(packet);
        Finish(header.job,
               {.radioNs = header.radioNs + radioNs,
                .transportNs = header.transportNs + delayNs - radioNs,
                .queueNs = header.queueNs,
                .computeNs = header.computeNs});
    }
}

void
RanJobSource::Finish(uint32_t job, const Parts& parts)
{
    const auto pending = m_pending.find(job);
    const Time total = Simulator::Now() - pending->second.made;
    if (total >= m_timeout)
    {
        return;
    }
    ++(pending->second.offloaded ? m_counters.finishedRemote : m_counters.finishedLocal);
    m_pending.erase(pending);
    m_counters.withinDeadline += total <= m_deadline;
    m_counters.radioNs += parts.radioNs;
    m_counters.transportNs += parts.transportNs;
    m_counters.queueNs += parts.queueNs;
    m_counters.computeNs += parts.computeNs;
    m_counters.totalNs += total.GetNanoSeconds();
    m_counters.delaysMs.push_back(total.GetSeconds() * 1e3);
}

void
RanJobSource::PlanExpiry()
{
    if (!m_expiry.IsPending() && !m_pending.empty())
    {
        const Time expiry = m_pending.begin()->second.made + m_timeout;
        m_expiry = Simulator::Schedule(expiry - Simulator::Now(), &RanJobSource::Expire, this);
    }
}

void
RanJobSource::Expire()
{
    while (!m_pending.empty() &&
           m_pending.begin()->second.made + m_timeout <= Simulator::Now())
    {
        m_pending.erase(m_pending.begin());
        ++m_counters.lost;
    }
    PlanExpiry();
}

} // namespace ns3
