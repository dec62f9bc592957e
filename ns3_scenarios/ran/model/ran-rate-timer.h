/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_RATE_TIMER_H
#define RAN_RATE_TIMER_H

#include "ns3/callback.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"

namespace ns3
{

/**
 * \ingroup ran
 *
 * Expires when an amount is used up, at a rate that may change on the way and may be zero.
 */
class RanRateTimer
{
  public:
    /**
     * \param expired called when the amount is used up
     */
    explicit RanRateTimer(Callback<void> expired);
    ~RanRateTimer();

    RanRateTimer(const RanRateTimer&) = delete;
    RanRateTimer& operator=(const RanRateTimer&) = delete;

    /**
     * Start anew.
     * \param amount what is to be used up
     */
    void Start(double amount);

    /**
     * What is left is used up at another rate from now on.
     * \param rate amount per second; zero pauses
     */
    void SetRate(double rate);

    /// Do not expire, until started again
    void Cancel();

    /**
     * \return whether it was started and has not expired
     */
    bool IsRunning() const
    {
        return m_running;
    }

  private:
    /// Schedule the expiry
    void Plan();

    /// The amount is used up
    void Expire();

    Callback<void> m_expired; ///< called when the amount is used up
    bool m_running{false};    ///< started and not expired
    double m_left{0};         ///< amount left at the last change
    double m_rate{1};         ///< amount per second
    Time m_since;             ///< last change
    EventId m_event;          ///< expiry
};

} // namespace ns3

#endif /* RAN_RATE_TIMER_H */
