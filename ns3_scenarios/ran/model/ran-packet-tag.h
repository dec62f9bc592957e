/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_PACKET_TAG_H
#define RAN_PACKET_TAG_H

#include "ns3/nstime.h"
#include "ns3/tag.h"

namespace ns3
{

/**
 * \ingroup ran
 *
 * Says of an IP packet on its way between a user and its far end which flow it belongs to, when it
 * was sent, and how much of its delay so far was radio.
 */
class RanPacketTag : public Tag
{
  public:
    static TypeId GetTypeId();

    TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(TagBuffer buffer) const override;
    void Deserialize(TagBuffer buffer) override;
    void Print(std::ostream& os) const override;

    /**
     * \return time since the packet was sent
     */
    Time Age() const;

    uint32_t ue{0};        ///< index of the user
    uint16_t flow{0};      ///< index of the flow among the user's
    uint8_t direction{0};  ///< RanDirection
    uint32_t bytes{0};     ///< size of the IP packet
    int64_t sentNs{0};     ///< when it was sent
    int64_t radioNs{0};    ///< delay on the radio bearer, once it has passed it
};

} // namespace ns3

#endif /* RAN_PACKET_TAG_H */
