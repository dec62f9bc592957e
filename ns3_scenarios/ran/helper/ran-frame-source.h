/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_FRAME_SOURCE_H
#define RAN_FRAME_SOURCE_H

#include "ns3/random-variable-stream.h"
#include "ns3/source-application.h"

namespace ns3
{

class Socket;

/**
 * \ingroup ran
 *
 * Sends frames of random size at random times over UDP, cut into datagrams: video frames of
 * extended reality (TR 38.838 5.1), sporadic machine-type reports, or the small periodic packets
 * of a control loop, depending on its random variables.
 */
class RanFrameSource : public SourceApplication
{
  public:
    static TypeId GetTypeId();

    RanFrameSource();
    ~RanFrameSource() override;

  private:
    void StartApplication() override;
    void StopApplication() override;
    void DoDispose() override;

    /// Plan the next frame
    void PlanFrame();

    /// Send one frame
    void SendFrame();

    Ptr<RandomVariableStream> m_interval;   ///< between nominal frame times, s
    Ptr<RandomVariableStream> m_jitter;     ///< from nominal to actual time, s, not negative
    Ptr<RandomVariableStream> m_frameBytes; ///< frame size, bytes
    uint32_t m_packetBytes;                 ///< largest UDP payload, bytes
    Ptr<Socket> m_socket;                   ///< UDP socket
    EventId m_next;                         ///< next nominal frame time
};

} // namespace ns3

#endif /* RAN_FRAME_SOURCE_H */
