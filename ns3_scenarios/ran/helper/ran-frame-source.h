/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_FRAME_SOURCE_H
#define RAN_FRAME_SOURCE_H

#include "ran-source.h"

#include "ns3/random-variable-stream.h"

namespace ns3
{

class Socket;

/**
 * \ingroup ran
 *
 * Sends frames of random size at random times over UDP, cut into datagrams: video frames of
 * extended reality (TR 38.838 5.1), a constant bit rate, sporadic machine-type reports, or the small
 * periodic packets of a control loop, depending on its random variables; all the time, or by turns
 * on and off.
 */
class RanFrameSource : public RanSource
{
  public:
    static TypeId GetTypeId();

    RanFrameSource();
    ~RanFrameSource() override;

    void SetRateFactor(double factor) override;

    int64_t AssignStreams(int64_t stream) override;

  private:
    void StartApplication() override;
    void StopApplication() override;
    void DoDispose() override;

    /// Begin a time of sending
    void TurnOn();

    /// Begin a time of silence
    void TurnOff();

    /// Plan the next frame
    void PlanFrame();

    /// \return by how much the time between frames is shortened
    double Pace() const;

    /// Send one frame
    void SendFrame();

    Ptr<RandomVariableStream> m_interval;   ///< between nominal frame times, s
    Ptr<RandomVariableStream> m_jitter;     ///< from nominal to actual time, s, not negative
    Ptr<RandomVariableStream> m_frameBytes; ///< frame size, bytes
    Ptr<RandomVariableStream> m_onTime;     ///< times of sending, s
    Ptr<RandomVariableStream> m_offTime;    ///< times of silence, s; null for none
    bool m_scaleSize;                       ///< the rate factor changes sizes, not intervals
    double m_factor{1};                     ///< rate factor
    Time m_left;                            ///< between frames, while silent
    EventId m_turn;                         ///< end of the present time
    uint32_t m_packetBytes;                 ///< largest UDP payload, bytes
    Ptr<Socket> m_socket;                   ///< UDP socket
    EventId m_next;                         ///< next nominal frame time
};

} // namespace ns3

#endif /* RAN_FRAME_SOURCE_H */
