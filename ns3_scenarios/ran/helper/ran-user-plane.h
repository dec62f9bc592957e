/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_USER_PLANE_H
#define RAN_USER_PLANE_H

#include "../model/ran-network.h"
#include "../model/ran-packet-tag.h"
#include "../model/ran-transport.h"

#include "ns3/event-id.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/virtual-net-device.h"

#include <deque>
#include <map>
#include <tuple>
#include <vector>

namespace ns3
{

/**
 * \ingroup ran
 *
 * The way of IP packets between users and the far ends of their flows: through a device at each end,
 * the bearers of the radio, and the transport network if there is one. Users and anchors (the core
 * and the edge sites, whose local breakout is that of TS 23.501 5.6.4) share one IP network; an
 * anchor's device sends downlink packets to the site that serves the user, a site sends uplink
 * packets to the anchor that they are addressed to.
 *
 * After a handover, what comes to a former site is forwarded, from site to site if need be. Packets
 * enter the bearer in the order in which they came to the first of them, and what comes on a new path
 * waits for the End Marker of the former one (TS 23.502 4.9.1.2).
 *
 * It counts every packet once as sent, and once as delivered or dropped.
 */
class RanUserPlane : public Object
{
  public:
    static TypeId GetTypeId();

    RanUserPlane();
    ~RanUserPlane() override;

    /**
     * \param node an anchor, with an internet stack
     * \return its address; the first anchor is the core
     */
    Ipv4Address AddAnchor(Ptr<Node> node);

    /**
     * \param ue a user
     * \param node its node, with an internet stack
     * \return its address
     */
    Ipv4Address AddUe(Ptr<RanUe> ue, Ptr<Node> node);

    /**
     * Carry a flow.
     * \param ue a user that was added
     * \param qos its flow, with its bearers
     * \param port which one end of each of its packets has
     * \param timed whether its packets are to say how long they were on the radio
     */
    void AddFlow(Ptr<RanUe> ue, RanQosFlow& qos, uint16_t port, bool timed);

    /**
     * Put a transport network between sites and anchors, before anything runs.
     * \param transport the network
     * \param sites its node of each site
     * \param anchors its node of each anchor
     */
    void SetTransport(Ptr<RanTransport> transport,
                      const std::vector<uint32_t>& sites,
                      const std::vector<uint32_t>& anchors);

    /**
     * Lay a path between a site and an anchor.
     * \param tunnelClass for which flows
     * \param nodes of the transport network, from the site's to the anchor's
     */
    void SetPath(uint32_t tunnelClass, const std::vector<uint32_t>& nodes);

    /**
     * A user is served by another cell than before.
     * \param ue the user
     */
    void ServingChanged(RanUe& ue);

  protected:
    void DoDispose() override;

  private:
    /// An end of the user plane
    struct Anchor
    {
        Ipv4Address address;         ///< of the device
        Ptr<VirtualNetDevice> device; ///< where packets come out
    };

    /// A packet that has come to a site, and has not entered the bearer
    struct Underway
    {
        uint64_t uid;       ///< of the packet
        Ptr<Packet> packet; ///< null while it is forwarded, else it waits for others that are
    };

    /// A flow as the user plane sees it
    struct Tunnel
    {
        uint16_t port{0};             ///< that one end of its packets has
        bool timed{false};            ///< its packets say how long they were on the radio
        int anchor{-1};               ///< where its last downlink packet came from
        bool awaitsMarker{false};     ///< packets are still to come on the former path
        std::vector<Ptr<Packet>> held; ///< packets that came on the new path before them
        std::deque<Underway> underway; ///< in order; the first is being forwarded
        EventId release;              ///< when the wait for the End Marker is given up
    };

    /// A user as the user plane sees it
    struct Subscriber
    {
        Ptr<RanUe> ue;               ///< the user
        Ptr<VirtualNetDevice> device; ///< where packets come out
        std::vector<Tunnel> tunnels; ///< by flow
        uint32_t site{0};            ///< where anchors send its packets
        EventId pathSwitch;          ///< when they send them elsewhere
    };

    /**
     * \param node the node
     * \param address its address
     * \param send what the device does with a packet
     * \return a device on the network of users and anchors
     */
    Ptr<VirtualNetDevice> MakeDevice(Ptr<Node> node,
                                     Ipv4Address address,
                                     VirtualNetDevice::SendCallback send);

    /// An anchor sends \param anchor its index \param packet the packet \return whether it is carried
    bool SendFromAnchor(uint32_t anchor, Ptr<Packet> packet);

    /// A user sends \param ue its index \param packet the packet \return whether it is carried
    bool SendFromUe(uint32_t ue, Ptr<Packet> packet);

    /// Packets come out of a downlink bearer \param ue the user \param packets the packets
    void ArriveAtUe(uint32_t ue, const RanBearer::Packets& packets);

    /// Packets come out of an uplink bearer \param ue the user \param packets the packets
    void LeaveSite(uint32_t ue, const RanBearer::Packets& packets);

    /**
     * A downlink packet or End Marker comes out of a tunnel at a site.
     * \param site where \param teid which tunnel \param packet the packet
     * \param marker whether it is an End Marker
     */
    void ArriveAtSite(uint32_t site, uint32_t teid, Ptr<Packet> packet, bool marker);

    /// A packet comes to an anchor \param anchor where \param packet the packet
    void ArriveAtAnchor(uint32_t anchor, Ptr<Packet> packet);

    /**
     * A downlink packet comes to a first site, behind those that have come before.
     * \param ue the user \param flow index \param site where \param packet it
     */
    void Admit(uint32_t ue, uint32_t flow, uint32_t site, Ptr<Packet> packet);

    /**
     * Send what has come to a former site on to the one that serves the user now.
     * \param ue the user \param flow index \param site where
     * \param packet a packet, or null for an End Marker
     */
    void Forward(uint32_t ue, uint32_t flow, uint32_t site, Ptr<Packet> packet);

    /**
     * A packet is not forwarded any more: what waited for it can go on.
     * \param ue the user \param flow index \param uid of the packet
     * \param packet the packet, or null if it is lost
     */
    void EndForwarding(uint32_t ue, uint32_t flow, uint64_t uid, Ptr<Packet> packet);

    /// A downlink packet comes to its bearer \param ue the user \param flow index \param packet it
    void EnterBearer(uint32_t ue, uint32_t flow, Ptr<Packet> packet);

    /// Anchors send to the site that serves the user now \param ue the user
    void SwitchPath(uint32_t ue);

    /// All packets of the former path have come \param ue the user \param flow index
    void Release(uint32_t ue, uint32_t flow);

    /// \param site index \return a forwarding path of a class from it to another site is laid
    void EnsureForwarding(uint32_t tunnelClass, uint32_t site, uint32_t target);

    /// The transport network drops a packet \param packet the packet
    void DropInTransport(Ptr<const Packet> packet);

    /// A bearer drops a packet \param qos whose \param direction which way \param packet the packet
    static void DropAtBearer(RanQosFlow* qos, RanDirection direction, Ptr<const Packet> packet);

    /**
     * \param subscriber a user \param source source port \param destination destination port
     * \return its flow that has one of the ports, or null
     */
    static RanQosFlow* Classify(const Subscriber& subscriber,
                                uint16_t source,
                                uint16_t destination);

    /**
     * Count a packet as sent, and mark it.
     * \param ue the user \param qos its flow \param direction which way \param packet the packet
     */
    static void Mark(const RanUe& ue, RanQosFlow& qos, RanDirection direction, Ptr<Packet> packet);

    /**
     * Count a packet as arrived.
     * \param packet the packet
     */
    void CountArrival(Ptr<const Packet> packet);

    Time m_pathSwitchDelay;                ///< from service by a new site to packets sent there
    Time m_markerTimeout;                  ///< wait for the End Marker of a former path
    Ptr<RanTransport> m_transport;         ///< between sites and anchors, or null
    std::vector<uint32_t> m_siteNodes;     ///< nodes of the transport network
    std::vector<uint32_t> m_anchorNodes;   ///< nodes of the transport network
    /// Paths from sites to the core by class and site, and between sites by class and both
    std::map<std::tuple<uint32_t, uint32_t, uint32_t>, std::vector<uint32_t>> m_paths;
    std::vector<Anchor> m_anchors;         ///< the core, then edge sites
    std::vector<Subscriber> m_subscribers; ///< by index of the user
};

} // namespace ns3

#endif /* RAN_USER_PLANE_H */
