/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-edge-site.h"

#include "ns3/double.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <iterator>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanEdgeSite);

TypeId
RanEdgeSite::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanEdgeSite")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanEdgeSite>()
            .AddAttribute("Servers",
                          "Number of servers at the start.",
                          UintegerValue(1),
                          MakeUintegerAccessor(&RanEdgeSite::m_servers),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("Gflops",
                          "Speed of each server at the start, Gflop/s.",
                          DoubleValue(1000),
                          MakeDoubleAccessor(&RanEdgeSite::m_gflops),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("MaxQueueJobs",
                          "Bound of the queue in jobs that have no server.",
                          UintegerValue(1000),
                          MakeUintegerAccessor(&RanEdgeSite::m_maxQueueJobs),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("BackgroundGflop",
                          "Mean work of a background job, Gflop.",
                          DoubleValue(10),
                          MakeDoubleAccessor(&RanEdgeSite::m_backgroundGflop),
                          MakeDoubleChecker<double>(1e-6));
    return tid;
}

RanEdgeSite::RanEdgeSite()
    : m_background(MakeCallback(&RanEdgeSite::ArriveBackground, this)),
      m_unit(CreateObject<ExponentialRandomVariable>()),
      m_integrated(Simulator::Now())
{
}

RanEdgeSite::~RanEdgeSite() = default;

int64_t
RanEdgeSite::AssignStreams(int64_t stream)
{
    m_unit->SetStream(stream);
    return 1;
}

void
RanEdgeSite::DoDispose()
{
    m_background.Cancel();
    m_waiting.clear();
    m_serving.clear();
    Object::DoDispose();
}

RanEdgeSite::Job::Job(RanEdgeSite* site, Load& load, Done done)
    : load(load),
      done(done),
      arrived(Simulator::Now()),
      timer(Callback<void>([site, this] { site->Finish(*this); }))
{
}

void
RanEdgeSite::Submit(uint32_t application, double workGflop, Done done)
{
    while (m_applications.size() <= application)
    {
        m_applications.emplace_back();
    }
    Arrive(m_applications[application], workGflop, done);
}

void
RanEdgeSite::Arrive(Load& load, double workGflop, Done done)
{
    Integrate();
    ++load.arrived;
    if (m_serving.size() >= m_servers && m_waiting.size() >= m_maxQueueJobs)
    {
        ++load.dropped;
        return;
    }
    Job& job = m_waiting.emplace_back(this, load, done);
    ++load.waiting;
    job.timer.SetRate(0);
    job.timer.Start(workGflop);
    Dispatch();
}

void
RanEdgeSite::Dispatch()
{
    while (m_serving.size() < m_servers && !m_waiting.empty())
    {
        m_serving.splice(m_serving.end(), m_waiting, m_waiting.begin());
        Job& job = m_serving.back();
        --job.load.waiting;
        ++job.load.inService;
        job.started = Simulator::Now();
        job.timer.SetRate(m_gflops);
    }
}

void
RanEdgeSite::Finish(const Job& job)
{
    Integrate();
    Load& load = job.load;
    const Done done = job.done;
    const Time service = job.served + Simulator::Now() - job.started;
    const Time wait = Simulator::Now() - job.arrived - service;
    --load.inService;
    ++load.completed;
    load.waitNs += wait.GetNanoSeconds();
    load.serviceNs += service.GetNanoSeconds();
    m_serving.erase(std::find_if(m_serving.begin(), m_serving.end(), [&job](const Job& other) {
        return &other == &job;
    }));
    Dispatch();
    if (!done.IsNull())
    {
        done(wait, service);
    }
}

void
RanEdgeSite::SetCapacity(uint32_t servers, double gflops)
{
    Integrate();
    m_servers = servers;
    m_gflops = gflops;
    while (m_serving.size() > m_servers)
    {
        Job& job = m_serving.back();
        --job.load.inService;
        ++job.load.waiting;
        job.served += Simulator::Now() - job.started;
        job.timer.SetRate(0);
        m_waiting.splice(m_waiting.begin(), m_serving, std::prev(m_serving.end()));
    }
    for (Job& job : m_serving)
    {
        job.timer.SetRate(m_gflops);
    }
    Dispatch();
    m_background.SetRate(BackgroundRate());
}

void
RanEdgeSite::SetBackgroundLoad(double share)
{
    m_share = share;
    m_background.SetRate(BackgroundRate());
    if (m_share > 0 && !m_background.IsRunning())
    {
        PlanBackground();
    }
}

double
RanEdgeSite::BackgroundRate() const
{
    return m_share * m_servers * m_gflops / m_backgroundGflop;
}

void
RanEdgeSite::PlanBackground()
{
    m_background.Start(m_unit->GetValue());
}

void
RanEdgeSite::ArriveBackground()
{
    PlanBackground();
    Arrive(m_backgroundLoad, m_unit->GetValue() * m_backgroundGflop, Done());
}

void
RanEdgeSite::Integrate()
{
    const int64_t spanNs = (Simulator::Now() - m_integrated).GetNanoSeconds();
    m_integrated = Simulator::Now();
    m_spanNs += spanNs;
    m_capacityNs += spanNs * m_servers;
    m_waitingNs += spanNs * static_cast<int64_t>(m_waiting.size());
    m_backgroundLoad.busyNs += spanNs * m_backgroundLoad.inService;
    for (Load& load : m_applications)
    {
        load.busyNs += spanNs * load.inService;
    }
}

RanSiteLoad
RanEdgeSite::Take(Load& load) const
{
    RanSiteLoad report = load;
    report.utilisation = m_capacityNs ? static_cast<double>(load.busyNs) / m_capacityNs : 0;
    load = Load();
    load.waiting = report.waiting;
    load.inService = report.inService;
    return report;
}

RanSiteCounters
RanEdgeSite::TakeCounters()
{
    Integrate();
    RanSiteCounters counters;
    for (Load& load : m_applications)
    {
        counters.applications.push_back(Take(load));
    }
    counters.background = Take(m_backgroundLoad);
    counters.meanWaiting = m_spanNs ? static_cast<double>(m_waitingNs) / m_spanNs : 0;
    m_spanNs = 0;
    m_capacityNs = 0;
    m_waitingNs = 0;
    return counters;
}

} // namespace ns3
