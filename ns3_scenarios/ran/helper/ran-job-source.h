/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_JOB_SOURCE_H
#define RAN_JOB_SOURCE_H

#include "../model/ran-job-message.h"
#include "../model/ran-rate-timer.h"
#include "ran-source.h"

#include "ns3/ipv4-address.h"
#include "ns3/random-variable-stream.h"

#include <map>
#include <vector>

namespace ns3
{

class Socket;

/// What became of the jobs of a source since the last call
struct RanJobCounters
{
    uint64_t made{0};             ///< jobs made
    uint64_t offloaded{0};        ///< of them, sent to the edge
    uint64_t finishedLocal{0};    ///< jobs computed on the device
    uint64_t finishedRemote{0};   ///< jobs whose response came back
    uint64_t lost{0};             ///< jobs not finished in time
    uint64_t withinDeadline{0};   ///< jobs finished within the deadline
    int64_t radioNs{0};           ///< on radio bearers, over the finished jobs
    int64_t transportNs{0};       ///< elsewhere on the way, over the finished jobs
    int64_t queueNs{0};           ///< waiting for a processor, over the finished jobs
    int64_t computeNs{0};         ///< on a processor, over the finished jobs
    int64_t totalNs{0};           ///< from making to finish, over the finished jobs
    std::vector<double> delaysMs; ///< from making to finish, of each finished job
};

/**
 * \ingroup ran
 *
 * Makes jobs and has them computed on the device or, over UDP, by a RanJobServer at an edge site.
 *
 * The device has one processor, first come, first served, that leaves out what it could not finish
 * within the timeout. A job that is not finished by then is lost: a datagram of it was dropped, the
 * site had no place for it, or it would come too late. Each job draws its interval, work and place
 * from streams of their own whatever the settings are, so that runs with other settings have the
 * same jobs.
 */
class RanJobSource : public RanSource
{
  public:
    static TypeId GetTypeId();

    RanJobSource();
    ~RanJobSource() override;

    /**
     * Send the next jobs elsewhere. Those on the way return from where they went.
     * \param address of the edge host
     * \param port of its RanJobServer
     */
    void SetTarget(Ipv4Address address, uint16_t port);

    /**
     * \param fraction share of the next jobs that are offloaded
     */
    void SetFraction(double fraction);

    /**
     * Make jobs faster or slower. What is left of the present interval is stretched as well.
     * \param factor over the nominal rate; zero pauses
     */
    void SetRateFactor(double factor) override;

    /**
     * \return jobs that are neither finished nor lost
     */
    size_t GetInProgress() const
    {
        return m_pending.size();
    }

    /**
     * \return what became of the jobs since the last call
     */
    RanJobCounters TakeCounters();

    int64_t AssignStreams(int64_t stream) override;

  private:
    /// A job that is neither finished nor lost
    struct Pending
    {
        Time made;               ///< when it was made
        bool offloaded{false};   ///< whether it went to the edge
        RanJobAssembly response; ///< its response, if it was offloaded
    };

    /// Where the time of a job went, ns
    struct Parts
    {
        int64_t radioNs;     ///< on radio bearers
        int64_t transportNs; ///< elsewhere on the way
        int64_t queueNs;     ///< waiting for a processor
        int64_t computeNs;   ///< on a processor
    };

    void StartApplication() override;
    void StopApplication() override;
    void DoDispose() override;

    /// Make a job
    void Make();

    /// \param job its number \param workGflop its work
    void Offload(uint32_t job, double workGflop);

    /// \param job its number \param workGflop its work
    void ComputeHere(uint32_t job, double workGflop);

    /// \param socket that has datagrams of responses
    void Receive(Ptr<Socket> socket);

    /// \param job its number \param parts where its time went
    void Finish(uint32_t job, const Parts& parts);

    /// Wait for the timeout of the oldest job
    void PlanExpiry();

    /// Give up what has timed out
    void Expire();

    Ptr<RandomVariableStream> m_interval;     ///< between jobs, s
    Ptr<RandomVariableStream> m_work;         ///< of a job, Gflop
    Ptr<UniformRandomVariable> m_place;       ///< below the fraction, a job is offloaded
    uint16_t m_application;                   ///< index of the application
    uint32_t m_requestBytes;                  ///< size of a request
    uint32_t m_responseBytes;                 ///< size of a response
    uint32_t m_packetBytes;                   ///< largest UDP payload
    double m_fraction;                        ///< share of the jobs that are offloaded
    double m_localGflops;                     ///< speed of the device, Gflop/s
    Time m_deadline;                          ///< for finishing in time
    Time m_timeout;                           ///< after which a job is lost
    Ptr<Socket> m_socket;                     ///< UDP socket
    RanRateTimer m_next;                      ///< next job, in nominal seconds
    uint32_t m_made{0};                       ///< number of the next job
    Time m_deviceFree;                        ///< when the device has computed what it has
    std::map<uint32_t, Pending> m_pending;    ///< by number, so the oldest first
    EventId m_expiry;                         ///< timeout of the oldest or an older one
    RanJobCounters m_counters;                ///< since the last call
};

} // namespace ns3

#endif /* RAN_JOB_SOURCE_H */
