/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_EDGE_SITE_H
#define RAN_EDGE_SITE_H

#include "ran-rate-timer.h"

#include "ns3/object.h"

#include <deque>
#include <list>
#include <vector>

namespace ns3
{

class ExponentialRandomVariable;

/// What the jobs of one application, or the background, did at a site since the last call
struct RanSiteLoad
{
    uint64_t arrived{0};    ///< jobs submitted
    uint64_t completed{0};  ///< jobs computed
    uint64_t dropped{0};    ///< jobs that found the queue full
    uint32_t waiting{0};    ///< jobs in the queue now
    uint32_t inService{0};  ///< jobs on a server now
    double utilisation{0};  ///< share of the servers' time that they took
    int64_t waitNs{0};      ///< time in the queue, over the completed jobs
    int64_t serviceNs{0};   ///< time on a server, over the completed jobs
};

/// What happened at a site since the last call
struct RanSiteCounters
{
    std::vector<RanSiteLoad> applications; ///< by index
    RanSiteLoad background;                ///< background jobs
    double meanWaiting{0};                 ///< time average of the jobs in the queue
};

/**
 * \ingroup ran
 *
 * A site with computing servers of equal speed and one bounded queue, served first in, first out.
 *
 * Background jobs are real jobs from a Poisson stream with exponentially distributed work. When
 * servers are taken away, the jobs that started last go back to the head of the queue, from where
 * they continue.
 */
class RanEdgeSite : public Object
{
  public:
    /// Called with the time that a job spent in the queue and on a server
    using Done = Callback<void, Time, Time>;

    static TypeId GetTypeId();

    RanEdgeSite();
    ~RanEdgeSite() override;

    /**
     * Take a job, unless the queue is full.
     * \param application index of its application
     * \param workGflop its work
     * \param done called when it is computed; not at all for a dropped job
     */
    void Submit(uint32_t application, double workGflop, Done done);

    /**
     * Change the capacity. Jobs go on with the work that they have left.
     * \param servers number of servers; none stops the site
     * \param gflops speed of each, Gflop/s
     */
    void SetCapacity(uint32_t servers, double gflops);

    /**
     * Load the site with jobs of its own.
     * \param share offered background work over capacity; above one overloads
     */
    void SetBackgroundLoad(double share);

    /**
     * \return what happened since the last call
     */
    RanSiteCounters TakeCounters();

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

  private:
    /// A load with what is needed to update it
    struct Load : RanSiteLoad
    {
        int64_t busyNs{0}; ///< server time taken since the last call
    };

    /// A job in the system
    struct Job
    {
        /// \param site where it is \param load where it counts \param done called at its end
        Job(RanEdgeSite* site, Load& load, Done done);

        Load& load;         ///< where it counts
        Done done;          ///< called when it is computed
        Time arrived;       ///< when it was submitted
        Time started;       ///< when it last got a server
        Time served;        ///< time on servers before that
        RanRateTimer timer; ///< counts down its work; has the rate of its server, or zero
    };

    void DoDispose() override;

    /// \param load where the job counts \param workGflop its work \param done called at its end
    void Arrive(Load& load, double workGflop, Done done);

    /// Give idle servers to the head of the queue
    void Dispatch();

    /// \param job on a server, and computed
    void Finish(const Job& job);

    /// A background job arrives
    void ArriveBackground();

    /// Plan the next background job
    void PlanBackground();

    /// \return background jobs per second
    double BackgroundRate() const;

    /// Bring the time integrals up to now
    void Integrate();

    /// \param load what happened \return the report, with which it starts anew
    RanSiteLoad Take(Load& load) const;

    uint32_t m_servers;        ///< number of servers
    double m_gflops;           ///< speed of each, Gflop/s
    uint32_t m_maxQueueJobs;   ///< bound of the queue
    double m_backgroundGflop;  ///< mean work of a background job
    double m_share{0};         ///< offered background work over capacity
    RanRateTimer m_background; ///< next background job, in mean intervals
    Ptr<ExponentialRandomVariable> m_unit; ///< intervals and work of background jobs over means

    std::list<Job> m_waiting;              ///< the queue
    std::list<Job> m_serving;              ///< on servers, in the order of their start
    std::deque<Load> m_applications;       ///< by index; jobs refer to them
    Load m_backgroundLoad;                 ///< background jobs
    Time m_integrated;                     ///< time of the integrals
    int64_t m_spanNs{0};                   ///< time since the last call
    int64_t m_capacityNs{0};               ///< server time since the last call
    int64_t m_waitingNs{0};                ///< time in the queue of all jobs since the last call
};

} // namespace ns3

#endif /* RAN_EDGE_SITE_H */
