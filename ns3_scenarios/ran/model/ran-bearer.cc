/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-bearer.h"

#include "ns3/boolean.h"
#include "ns3/codel-queue-disc.h"
#include "ns3/log.h"
#include "ns3/queue-item.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("RanBearer");
NS_OBJECT_ENSURE_REGISTERED(RanBearer);

namespace
{

/// How often a bounded full-buffer bearer gets something to send, s
constexpr double FULL_BUFFER_REFILL_S = 5e-3;

/// A packet as ns-3's queue disciplines take it
class RanQueueItem : public QueueDiscItem
{
  public:
    explicit RanQueueItem(Ptr<Packet> packet)
        : QueueDiscItem(packet, Address(), 0)
    {
    }

    void AddHeader() override
    {
    }

    bool Mark() override
    {
        return false;
    }
};

} // namespace

TypeId
RanBearer::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanBearer")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanBearer>()
            .AddAttribute("MaxQueueBytes",
                          "Bound of the transmission queue in bytes not yet transmitted.",
                          UintegerValue(300000),
                          MakeUintegerAccessor(&RanBearer::m_maxBytes),
                          MakeUintegerChecker<uint64_t>(1))
            .AddAttribute("UseCodel",
                          "Keep the queue short with CoDel (RFC 8289, ns-3's CoDelQueueDisc).",
                          BooleanValue(false),
                          MakeBooleanAccessor(&RanBearer::m_useCodel),
                          MakeBooleanChecker())
            .AddTraceSource("Enqueue",
                            "A packet arrived at the queue.",
                            MakeTraceSourceAccessor(&RanBearer::m_enqueueTrace),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("Drop",
                            "A packet was dropped by the queue or given up by HARQ.",
                            MakeTraceSourceAccessor(&RanBearer::m_dropTrace),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("Deliver",
                            "A packet was delivered, with its delay.",
                            MakeTraceSourceAccessor(&RanBearer::m_deliverTrace),
                            "ns3::RanBearer::DeliverTracedCallback");
    return tid;
}

RanBearer::RanBearer() = default;
RanBearer::~RanBearer() = default;

void
RanBearer::DoInitialize()
{
    if (m_useCodel)
    {
        m_codel = CreateObjectWithAttributes<CoDelQueueDisc>(
            "MaxSize",
            StringValue(std::to_string(m_maxBytes) + "B"));
        m_codel->TraceConnectWithoutContext(
            "Drop",
            MakeCallback(&RanBearer::CodelDrop, this));
        m_codel->Initialize();
    }
    Object::DoInitialize();
}

void
RanBearer::DoDispose()
{
    m_receiver.Nullify();
    m_activation.Nullify();
    m_refill.Cancel();
    m_sdus.clear();
    m_codel = nullptr;
    Object::DoDispose();
}

void
RanBearer::SetReceiver(Callback<void, const Packets&> callback)
{
    m_receiver = callback;
}

void
RanBearer::SetActivation(Callback<void> callback)
{
    m_activation = callback;
}

void
RanBearer::SetFullBuffer()
{
    m_fullBuffer = true;
}

void
RanBearer::SetFullBufferRate(double bps)
{
    m_fullRate = bps;
    m_fullBytes = 0;
    m_refill.Cancel();
    if (bps > 0)
    {
        Refill();
    }
    else if (bps < 0 && !m_activation.IsNull())
    {
        m_activation();
    }
}

void
RanBearer::Refill()
{
    const bool wasEmpty = m_fullBytes < 1;
    // What is not sent in time is not missed: the queue is bounded.
    m_fullBytes = std::min(m_fullBytes + m_fullRate / 8 * FULL_BUFFER_REFILL_S,
                           static_cast<double>(m_maxBytes));
    if (wasEmpty && m_fullBytes >= 1 && !m_activation.IsNull())
    {
        m_activation();
    }
    m_refill = Simulator::Schedule(Seconds(FULL_BUFFER_REFILL_S), &RanBearer::Refill, this);
}

void
RanBearer::Enqueue(Ptr<Packet> packet)
{
    const uint32_t bytes = packet->GetSize();
    const bool wasEmpty = BacklogBytes() == 0;
    m_counters.offeredBits += 8ULL * bytes;
    m_enqueueTrace(packet);
    if (m_codel)
    {
        auto item = Create<RanQueueItem>(packet);
        item->SetTimeStamp(Simulator::Now());
        m_codel->Enqueue(item);
    }
    else if (m_unsentBytes + bytes > m_maxBytes)
    {
        CountDrop(bytes, packet);
        return;
    }
    else
    {
        m_sdus.push_back(Sdu{.packet = packet, .bytes = bytes, .since = Simulator::Now()});
        m_unsentBytes += bytes;
    }
    if (wasEmpty && BacklogBytes() > 0 && !m_activation.IsNull())
    {
        m_activation();
    }
}

uint64_t
RanBearer::BacklogBytes() const
{
    if (m_fullBuffer)
    {
        return m_fullRate < 0 ? UINT32_MAX : static_cast<uint64_t>(m_fullBytes);
    }
    constexpr uint32_t header = MAC_HEADER_BYTES + RLC_HEADER_BYTES + PDCP_HEADER_BYTES;
    uint64_t bytes = m_unsentBytes;
    uint64_t packets = m_baseSn + m_sdus.size() - m_sendSn;
    if (m_codel)
    {
        bytes += m_codel->GetNBytes();
        packets += m_codel->GetNPackets();
    }
    return bytes + packets * header;
}

Time
RanBearer::HeadDelay() const
{
    const uint64_t index = m_sendSn - m_baseSn;
    return index < m_sdus.size() ? Simulator::Now() - m_sdus[index].since : Time(0);
}

void
RanBearer::SkipDone()
{
    for (uint64_t i = m_sendSn - m_baseSn;
         i < m_sdus.size() && (m_sdus[i].lost || m_sdus[i].sent == m_sdus[i].bytes);
         ++i)
    {
        ++m_sendSn;
    }
}

void
RanBearer::Reestablish()
{
    ++m_epoch;
    m_fullBytes += m_fullRate < 0 ? 0 : m_inAirBits / 8.0;
    m_againBits += m_inAirBits;
    m_inAirBits = 0;
    m_unsentBytes = 0;
    m_sendSn = m_baseSn;
    for (Sdu& sdu : m_sdus)
    {
        if (!sdu.lost && sdu.arrived < sdu.bytes)
        {
            sdu.sent = 0;
            sdu.arrived = 0;
            m_unsentBytes += sdu.bytes;
        }
    }
    SkipDone();
}

bool
RanBearer::Advance()
{
    if (m_sendSn - m_baseSn < m_sdus.size())
    {
        return true;
    }
    if (m_codel)
    {
        if (Ptr<QueueDiscItem> item = m_codel->Dequeue())
        {
            const uint32_t bytes = item->GetSize();
            m_sdus.push_back(
                Sdu{.packet = item->GetPacket(), .bytes = bytes, .since = item->GetTimeStamp()});
            m_unsentBytes += bytes;
            return true;
        }
    }
    return false;
}

RanPdu
RanBearer::Transmit(uint32_t tbBytes)
{
    RanPdu pdu;
    pdu.epoch = m_epoch;
    if (m_fullBuffer)
    {
        constexpr uint32_t header = MAC_HEADER_BYTES + RLC_HEADER_BYTES + PDCP_HEADER_BYTES;
        const uint32_t sdus = 1 + tbBytes / (FULL_BUFFER_SDU_BYTES + header);
        const uint32_t headers = sdus * header;
        pdu.payloadBytes = tbBytes > headers ? tbBytes - headers : 0;
        if (m_fullRate >= 0)
        {
            pdu.payloadBytes = std::min(pdu.payloadBytes, static_cast<uint32_t>(m_fullBytes));
            m_fullBytes -= pdu.payloadBytes;
        }
        const uint64_t again = std::min<uint64_t>(m_againBits, 8ULL * pdu.payloadBytes);
        m_againBits -= again;
        m_counters.offeredBits += 8ULL * pdu.payloadBytes - again;
        m_inAirBits += 8ULL * pdu.payloadBytes;
        return pdu;
    }
    uint32_t room = tbBytes;
    while (Advance() && (pdu.payloadBytes == 0 || m_sendSn == pdu.lastSn + 1))
    {
        Sdu& sdu = m_sdus[m_sendSn - m_baseSn];
        const uint32_t left = sdu.bytes - sdu.sent;
        const uint32_t header =
            MAC_HEADER_BYTES +
            (sdu.sent ? RLC_SEGMENT_HEADER_BYTES : RLC_HEADER_BYTES + PDCP_HEADER_BYTES);
        if (room <= header)
        {
            break;
        }
        const uint32_t take = std::min(left, room - header);
        if (pdu.payloadBytes == 0)
        {
            pdu.firstSn = m_sendSn;
            pdu.firstBytes = take;
        }
        else
        {
            pdu.lastBytes = take;
        }
        pdu.lastSn = m_sendSn;
        pdu.payloadBytes += take;
        room -= take + header;
        sdu.sent += take;
        m_unsentBytes -= take;
        if (sdu.sent < sdu.bytes)
        {
            break;
        }
        SkipDone();
    }
    return pdu;
}

template <typename F>
void
RanBearer::ForEachSdu(const RanPdu& pdu, F function)
{
    // SDUs before the base are lost ones, of which a later segment was still in the air.
    for (uint64_t sn = std::max(pdu.firstSn, m_baseSn); sn <= pdu.lastSn; ++sn)
    {
        Sdu& sdu = m_sdus[sn - m_baseSn];
        function(sdu,
                 sn == pdu.firstSn  ? pdu.firstBytes
                 : sn == pdu.lastSn ? pdu.lastBytes
                                    : sdu.bytes);
    }
}

void
RanBearer::Deliver(const RanPdu& pdu)
{
    if (pdu.payloadBytes == 0 || pdu.epoch != m_epoch)
    {
        return;
    }
    if (m_fullBuffer)
    {
        m_counters.deliveredBits += 8ULL * pdu.payloadBytes;
        m_inAirBits -= 8ULL * pdu.payloadBytes;
        return;
    }
    ForEachSdu(pdu, [](Sdu& sdu, uint32_t bytes) { sdu.arrived += bytes; });
    Release();
}

void
RanBearer::Lose(const RanPdu& pdu)
{
    if (pdu.payloadBytes == 0 || pdu.epoch != m_epoch)
    {
        return;
    }
    if (m_fullBuffer)
    {
        m_counters.droppedBits += 8ULL * pdu.payloadBytes;
        m_inAirBits -= 8ULL * pdu.payloadBytes;
        return;
    }
    ForEachSdu(pdu, [this](Sdu& sdu, uint32_t) {
        if (!sdu.lost)
        {
            sdu.lost = true;
            CountDrop(sdu.bytes, sdu.packet);
        }
    });
    // The rest of an SDU whose segment is lost would be sent in vain.
    const uint64_t index = m_sendSn - m_baseSn;
    if (index < m_sdus.size() && m_sdus[index].lost)
    {
        m_unsentBytes -= m_sdus[index].bytes - m_sdus[index].sent;
        m_sdus[index].sent = m_sdus[index].bytes;
        SkipDone();
    }
    Release();
}

void
RanBearer::Release()
{
    Packets packets;
    while (!m_sdus.empty() && (m_sdus.front().lost || m_sdus.front().arrived == m_sdus.front().bytes))
    {
        const Sdu done = std::move(m_sdus.front());
        m_sdus.pop_front();
        ++m_baseSn;
        if (done.lost)
        {
            continue;
        }
        const Time delay = Simulator::Now() - done.since;
        const double delayMs = delay.GetSeconds() * 1e3;
        m_counters.deliveredBits += 8ULL * done.bytes;
        m_counters.delaysMs.push_back(static_cast<float>(delayMs));
        if (m_lastDelayMs >= 0)
        {
            m_counters.jitterSumMs += std::abs(delayMs - m_lastDelayMs);
            ++m_counters.jitterCount;
        }
        m_lastDelayMs = delayMs;
        m_deliverTrace(done.packet, delay);
        packets.push_back(done.packet);
    }
    if (!packets.empty() && !m_receiver.IsNull())
    {
        m_receiver(packets);
    }
}

void
RanBearer::CountDrop(uint32_t bytes, Ptr<const Packet> packet)
{
    m_counters.droppedBits += 8ULL * bytes;
    m_dropTrace(packet);
}

void
RanBearer::CodelDrop(Ptr<const QueueDiscItem> item)
{
    CountDrop(item->GetSize(), item->GetPacket());
}

uint64_t
RanBearer::QueuedBits() const
{
    uint64_t bytes = 0;
    for (const Sdu& sdu : m_sdus)
    {
        bytes += sdu.lost ? 0 : sdu.bytes;
    }
    if (m_codel)
    {
        bytes += m_codel->GetNBytes();
    }
    return 8 * bytes + m_inAirBits + m_againBits;
}

RanBearerCounters
RanBearer::TakeCounters()
{
    RanBearerCounters taken = std::move(m_counters);
    m_counters = RanBearerCounters();
    return taken;
}

} // namespace ns3
