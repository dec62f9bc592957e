/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_TRANSPORT_H
#define RAN_TRANSPORT_H

#include "ran-host-routing.h"
#include "ran-transport-link.h"

#include "ns3/callback.h"
#include "ns3/ipv4-header.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/socket.h"
#include "ns3/udp-l4-protocol.h"

#include <unordered_map>
#include <vector>

namespace ns3
{

class RanGtpHeader;

/// Packets of the transport network since its start: sent = delivered + dropped + in transit
struct RanTransportTotals
{
    uint64_t sent{0};      ///< handed to \c Send or \c SendEndMarker
    uint64_t delivered{0}; ///< handed to a receiver
    uint64_t dropped{0};   ///< reported to the drop callback
};

/**
 * \ingroup ran
 *
 * The wired network between radio sites, routers, edge sites and the core: routers with static
 * routes, point-to-point links, and GTP-U tunnels over UDP between any two nodes.
 *
 * Packets belong to classes. A class has one path between any two nodes, the same in both
 * directions, independent of all other paths: each path has an address of its own at either end,
 * to which each node on it has a host route. Nodes that a path leaves when it is laid anew keep
 * their routes, so that what is on its way still arrives. There can be no loop: of the routes that
 * would form one, those laid last belong to one path, which has none.
 */
class RanTransport : public Object
{
  public:
    /// Told of a packet that has come out of a tunnel, an End Marker being empty
    using Receiver = Callback<void, uint32_t, Ptr<Packet>, bool>;

    static TypeId GetTypeId();

    RanTransport();
    ~RanTransport() override;

    /**
     * \param node a node without an internet stack, which then gets one, or whose IPv4 has static
     * routing
     * \return its index
     */
    uint32_t AddNode(Ptr<Node> node);

    /**
     * \param first index of the node on side 0
     * \param second index of the node on side 1
     * \param spec rate, delay, loss and queue
     * \return its index
     */
    uint32_t AddLink(uint32_t first, uint32_t second, const RanTransportLinkSpec& spec);

    /**
     * \return index of a new class, which has no paths yet
     */
    uint32_t AddClass();

    /**
     * Lay the path between two nodes, in both directions and instead of the former.
     * \param tunnelClass the class
     * \param nodes indices of the nodes from one end to the other, each linked to the next
     */
    void SetPath(uint32_t tunnelClass, const std::vector<uint32_t>& nodes);

    /**
     * \param node index of the node
     * \param receiver told of what comes out of tunnels there, in the context of the node
     */
    void SetReceiver(uint32_t node, Receiver receiver);

    /**
     * \param drop told once of each packet that is dropped anywhere, with the headers that it has
     * there
     */
    void SetDropCallback(RanTransportLink::DropCallback drop);

    /**
     * Send a packet through a tunnel. Without a path, or when it is too large, it is dropped. Between
     * a node and itself there is no tunnel; it is delivered at once.
     * \param from index of the sending node
     * \param to index of the receiving node
     * \param tunnelClass the class
     * \param teid tunnel endpoint identifier at the receiver
     * \param qfi QoS flow identifier
     * \param packet the packet, which is consumed
     */
    void Send(uint32_t from,
              uint32_t to,
              uint32_t tunnelClass,
              uint32_t teid,
              uint8_t qfi,
              Ptr<Packet> packet);

    /**
     * Send an End Marker: the last message of a tunnel that has moved elsewhere.
     * \param from index of the sending node
     * \param to index of the receiving node
     * \param tunnelClass the class
     * \param teid tunnel endpoint identifier at the receiver
     */
    void SendEndMarker(uint32_t from, uint32_t to, uint32_t tunnelClass, uint32_t teid);

    /**
     * \param link index of the link
     * \param queue its discipline from now on; packets that wait move into it
     */
    void SetQueue(uint32_t link, const RanQueueSpec& queue);

    /**
     * Fault of a link, in both directions; (true, 1, 0, 0) is none.
     * \param link index of the link
     * \param up whether anything arrives
     * \param rateFactor rate over that of the specification
     * \param extraDelay added to the propagation delay
     * \param lossProbability of packets that the specified loss spares
     */
    void SetLinkState(uint32_t link,
                      bool up,
                      double rateFactor,
                      Time extraDelay,
                      double lossProbability);

    /**
     * \param link index of the link
     * \param side direction, by the side that sends
     * \return what happened since the last call
     */
    RanTransportLinkCounters TakeCounters(uint32_t link, uint32_t side);

    /**
     * \return packets since the start
     */
    const RanTransportTotals& GetTotals() const
    {
        return m_totals;
    }

    /**
     * \return packets that links hold now
     */
    uint64_t CountHeld() const;

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    void DoDispose() override;

  private:
    /// A node of the network
    struct Router
    {
        Ptr<Node> node;                                     ///< the node
        Ptr<UdpL4Protocol> udp;                             ///< its UDP
        Ptr<RanHostRouting> routing;                        ///< its routes
        Ptr<Socket> socket;                                 ///< where GTP-U arrives
        Receiver receiver;                                  ///< told of what arrives
        std::unordered_map<uint32_t, Ptr<Ipv4Route>> hops;  ///< by index of the neighbour
    };

    /// A path of a class between two nodes
    struct Path
    {
        uint32_t tunnelClass; ///< its class
        uint32_t low;         ///< index of one end
        uint32_t high;        ///< index of the other end, which is greater
    };

    /**
     * \param path index of the path
     * \param high which end
     * \return its address there
     */
    static Ipv4Address PathAddress(uint32_t path, bool high);

    /**
     * \param path a path
     * \return what it is found by
     */
    static uint64_t Key(const Path& path);

    /// \param index of a node \return the node
    Router& GetRouter(uint32_t index);

    /// \param index of a link \return the link
    RanTransportLink& GetLink(uint32_t index);

    /**
     * Send a message.
     * \param from index of the sending node
     * \param to index of the receiving node
     * \param tunnelClass the class
     * \param header all but the size of the payload
     * \param packet the payload
     */
    void Transmit(uint32_t from,
                  uint32_t to,
                  uint32_t tunnelClass,
                  RanGtpHeader& header,
                  Ptr<Packet> packet);

    /// \param node index of the node \param socket that has received
    void Receive(uint32_t node, Ptr<Socket> socket);

    /**
     * Hand a packet to the receiver.
     * \param node index of the node
     * \param teid tunnel endpoint identifier
     * \param packet the packet
     * \param endMarker whether it is an End Marker
     */
    void Deliver(uint32_t node, uint32_t teid, Ptr<Packet> packet, bool endMarker);

    /// \param packet that goes no further; ignored unless it came through \c Send
    void Drop(Ptr<const Packet> packet);

    /// \param packet that IP drops, for the reason given
    void DropByIp(const Ipv4Header& header,
                  Ptr<const Packet> packet,
                  Ipv4L3Protocol::DropReason reason,
                  Ptr<Ipv4> ipv4,
                  uint32_t interface);

    std::vector<Router> m_routers;                      ///< by index
    std::vector<Ptr<RanTransportLink>> m_links;         ///< by index
    std::unordered_map<uint64_t, uint32_t> m_paths;     ///< indices of the paths by key
    uint32_t m_nClasses{0};                             ///< how many there are
    RanTransportTotals m_totals;                        ///< packets since the start
    RanTransportLink::DropCallback m_drop;              ///< told of dropped packets
};

} // namespace ns3

#endif /* RAN_TRANSPORT_H */
