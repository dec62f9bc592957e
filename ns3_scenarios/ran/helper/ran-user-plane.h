/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_USER_PLANE_H
#define RAN_USER_PLANE_H

#include "../model/ran-network.h"
#include "../model/ran-packet-tag.h"

#include "ns3/internet-stack-helper.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/virtual-net-device.h"

#include <map>
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
     */
    void AddFlow(Ptr<RanUe> ue, RanQosFlow& qos, uint16_t port);

  protected:
    void DoDispose() override;

  private:
    /// An end of the user plane
    struct Anchor
    {
        Ipv4Address address;         ///< of the device
        Ptr<VirtualNetDevice> device; ///< where packets come out
    };

    /// A user as the user plane sees it
    struct Subscriber
    {
        Ptr<RanUe> ue;               ///< the user
        Ptr<VirtualNetDevice> device; ///< where packets come out
        std::vector<uint16_t> ports; ///< by flow
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
    void ArriveAtSite(uint32_t ue, const RanBearer::Packets& packets);

    /// A packet has come through the transport network \param anchor where \param packet the packet
    void ArriveAtAnchor(uint32_t anchor, Ptr<Packet> packet);

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

    std::vector<Anchor> m_anchors;         ///< the core, then edge sites
    std::vector<Subscriber> m_subscribers; ///< by index of the user
};

} // namespace ns3

#endif /* RAN_USER_PLANE_H */
