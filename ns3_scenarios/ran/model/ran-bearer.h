/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_BEARER_H
#define RAN_BEARER_H

#include "ns3/callback.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/traced-callback.h"

#include <cstdint>
#include <deque>
#include <vector>

namespace ns3
{

class QueueDisc;
class QueueDiscItem;

/**
 * What a transport block carries of one bearer: SDUs from \c firstSn to \c lastSn without gap, of
 * which the first and the last may be segments. In full buffer only the byte count is used.
 */
struct RanPdu
{
    uint64_t firstSn{0};    ///< sequence number of the first SDU
    uint64_t lastSn{0};     ///< sequence number of the last SDU
    uint32_t firstBytes{0}; ///< bytes carried of the first SDU
    uint32_t lastBytes{0};  ///< bytes carried of the last SDU (when it is another one)
    uint32_t payloadBytes{0}; ///< SDU bytes carried in all
    uint32_t epoch{0};        ///< how often the bearer had been re-established
};

/**
 * Counters of one reporting interval.
 */
struct RanBearerCounters
{
    uint64_t offeredBits{0};       ///< arrived at the queue
    uint64_t deliveredBits{0};     ///< handed to the receiver
    uint64_t droppedBits{0};       ///< dropped by the queue or given up by HARQ
    std::vector<float> delaysMs;   ///< delay of each delivered packet
    double jitterSumMs{0};         ///< sum of absolute delay changes between packets
    uint64_t jitterCount{0};       ///< number of delay changes
};

/**
 * \ingroup ran
 *
 * A data radio bearer in one direction: the unacknowledged-mode RLC entity of TS 38.322 with its
 * bounded transmission queue, segmentation, reassembly, and delivery in sequence as PDCP does it
 * (TS 38.323 5.2.2.2). The transmitting and the receiving side are one object, since the
 * simulation knows at once what a lost block carried: an SDU is delivered once all its segments
 * and all SDUs before it have arrived or are known to be lost.
 *
 * Invariant: offered = delivered + dropped + queued bits at every moment; \c QueuedBits counts what
 * is really held, it is not computed from the others.
 */
class RanBearer : public Object
{
  public:
    static TypeId GetTypeId();

    RanBearer();
    ~RanBearer() override;

    /// MAC subheader (16-bit length) of TS 38.321 6.1.2, bytes
    static constexpr uint32_t MAC_HEADER_BYTES = 3;
    /// PDCP header with 18-bit sequence number, TS 38.323 6.2.2.3, bytes
    static constexpr uint32_t PDCP_HEADER_BYTES = 3;
    /// RLC UM header of a whole SDU, TS 38.322 6.2.2.3, bytes
    static constexpr uint32_t RLC_HEADER_BYTES = 1;
    /// RLC UM header of a later segment: 12-bit sequence number and offset, bytes
    static constexpr uint32_t RLC_SEGMENT_HEADER_BYTES = 4;
    /// IP packet for which the headers of full-buffer blocks are counted, bytes
    static constexpr uint32_t FULL_BUFFER_SDU_BYTES = 1500;

    /// Packets that come out together
    using Packets = std::vector<Ptr<Packet>>;

    /**
     * Where delivered packets go.
     * \param callback the receiver
     */
    void SetReceiver(Callback<void, const Packets&> callback);

    /**
     * What to call when the empty queue gets something to send.
     * \param callback the listener
     */
    void SetActivation(Callback<void> callback);

    /**
     * Make this a full-buffer bearer: always something to send, no packets.
     */
    void SetFullBuffer();

    /**
     * \return whether this is a full-buffer bearer
     */
    bool IsFullBuffer() const
    {
        return m_fullBuffer;
    }

    /**
     * Bound a full-buffer bearer, in flight too.
     * \param bps rate at which it gets something to send; negative for no bound
     */
    void SetFullBufferRate(double bps);

    /**
     * A packet arrives at the queue; it is dropped when it does not fit.
     * \param packet the IP packet
     */
    void Enqueue(Ptr<Packet> packet);

    /**
     * \return bytes still to send, with an estimate of their headers; large when full buffer
     */
    uint64_t BacklogBytes() const;

    /**
     * \return waiting time of the packet at the head of the queue
     */
    Time HeadDelay() const;

    /**
     * Fill a transport block.
     * \param tbBytes its size
     * \return what it carries; payloadBytes is 0 when nothing fits
     */
    RanPdu Transmit(uint32_t tbBytes);

    /**
     * A block has arrived.
     * \param pdu what it carried
     */
    void Deliver(const RanPdu& pdu);

    /**
     * A block has been given up.
     * \param pdu what it carried
     */
    void Lose(const RanPdu& pdu);

    /**
     * The user leaves its cell: what has not wholly arrived is sent again by the next one (PDCP
     * data recovery of TS 38.323 5.4.1 and data forwarding of TS 38.300 9.2.3.2.2), and what is in
     * the air is forgotten.
     */
    void Reestablish();

    /**
     * \return bits held: queued, in the air, or waiting for reassembly or order
     */
    uint64_t QueuedBits() const;

    /**
     * \return counters since the last call, which are reset
     */
    RanBearerCounters TakeCounters();

  protected:
    void DoInitialize() override;
    void DoDispose() override;

  private:
    /// An SDU between its arrival at the head of the queue and its delivery
    struct Sdu
    {
        Ptr<Packet> packet;   ///< the packet
        uint32_t bytes;       ///< its size
        uint32_t sent{0};     ///< bytes handed to transport blocks
        uint32_t arrived{0};  ///< bytes received
        bool lost{false};     ///< a segment was given up
        Time since;           ///< arrival time at the queue
    };

    /**
     * Apply a function to each SDU of a PDU.
     * \param pdu the PDU
     * \param function called with the SDU and the bytes carried of it
     */
    template <typename F>
    void ForEachSdu(const RanPdu& pdu, F function);

    /// Move the next SDU from the active queue management to the head, if there is one
    /// \return whether there is an SDU to send
    bool Advance();
    /// Go past SDUs that need not be sent any more
    void SkipDone();
    /// Give a bounded full-buffer bearer what has come in since the last time
    void Refill();
    /// Deliver from the front what is complete and in sequence
    void Release();
    /// \param bytes size of a packet that is lost \param packet the packet
    void CountDrop(uint32_t bytes, Ptr<const Packet> packet);

    /// \param item what CoDel drops
    void CodelDrop(Ptr<const QueueDiscItem> item);

    uint64_t m_maxBytes;      ///< bound of the queue
    bool m_useCodel;          ///< CoDel instead of drop-tail
    bool m_fullBuffer{false}; ///< no packets, always something to send

    std::deque<Sdu> m_sdus;   ///< from the oldest not delivered to the youngest in the queue
    uint64_t m_baseSn{0};     ///< sequence number of m_sdus.front()
    uint64_t m_sendSn{0};     ///< sequence number of the next to send
    uint64_t m_unsentBytes{0}; ///< bytes in m_sdus not yet handed to a block
    Ptr<QueueDisc> m_codel;   ///< the queue before m_sdus, with CoDel
    uint64_t m_inAirBits{0};  ///< in full buffer: transmitted and not yet decided
    uint64_t m_againBits{0};  ///< in full buffer: to be sent again after a change of cell
    double m_fullRate{-1};    ///< in full buffer: bound in bit/s, or negative
    double m_fullBytes{0};    ///< in full buffer with a bound: bytes to send
    EventId m_refill;         ///< next \c Refill
    uint32_t m_epoch{0};      ///< how often the bearer has been re-established

    Callback<void, const Packets&> m_receiver; ///< gets delivered packets
    Callback<void> m_activation;            ///< told when there is something to send

    RanBearerCounters m_counters; ///< of this interval
    double m_lastDelayMs{-1};     ///< delay of the packet before, for jitter

    TracedCallback<Ptr<const Packet>> m_enqueueTrace;       ///< packet arrived
    TracedCallback<Ptr<const Packet>> m_dropTrace;          ///< packet dropped or lost
    TracedCallback<Ptr<const Packet>, Time> m_deliverTrace; ///< packet delivered, with its delay
};

} // namespace ns3

#endif /* RAN_BEARER_H */
