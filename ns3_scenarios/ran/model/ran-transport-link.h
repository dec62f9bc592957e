/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_TRANSPORT_LINK_H
#define RAN_TRANSPORT_LINK_H

#include "ns3/callback.h"
#include "ns3/error-model.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"
#include "ns3/point-to-point-channel.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/queue-disc.h"
#include "ns3/tag.h"

#include <vector>

namespace ns3
{

/// How packets wait for a transport link
enum class RanDiscipline : uint8_t
{
    FIFO,
    RED,
    CODEL,
    FQ_CODEL,
    TOKEN_BUCKET,
};

/// The queue in front of a transport link
struct RanQueueSpec
{
    RanDiscipline discipline{RanDiscipline::FIFO}; ///< which packets wait and which are dropped
    uint32_t limitPackets{1000};                   ///< most packets that wait
    double rateShare{1}; ///< token bucket: rate of the tokens over that of the link
};

/// A transport link, the same in both directions
struct RanTransportLinkSpec
{
    double rateBps{1e9};       ///< rate
    Time delay;                ///< propagation one way
    double lossProbability{0}; ///< of a packet on the wire
    RanQueueSpec queue;        ///< in front of the link
};

/**
 * One direction of a transport link since the last report. Packets are counted with all headers of
 * the link: sent = delivered + dropped + lost + those still waiting or on the wire.
 */
struct RanTransportLinkCounters
{
    uint64_t sentPackets{0};      ///< handed to the link, dropped ones with them
    uint64_t sentBits{0};         ///< handed to the link, dropped ones with them
    uint64_t deliveredPackets{0}; ///< arrived at the other end
    uint64_t deliveredBits{0};    ///< arrived at the other end
    uint64_t droppedPackets{0};   ///< dropped by the queue
    uint64_t droppedBits{0};      ///< dropped by the queue
    uint64_t lostPackets{0};      ///< lost on the wire
    uint64_t lostBits{0};         ///< lost on the wire
    double meanDelayMs{0};        ///< waiting, transmission and propagation of the delivered
    double p95DelayMs{0};         ///< 95th percentile of that
    uint64_t queuePackets{0};     ///< waiting now
    uint64_t queueBytes{0};       ///< waiting now
    double meanQueuePackets{0};   ///< waiting on average over time
    double meanQueueBytes{0};     ///< waiting on average over time
    double utilisation{0};        ///< share of time in which something was transmitted
    RanDiscipline discipline{RanDiscipline::FIFO}; ///< now in force
};

/**
 * \ingroup ran
 *
 * Marks a packet of the transport network, and says when it came to the link it is at.
 */
class RanTransportTag : public Tag
{
  public:
    static TypeId GetTypeId();

    TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(TagBuffer buffer) const override;
    void Deserialize(TagBuffer buffer) override;
    void Print(std::ostream& os) const override;

    int64_t enteredNs{0}; ///< when the queue of the link took it
};

/**
 * \ingroup ran
 *
 * A point-to-point link of the transport network: two devices with a queue discipline each, and the
 * wire between them. The devices' own queues hold one packet and tell the discipline to wait, so
 * that it is the discipline that decides.
 *
 * A cut link still transmits, into nothing; what is on the wire when it is cut is lost too.
 */
class RanTransportLink : public PointToPointChannel
{
  public:
    /// Told of each packet that the link loses or its queue drops
    using DropCallback = Callback<void, Ptr<const Packet>>;

    /// Largest IP packet, bytes
    static constexpr uint16_t MTU_BYTES = 9000;

    static TypeId GetTypeId();

    RanTransportLink();
    ~RanTransportLink() override;

    /**
     * Make the devices.
     * \param spec rate, delay, loss and queue
     * \param first node on side 0, which has an internet stack
     * \param second node on side 1, which has an internet stack
     * \param drop told of packets that do not arrive
     */
    void Build(const RanTransportLinkSpec& spec,
               Ptr<Node> first,
               Ptr<Node> second,
               DropCallback drop);

    /**
     * Take another discipline in both directions. What waits moves into it in the order of arrival;
     * what it does not take is dropped.
     * \param queue the discipline
     */
    void SetQueue(const RanQueueSpec& queue);

    /**
     * \param up whether anything arrives
     * \param rateFactor rate over that of the specification
     * \param extraDelay added to the propagation delay of what is transmitted from now on
     * \param lossProbability of packets that the specified loss spares
     */
    void SetState(bool up, double rateFactor, Time extraDelay, double lossProbability);

    /**
     * \param side direction, by the side that sends
     * \return what happened since the last call
     */
    RanTransportLinkCounters TakeCounters(uint32_t side);

    /**
     * \param side direction, by the side that sends
     * \return packets held by the discipline, the device and the wire
     */
    uint64_t CountHeld(uint32_t side) const;

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

    bool TransmitStart(Ptr<const Packet> packet,
                       Ptr<PointToPointNetDevice> source,
                       Time duration) override;

  protected:
    void DoDispose() override;

  private:
    /// What one direction counts
    struct Direction
    {
        RanTransportLinkCounters counters; ///< counts since the last report
        std::vector<int64_t> delaysNs;     ///< of the delivered packets since then
        Time reported;                     ///< when the last report was
        Time changed;                      ///< when the number of waiting packets last changed
        double packetNs{0};                ///< waiting packets integrated over time until then
        double byteNs{0};                  ///< waiting bytes integrated over time until then
        Time busy;                         ///< transmission time begun since the last report
        Time busyUntil;                    ///< end of the last transmission
        uint64_t onWire{0};                ///< packets in transmission and propagation
        Ptr<QueueDisc> discipline;         ///< in front of the device
        Ptr<RateErrorModel> errors;        ///< of the wire
    };

    /**
     * Count a change of the queue.
     * \param direction whose
     * \param packets 1 or -1
     * \param bytes of that packet
     */
    static void Count(Direction& direction, int packets, uint32_t bytes);

    /// \param queue what to make \return the discipline
    Ptr<QueueDisc> MakeDiscipline(const RanQueueSpec& queue) const;

    /**
     * Put a discipline in front of a device, instead of the former if there is one.
     * \param side whose
     */
    void InstallDiscipline(uint32_t side);

    /// \param side which way \param item what the discipline has taken
    void Enqueued(uint32_t side, Ptr<const QueueDiscItem> item);

    /// \param side which way \param item what the discipline has refused
    void Refused(uint32_t side, Ptr<const QueueDiscItem> item, const char* reason);

    /// \param side which way \param item what the discipline had taken and has dropped
    void Discarded(uint32_t side, Ptr<const QueueDiscItem> item, const char* reason);

    /**
     * The last bit of a packet has come to the other end.
     * \param packet the packet
     * \param side that it comes from
     * \param epoch number of cuts before it was sent
     */
    void Arrive(Ptr<Packet> packet, uint32_t side, uint32_t epoch);

    /// \return the present rate, bit/s
    uint64_t RateBps() const;

    RanTransportLinkSpec m_spec;            ///< as it is without faults
    double m_rateFactor{1};                 ///< of the present state
    bool m_up{true};                        ///< whether anything arrives
    uint32_t m_cuts{0};                     ///< how often it was cut
    bool m_moving{false};                   ///< packets move between disciplines
    Direction m_directions[2];              ///< by the side that sends
    DropCallback m_drop;                    ///< told of packets that do not arrive
    std::vector<Ptr<QueueDisc>> m_replaced; ///< timers of token buckets may still point to them
};

} // namespace ns3

#endif /* RAN_TRANSPORT_LINK_H */
