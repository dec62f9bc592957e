/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-gtp-header.h"

namespace ns3
{

namespace
{

/// Version 1, protocol type GTP
constexpr uint8_t FLAGS = 0x30;
/// An extension header follows
constexpr uint8_t EXTENSION_FLAG = 0x04;
/// Type of the PDU session container, TS 29.281 5.2.1
constexpr uint8_t PDU_SESSION_CONTAINER = 0x85;
/// Bits of the QoS flow identifier
constexpr uint8_t QFI_MASK = 0x3f;

} // namespace

NS_OBJECT_ENSURE_REGISTERED(RanGtpHeader);

TypeId
RanGtpHeader::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanGtpHeader")
                            .SetParent<Header>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanGtpHeader>();
    return tid;
}

TypeId
RanGtpHeader::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t
RanGtpHeader::GetSerializedSize() const
{
    return messageType == G_PDU ? G_PDU_BYTES : PLAIN_BYTES;
}

void
RanGtpHeader::Serialize(Buffer::Iterator i) const
{
    const bool extended = messageType == G_PDU;
    i.WriteU8(extended ? FLAGS | EXTENSION_FLAG : FLAGS);
    i.WriteU8(messageType);
    // Everything after the first eight bytes counts as length.
    i.WriteHtonU16(static_cast<uint16_t>(payloadBytes + GetSerializedSize() - PLAIN_BYTES));
    i.WriteHtonU32(teid);
    if (extended)
    {
        i.WriteHtonU16(0); // sequence number, not used
        i.WriteU8(0);      // N-PDU number, not used
        i.WriteU8(PDU_SESSION_CONTAINER);
        i.WriteU8(1); // length in units of four bytes
        i.WriteU8(static_cast<uint8_t>(pduType << 4));
        i.WriteU8(qfi & QFI_MASK);
        i.WriteU8(0); // no further extension header
    }
}

uint32_t
RanGtpHeader::Deserialize(Buffer::Iterator i)
{
    const bool extended = i.ReadU8() & EXTENSION_FLAG;
    messageType = static_cast<MessageType>(i.ReadU8());
    const uint16_t length = i.ReadNtohU16();
    teid = i.ReadNtohU32();
    if (extended)
    {
        i.Next(5);
        pduType = i.ReadU8() >> 4;
        qfi = i.ReadU8() & QFI_MASK;
        i.Next(1);
    }
    const uint32_t size = extended ? G_PDU_BYTES : PLAIN_BYTES;
    payloadBytes = static_cast<uint16_t>(length + PLAIN_BYTES - size);
    return size;
}

void
RanGtpHeader::Print(std::ostream& os) const
{
    os << "type=" << +messageType << " teid=" << teid << " qfi=" << +qfi;
}

} // namespace ns3
