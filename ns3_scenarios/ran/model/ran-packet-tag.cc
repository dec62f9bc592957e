/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-packet-tag.h"

#include "ns3/simulator.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanPacketTag);

TypeId
RanPacketTag::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanPacketTag")
                            .SetParent<Tag>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanPacketTag>();
    return tid;
}

TypeId
RanPacketTag::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t
RanPacketTag::GetSerializedSize() const
{
    return 4 + 2 + 1 + 4 + 8 + 8;
}

void
RanPacketTag::Serialize(TagBuffer buffer) const
{
    buffer.WriteU32(ue);
    buffer.WriteU16(flow);
    buffer.WriteU8(direction);
    buffer.WriteU32(bytes);
    buffer.WriteU64(static_cast<uint64_t>(sentNs));
    buffer.WriteU64(static_cast<uint64_t>(radioNs));
}

void
RanPacketTag::Deserialize(TagBuffer buffer)
{
    ue = buffer.ReadU32();
    flow = buffer.ReadU16();
    direction = buffer.ReadU8();
    bytes = buffer.ReadU32();
    sentNs = static_cast<int64_t>(buffer.ReadU64());
    radioNs = static_cast<int64_t>(buffer.ReadU64());
}

void
RanPacketTag::Print(std::ostream& os) const
{
    os << "ue=" << ue << " flow=" << flow << " direction=" << +direction;
}

Time
RanPacketTag::Age() const
{
    return Simulator::Now() - NanoSeconds(sentNs);
}

} // namespace ns3
