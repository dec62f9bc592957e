/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-edge-lab.h"

#include "../model/ran-packet-tag.h"

#include "ns3/ipv4-interface-address.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/object-factory.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/pointer.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <cmath>
#include <sstream>
#include <utility>

namespace ns3
{

namespace
{

/// Network of the users and the gateway
constexpr uint32_t USERS = 7U << 24;
/// Host part of the gateway's address there
constexpr uint32_t GATEWAY_HOST = 1;
/// Host part of the first user's address there
constexpr uint32_t FIRST_USER_HOST = 2;
/// Network of the first site; the third byte counts the sites
constexpr uint32_t SITES = 10U << 24;
/// IPv4's protocol number on a link
constexpr uint16_t IPV4_PROTOCOL = 0x0800;
/// Port of the servers
constexpr uint16_t PORT = 10;

/// \param text type and attributes \return the object
template <typename T>
Ptr<T>
Make(const std::string& text)
{
    ObjectFactory factory;
    std::istringstream(text) >> factory;
    return factory.Create<T>();
}

/// \param object an object \param attributes to be set
void
SetAttributes(Ptr<Object> object, const RanEdgeLab::Attributes& attributes)
{
    for (const auto& [name, value] : attributes)
    {
        object->SetAttribute(name, StringValue(value));
    }
}

/**
 * \param device a device of a node
 * \param address its IPv4 address
 * \param mask of its network
 * \return its interface
 */
uint32_t
AddAddress(Ptr<NetDevice> device, uint32_t address, const char* mask)
{
    auto ipv4 = device->GetNode()->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(device);
    ipv4->AddAddress(interface, Ipv4InterfaceAddress(Ipv4Address(address), Ipv4Mask(mask)));
    ipv4->SetUp(interface);
    return interface;
}

/**
 * \param device the only device of a node
 * \param address its IPv4 address
 * \param mask of its network
 * \param gateway to other networks
 */
void
AddHost(Ptr<NetDevice> device, uint32_t address, const char* mask, uint32_t gateway)
{
    const uint32_t interface = AddAddress(device, address, mask);
    Ipv4StaticRoutingHelper()
        .GetStaticRouting(device->GetNode()->GetObject<Ipv4>())
        ->SetDefaultRoute(Ipv4Address(gateway), interface);
}

/// \param device where the packet comes out \param packet the packet
void
Receive(Ptr<VirtualNetDevice> device, Ptr<Packet> packet)
{
    device->Receive(packet,
                    IPV4_PROTOCOL,
                    device->GetAddress(),
                    device->GetAddress(),
                    NetDevice::PACKET_HOST);
}

/// \param node gets a device \param send what that does with a packet \return the device
Ptr<VirtualNetDevice>
AddDevice(Ptr<Node> node, VirtualNetDevice::SendCallback send)
{
    auto device = CreateObject<VirtualNetDevice>();
    device->SetAddress(Mac48Address::Allocate());
    device->SetSendCallback(send);
    node->AddDevice(device);
    return device;
}

} // namespace

RanEdgeLab::Stream::Stream(Callback<void> arrive)
    : next(arrive)
{
}

RanEdgeLab::RanEdgeLab(uint32_t seed)
{
    RngSeedManager::SetSeed(seed);
    RngSeedManager::ResetNextStreamIndex();
    m_internet.SetIpv6StackInstall(false);
    m_internet.SetRoutingHelper(Ipv4StaticRoutingHelper());
    m_gateway = CreateObject<Node>();
    m_internet.Install(m_gateway);
    m_gatewayDevice = AddDevice(m_gateway, MakeCallback(&RanEdgeLab::SendFromGateway, this));
    AddAddress(m_gatewayDevice, USERS + GATEWAY_HOST, "255.0.0.0");
}

RanEdgeLab::~RanEdgeLab()
{
    Simulator::Destroy();
}

void
RanEdgeLab::AddSite(const Attributes& siteAttributes,
                    const Attributes& serverAttributes,
                    double delayMs,
                    double rateMbps)
{
    auto host = CreateObject<Node>();
    m_internet.Install(host);
    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", StringValue(std::to_string(rateMbps) + "Mbps"));
    link.SetChannelAttribute("Delay", StringValue(std::to_string(delayMs) + "ms"));
    link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("1000000p"));
    const NetDeviceContainer ends = link.Install(m_gateway, host);
    const uint32_t network = SITES + (static_cast<uint32_t>(m_sites.size()) << 8);
    AddAddress(ends.Get(0), network + 1, "255.255.255.0");
    AddHost(ends.Get(1), network + 2, "255.255.255.0", network + 1);

    auto site = CreateObject<RanEdgeSite>();
    SetAttributes(site, siteAttributes);
    auto server = CreateObjectWithAttributes<RanJobServer>("Site", PointerValue(site));
    SetAttributes(server, serverAttributes);
    host->AddApplication(server);
    m_sites.push_back(site);
    m_servers.push_back(server);
}

void
RanEdgeLab::AddSource(const Attributes& attributes, uint32_t site, const std::string& radioMs)
{
    const auto index = static_cast<uint32_t>(m_sources.size());
    auto node = CreateObject<Node>();
    m_internet.Install(node);
    auto device = AddDevice(
        node,
        VirtualNetDevice::SendCallback(
            [this, index](Ptr<Packet> packet, const Address&, const Address&, uint16_t) {
                SendOnRadio(index, packet, true);
                return true;
            }));
    AddHost(device, USERS + FIRST_USER_HOST + index, "255.0.0.0", USERS + GATEWAY_HOST);
    auto source = CreateObject<RanJobSource>();
    SetAttributes(source, attributes);
    m_userDevices.push_back(device);
    m_radioMs.push_back(Make<RandomVariableStream>(radioMs));
    m_sources.push_back(source);
    Retarget(index, site);
    node->AddApplication(source);
}

bool
RanEdgeLab::SendFromGateway(Ptr<Packet> packet,
                            const Address& /* source */,
                            const Address& /* destination */,
                            uint16_t /* protocol */)
{
    uint8_t header[20]; // of IPv4, with the destination in its last four bytes (RFC 791)
    packet->CopyData(header, sizeof(header));
    SendOnRadio((header[18] << 8) + header[19] - FIRST_USER_HOST, packet, false);
    return true;
}

void
RanEdgeLab::SendOnRadio(uint32_t source, Ptr<Packet> packet, bool uplink)
{
    Radio& radio = m_radio[uplink];
    if (radio.lost.contains(radio.packets++))
    {
        return;
    }
    const auto delay = NanoSeconds(std::llround(m_radioMs[source]->GetValue() * 1e6));
    if (delay.IsStrictlyPositive())
    {
        RanPacketTag tag;
        tag.radioNs = delay.GetNanoSeconds();
        packet->AddPacketTag(tag);
    }
    auto end = uplink ? m_gatewayDevice : m_userDevices[source];
    Simulator::ScheduleWithContext(end->GetNode()->GetId(), delay, &Receive, end, packet);
}

void
RanEdgeLab::Feed(uint32_t site,
                 uint32_t application,
                 const std::string& interval,
                 const std::string& work)
{
    const size_t index = m_streams.size();
    m_streams.push_back(std::make_unique<Stream>(Callback<void>([this, index, site, application] {
        Stream& stream = *m_streams[index];
        stream.next.Start(stream.interval->GetValue());
        m_sites[site]->Submit(application, stream.work->GetValue(), RanEdgeSite::Done());
    })));
    Stream& stream = *m_streams.back();
    stream.interval = Make<RandomVariableStream>(interval);
    stream.work = Make<RandomVariableStream>(work);
    stream.next.Start(stream.interval->GetValue());
}

void
RanEdgeLab::Submit(uint32_t site, uint32_t application, double workGflop)
{
    m_sites.at(site)->Submit(
        application,
        workGflop,
        RanEdgeSite::Done([this, application](Time queue, Time compute) {
            m_computed.push_back({.application = application,
                                  .atNs = Simulator::Now().GetNanoSeconds(),
                                  .queueNs = queue.GetNanoSeconds(),
                                  .computeNs = compute.GetNanoSeconds()});
        }));
}

std::vector<RanEdgeLab::Computed>
RanEdgeLab::TakeComputed()
{
    return std::exchange(m_computed, {});
}

void
RanEdgeLab::Lose(bool uplink, const std::set<uint64_t>& packets)
{
    m_radio[uplink].lost = packets;
}

void
RanEdgeLab::Retarget(uint32_t source, uint32_t site)
{
    m_sources.at(source)->SetTarget(Ipv4Address(SITES + (site << 8) + 2), PORT);
}

void
RanEdgeLab::Advance(double seconds)
{
    Simulator::Stop(Seconds(seconds));
    Simulator::Run();
}

} // namespace ns3
