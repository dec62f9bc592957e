/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-job-message.h"

#include "ran-packet-tag.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <bit>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanJobHeader);

TypeId
RanJobHeader::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanJobHeader")
                            .SetParent<Header>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanJobHeader>();
    return tid;
}

TypeId
RanJobHeader::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t
RanJobHeader::GetSerializedSize() const
{
    return BYTES;
}

void
RanJobHeader::Serialize(Buffer::Iterator start) const
{
    start.WriteHtonU32(job);
    start.WriteHtonU32(index);
    start.WriteHtonU32(count);
    start.WriteHtonU32(responseBytes);
    start.WriteHtonU16(application);
    start.WriteHtonU64(std::bit_cast<uint64_t>(workGflop));
    for (const int64_t ns : {sentNs, radioNs, transportNs, queueNs, computeNs})
    {
        start.WriteHtonU64(static_cast<uint64_t>(ns));
    }
}

uint32_t
RanJobHeader::Deserialize(Buffer::Iterator start)
{
    job = start.ReadNtohU32();
    index = start.ReadNtohU32();
    count = start.ReadNtohU32();
    responseBytes = start.ReadNtohU32();
    application = start.ReadNtohU16();
    workGflop = std::bit_cast<double>(start.ReadNtohU64());
    for (int64_t* ns : {&sentNs, &radioNs, &transportNs, &queueNs, &computeNs})
    {
        *ns = static_cast<int64_t>(start.ReadNtohU64());
    }
    return BYTES;
}

void
RanJobHeader::Print(std::ostream& os) const
{
    os << "job=" << job << " datagram=" << index << "/" << count;
}

bool
RanJobAssembly::Add(const RanJobHeader& header)
{
    m_arrived.resize(header.count);
    if (m_arrived[header.index])
    {
        return false;
    }
    m_arrived[header.index] = true;
    ++m_count;
    return m_count == header.count;
}

std::vector<Ptr<Packet>>
RanJobDatagrams(RanJobHeader header, uint32_t bytes, uint32_t packetBytes)
{
    header.sentNs = Simulator::Now().GetNanoSeconds();
    header.count = std::max(1U, bytes / packetBytes + (bytes % packetBytes > 0));
    std::vector<Ptr<Packet>> datagrams;
    for (header.index = 0; header.index < header.count; ++header.index)
    {
        const uint32_t size = std::min(bytes, packetBytes);
        bytes -= size;
        auto packet = Create<Packet>(std::max(size, RanJobHeader::BYTES) - RanJobHeader::BYTES);
        packet->AddHeader(header);
        datagrams.push_back(packet);
    }
    return datagrams;
}

int64_t
RanRadioNs(Ptr<const Packet> packet)
{
    RanPacketTag tag;
    return packet->PeekPacketTag(tag) ? tag.radioNs : 0;
}

} // namespace ns3
