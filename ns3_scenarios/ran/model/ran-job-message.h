/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_JOB_MESSAGE_H
#define RAN_JOB_MESSAGE_H

#include "ns3/header.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"

#include <vector>

namespace ns3
{

/**
 * \ingroup ran
 *
 * Stands in every datagram of a request or response about a job.
 */
class RanJobHeader : public Header
{
  public:
    /// Its size, bytes
    static constexpr uint32_t BYTES = 4 * 4 + 2 + 6 * 8;

    static TypeId GetTypeId();

    TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(Buffer::Iterator start) const override;
    uint32_t Deserialize(Buffer::Iterator start) override;
    void Print(std::ostream& os) const override;

    uint32_t job{0};           ///< counts the jobs of a source
    uint32_t index{0};         ///< which datagram of the message
    uint32_t count{1};         ///< datagrams of the message
    uint32_t responseBytes{0}; ///< size of the response
    uint16_t application{0};   ///< index of the application
    double workGflop{0};       ///< work of the job
    int64_t sentNs{0};         ///< when the message was sent
    int64_t radioNs{0};        ///< in a response, radio delay of the request
    int64_t transportNs{0};    ///< in a response, its delay elsewhere on the way
    int64_t queueNs{0};        ///< in a response, time in the queue of the site
    int64_t computeNs{0};      ///< in a response, time on a server of the site
};

/**
 * \ingroup ran
 *
 * Says when all datagrams of a message are there.
 */
class RanJobAssembly
{
  public:
    /**
     * \param header of a datagram that arrived
     * \return whether it was the last one missing
     */
    bool Add(const RanJobHeader& header);

  private:
    std::vector<bool> m_arrived; ///< by datagram
    uint32_t m_count{0};         ///< datagrams that arrived
};

/**
 * Cut a message about a job into datagrams, all of them full but the last, which holds at least
 * its header.
 * \param header of the message; the place of each datagram is filled in, and the time
 * \param bytes size of the message, headers included
 * \param packetBytes largest UDP payload
 * \return the datagrams
 */
std::vector<Ptr<Packet>> RanJobDatagrams(RanJobHeader header, uint32_t bytes, uint32_t packetBytes);

/**
 * \param packet an IP payload that arrived
 * \return how long it was on the radio, ns; zero if it was on none
 */
int64_t RanRadioNs(Ptr<const Packet> packet);

} // namespace ns3

#endif /* RAN_JOB_MESSAGE_H */
