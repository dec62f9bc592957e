/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_HOST_ROUTING_H
#define RAN_HOST_ROUTING_H

#include "ns3/ipv4-static-routing.h"

#include <unordered_map>

namespace ns3
{

/**
 * \ingroup ran
 *
 * Static routing whose host routes are looked up in a hash table before all others. A router
 * between many sites and the core has hundreds of them, and an interface with hundreds of addresses
 * would be searched for each packet, so addresses of this node are kept here too.
 */
class RanHostRouting : public Ipv4StaticRouting
{
  public:
    static TypeId GetTypeId();

    /**
     * Add or replace a host route.
     * \param destination the host
     * \param route with device and gateway; null when this node is the host
     */
    void SetHostRoute(Ipv4Address destination, Ptr<Ipv4Route> route);

    /**
     * \param destination a host
     * \return its route, null when there is none or this node is the host
     */
    Ptr<Ipv4Route> FindHostRoute(Ipv4Address destination) const;

    Ptr<Ipv4Route> RouteOutput(Ptr<Packet> packet,
                               const Ipv4Header& header,
                               Ptr<NetDevice> device,
                               Socket::SocketErrno& error) override;
    bool RouteInput(Ptr<const Packet> packet,
                    const Ipv4Header& header,
                    Ptr<const NetDevice> device,
                    const UnicastForwardCallback& forward,
                    const MulticastForwardCallback& multicast,
                    const LocalDeliverCallback& deliver,
                    const ErrorCallback& error) override;
    void SetIpv4(Ptr<Ipv4> ipv4) override;

  protected:
    void DoDispose() override;

  private:
    Ptr<Ipv4> m_hostIpv4;                                    ///< the node's
    std::unordered_map<uint32_t, Ptr<Ipv4Route>> m_hosts;    ///< by address
};

} // namespace ns3

#endif /* RAN_HOST_ROUTING_H */
