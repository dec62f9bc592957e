/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_GTP_HEADER_H
#define RAN_GTP_HEADER_H

#include "ns3/header.h"

namespace ns3
{

/**
 * \ingroup ran
 *
 * The GTP-U header of TS 29.281 5.1. A G-PDU has the PDU session container of TS 38.415 5.5.2 with
 * it, in its shortest form, which names the QoS flow; an End Marker has no extension header.
 */
class RanGtpHeader : public Header
{
  public:
    /// Message types of TS 29.281 Table 6.1-1
    enum MessageType : uint8_t
    {
        END_MARKER = 254,
        G_PDU = 255,
    };

    /// Port of GTP-U, TS 29.281 4.4.2
    static constexpr uint16_t PORT = 2152;
    /// Size without extension header, bytes
    static constexpr uint32_t PLAIN_BYTES = 8;
    /// Size of a G-PDU's header, bytes
    static constexpr uint32_t G_PDU_BYTES = 16;

    static TypeId GetTypeId();

    TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(Buffer::Iterator start) const override;
    uint32_t Deserialize(Buffer::Iterator start) override;
    void Print(std::ostream& os) const override;

    MessageType messageType{G_PDU}; ///< what the message is
    uint32_t teid{0};               ///< tunnel endpoint identifier at the receiver
    uint8_t qfi{0};                 ///< QoS flow identifier, 6 bits
    uint8_t pduType{0};             ///< 0 downlink, 1 uplink (TS 38.415 5.5.3.1)
    uint16_t payloadBytes{0};       ///< size of what is carried
};

} // namespace ns3

#endif /* RAN_GTP_HEADER_H */
