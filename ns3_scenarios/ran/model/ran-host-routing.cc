/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-host-routing.h"

#include "ns3/ipv4-route.h"
#include "ns3/ipv4.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanHostRouting);

TypeId
RanHostRouting::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanHostRouting")
                            .SetParent<Ipv4StaticRouting>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanHostRouting>();
    return tid;
}

void
RanHostRouting::SetHostRoute(Ipv4Address destination, Ptr<Ipv4Route> route)
{
    m_hosts[destination.Get()] = route;
}

Ptr<Ipv4Route>
RanHostRouting::FindHostRoute(Ipv4Address destination) const
{
    const auto found = m_hosts.find(destination.Get());
    return found == m_hosts.end() ? nullptr : found->second;
}

Ptr<Ipv4Route>
RanHostRouting::RouteOutput(Ptr<Packet> packet,
                            const Ipv4Header& header,
                            Ptr<NetDevice> device,
                            Socket::SocketErrno& error)
{
    if (const auto route = FindHostRoute(header.GetDestination()))
    {
        error = Socket::ERROR_NOTERROR;
        return route;
    }
    return Ipv4StaticRouting::RouteOutput(packet, header, device, error);
}

bool
RanHostRouting::RouteInput(Ptr<const Packet> packet,
                           const Ipv4Header& header,
                           Ptr<const NetDevice> device,
                           const UnicastForwardCallback& forward,
                           const MulticastForwardCallback& multicast,
                           const LocalDeliverCallback& deliver,
                           const ErrorCallback& error)
{
    const auto found = m_hosts.find(header.GetDestination().Get());
    if (found == m_hosts.end())
    {
        return Ipv4StaticRouting::RouteInput(packet,
                                             header,
                                             device,
                                             forward,
                                             multicast,
                                             deliver,
                                             error);
    }
    if (found->second)
    {
        forward(found->second, packet, header);
    }
    else
    {
        deliver(packet, header, m_hostIpv4->GetInterfaceForDevice(device));
    }
    return true;
}

void
RanHostRouting::SetIpv4(Ptr<Ipv4> ipv4)
{
    m_hostIpv4 = ipv4;
    Ipv4StaticRouting::SetIpv4(ipv4);
}

void
RanHostRouting::DoDispose()
{
    m_hosts.clear();
    m_hostIpv4 = nullptr;
    Ipv4StaticRouting::DoDispose();
}

} // namespace ns3
