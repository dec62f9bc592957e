/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_STREAM_SOURCE_H
#define RAN_STREAM_SOURCE_H

#include "ran-source.h"

#include "ns3/event-id.h"
#include "ns3/sequence-number.h"

namespace ns3
{

class Socket;

/**
 * \ingroup ran
 *
 * A TCP transfer without end: it writes as much as the socket takes, or, with a rate factor below 1,
 * that share of its full rate.
 */
class RanStreamSource : public RanSource
{
  public:
    static TypeId GetTypeId();

    RanStreamSource();
    ~RanStreamSource() override;

    void SetRateFactor(double factor) override;

  private:
    void StartApplication() override;
    void StopApplication() override;
    void DoDispose() override;

    /// \param socket that has room \param available bytes
    void HasRoom(Ptr<Socket> socket, uint32_t available);

    /**
     * \return whether another chunk is welcome: a socket with much to send would go on for long
     *         after the rate is bounded
     */
    bool TakesMore() const;

    /// \param before what had been sent \param now what has been sent for the first time up to here
    void HasSent(SequenceNumber32 before, SequenceNumber32 now);

    /// Write what the socket takes and the rate allows
    void Write();

    double m_fullRate;      ///< bit/s
    double m_factor{1};     ///< rate factor
    bool m_connected{false}; ///< whether the transfer has begun
    SequenceNumber32 m_sent{0}; ///< sent for the first time up to here
    Ptr<Socket> m_socket;   ///< TCP socket
    EventId m_next;         ///< next write, when the rate is bounded
};

} // namespace ns3

#endif /* RAN_STREAM_SOURCE_H */
