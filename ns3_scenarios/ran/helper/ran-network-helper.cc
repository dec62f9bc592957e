/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-network-helper.h"

#include "ns3/boolean.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/ipv4-interface-address.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/ipv4.h"
#include "ns3/isotropic-antenna-model.h"
#include "ns3/object-factory.h"
#include "ns3/packet-sink.h"
#include "ns3/random-walk-2d-mobility-model.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/three-gpp-antenna-model.h"
#include "ns3/uinteger.h"

#include <cmath>

namespace ns3
{

namespace
{

/// Network of all addresses
constexpr uint32_t NETWORK = 7U << 24;
/// Host part of the core's address
constexpr uint32_t CORE_HOST = 1;
/// Host part of the first user's address
constexpr uint32_t FIRST_UE_HOST = 2;
/// IPv4's protocol number on a link
constexpr uint16_t IPV4_PROTOCOL = 0x0800;
/// Port of all sinks
constexpr uint16_t SINK_PORT = 9;
/// Port of the web server
constexpr uint16_t HTTP_PORT = 80;

/// \param object an object \param attributes to be set
void
SetAttributes(Ptr<Object> object, const RanAttributes& attributes)
{
    for (const auto& [name, value] : attributes)
    {
        object->SetAttribute(name, StringValue(value));
    }
}

/// \param device where packets come out \param packets the packets
void
Receive(Ptr<VirtualNetDevice> device, const RanBearer::Packets& packets)
{
    for (const Ptr<Packet>& packet : packets)
    {
        device->Receive(packet,
                        IPV4_PROTOCOL,
                        device->GetAddress(),
                        device->GetAddress(),
                        NetDevice::PACKET_HOST);
    }
}

/// \param device where packets come out, in the context of its node \param packets the packets
void
DeliverTo(Ptr<VirtualNetDevice> device, const RanBearer::Packets& packets)
{
    Simulator::ScheduleWithContext(device->GetNode()->GetId(), Time(0), &Receive, device, packets);
}

/// \param bearer an uplink bearer \param packet what the user's node sends \return true
bool
SendFromUe(Ptr<RanBearer> bearer,
           Ptr<Packet> packet,
           const Address& /* source */,
           const Address& /* destination */,
           uint16_t /* protocol */)
{
    bearer->Enqueue(packet);
    return true;
}

} // namespace

RanNetworkHelper::RanNetworkHelper()
    : m_network(CreateObject<RanNetwork>()),
      m_core(CreateObject<Node>())
{
    m_internet.SetIpv6StackInstall(false);
    m_internet.SetRoutingHelper(Ipv4StaticRoutingHelper());
    m_internet.Install(m_core);
    m_coreDevice =
        MakeDevice(m_core, CORE_HOST, MakeCallback(&RanNetworkHelper::SendFromCore, this));
}

RanNetworkHelper::~RanNetworkHelper()
{
    m_network->Dispose();
    Simulator::Destroy();
}

Ptr<UniformPlanarArray>
RanNetworkHelper::MakeArray(const RanArraySpec& spec)
{
    auto array = CreateObject<UniformPlanarArray>();
    array->SetNumRows(spec.rows);
    array->SetNumColumns(spec.columns);
    array->SetAlpha(spec.bearingDeg * M_PI / 180);
    array->SetBeta(spec.tiltDeg * M_PI / 180);
    if (spec.element == "3gpp")
    {
        array->SetAntennaElement(CreateObject<ThreeGppAntennaModel>());
    }
    else
    {
        array->SetAntennaElement(CreateObject<IsotropicAntennaModel>());
    }
    return array;
}

Ptr<VirtualNetDevice>
RanNetworkHelper::MakeDevice(Ptr<Node> node, uint32_t host, VirtualNetDevice::SendCallback send)
{
    auto device = CreateObject<VirtualNetDevice>();
    device->SetAddress(Mac48Address::Allocate());
    device->SetSendCallback(send);
    node->AddDevice(device);
    auto ipv4 = node->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(device);
    ipv4->AddAddress(interface,
                     Ipv4InterfaceAddress(Ipv4Address(NETWORK + host), Ipv4Mask("255.0.0.0")));
    ipv4->SetUp(interface);
    return device;
}

bool
RanNetworkHelper::SendFromCore(Ptr<Packet> packet,
                               const Address& /* source */,
                               const Address& /* destination */,
                               uint16_t /* protocol */)
{
    // The destination stands in bytes 16 to 19 of the IPv4 header (RFC 791).
    uint8_t header[20];
    packet->CopyData(header, sizeof(header));
    const uint32_t host = (header[17] << 16) + (header[18] << 8) + header[19];
    const auto& ues = m_network->GetUes();
    if (header[16] != NETWORK >> 24 || host < FIRST_UE_HOST || host - FIRST_UE_HOST >= ues.size())
    {
        return false;
    }
    ues[host - FIRST_UE_HOST]->bearers[RAN_DL]->Enqueue(packet);
    return true;
}

void
RanNetworkHelper::AddCarrier(const RanAttributes& attributes)
{
    auto channel = CreateObject<RanChannel>();
    SetAttributes(channel, attributes);
    m_channels.push_back(channel);
    m_network->AddCarrier(channel);
}

void
RanNetworkHelper::AddSite(double x, double y, double z)
{
    auto node = CreateObject<Node>();
    auto mobility = CreateObject<ConstantPositionMobilityModel>();
    mobility->SetPosition(Vector(x, y, z));
    node->AggregateObject(mobility);
    m_sites.push_back(node);
}

Ptr<RanCell>
RanNetworkHelper::AddCell(uint32_t site,
                          uint32_t carrier,
                          const RanArraySpec& antenna,
                          const RanAttributes& attributes,
                          const RanAttributes& errorModel)
{
    auto cell = CreateObject<RanCell>();
    cell->site = site;
    cell->carrier = carrier;
    cell->channel = m_channels[carrier];
    cell->mobility = m_sites[site]->GetObject<MobilityModel>();
    cell->array = MakeArray(antenna);
    auto model = CreateObject<RanErrorModel>();
    SetAttributes(model, errorModel);
    cell->errorModel = model;
    SetAttributes(cell, attributes);
    m_network->AddCell(cell);
    return cell;
}

uint32_t
RanNetworkHelper::AddUe(const RanUeSpec& spec, const RanArraySpec& antenna)
{
    auto node = CreateObject<Node>();
    Ptr<MobilityModel> mobility;
    if (spec.walkSpeed > 0)
    {
        const double b = spec.walkBound;
        mobility = CreateObjectWithAttributes<RandomWalk2dMobilityModel>(
            "Bounds",
            RectangleValue(Rectangle(-b, b, -b, b)),
            "Speed",
            StringValue("ns3::ConstantRandomVariable[Constant=" + std::to_string(spec.walkSpeed) +
                        "]"),
            "Distance",
            DoubleValue(std::min(b, 20.0)));
    }
    else
    {
        mobility = CreateObject<ConstantPositionMobilityModel>();
    }
    mobility->SetPosition(Vector(spec.x, spec.y, spec.z));
    node->AggregateObject(mobility);
    mobility->Initialize();

    auto ue = CreateObject<RanUe>();
    ue->slice = spec.slice;
    ue->delayBudgetMs = spec.delayBudgetMs;
    ue->guaranteedBps = spec.guaranteedBps;
    ue->mobility = mobility;
    ue->array = MakeArray(antenna);
    const bool full[] = {spec.downlinkFull, spec.uplinkFull};
    const uint64_t bound[] = {spec.downlinkQueueBytes, spec.uplinkQueueBytes};
    for (const RanDirection direction : {RAN_DL, RAN_UL})
    {
        if (!full[direction] && !spec.internet)
        {
            continue;
        }
        auto bearer = CreateObjectWithAttributes<RanBearer>("MaxQueueBytes",
                                                            UintegerValue(bound[direction]),
                                                            "UseCodel",
                                                            BooleanValue(spec.codel));
        if (full[direction])
        {
            bearer->SetFullBuffer();
        }
        bearer->Initialize();
        ue->bearers[direction] = bearer;
    }
    m_network->AddUe(ue);
    if (spec.internet)
    {
        m_internet.Install(node);
        auto device = MakeDevice(node,
                                 FIRST_UE_HOST + ue->id,
                                 MakeBoundCallback(&SendFromUe, ue->bearers[RAN_UL]));
        ue->bearers[RAN_DL]->SetReceiver(MakeBoundCallback(&DeliverTo, device));
        ue->bearers[RAN_UL]->SetReceiver(MakeBoundCallback(&DeliverTo, m_coreDevice));
    }
    m_ueNodes.push_back(node);
    return ue->id;
}

void
RanNetworkHelper::EnsureSink(Ptr<Node> node, bool tcp)
{
    bool& exists = m_sinks[{node->GetId(), tcp}];
    if (exists)
    {
        return;
    }
    exists = true;
    node->AddApplication(CreateObjectWithAttributes<PacketSink>(
        "Protocol",
        StringValue(tcp ? "ns3::TcpSocketFactory" : "ns3::UdpSocketFactory"),
        "Local",
        AddressValue(InetSocketAddress(Ipv4Address::GetAny(), SINK_PORT))));
}

void
RanNetworkHelper::AddApplication(uint32_t ue,
                                 bool downlink,
                                 const std::string& type,
                                 const RanAttributes& attributes,
                                 bool tcp,
                                 double startS)
{
    const Ipv4Address core(NETWORK + CORE_HOST);
    const Ipv4Address user(NETWORK + FIRST_UE_HOST + ue);
    ObjectFactory factory(type);
    Ptr<Node> source = downlink ? m_core : m_ueNodes[ue];
    if (type == "ns3::ThreeGppHttpClient")
    {
        if (!m_httpServer)
        {
            ObjectFactory server("ns3::ThreeGppHttpServer");
            server.Set("Local", AddressValue(core));
            server.Set("Port", UintegerValue(HTTP_PORT));
            m_core->AddApplication(server.Create<Application>());
            m_httpServer = true;
        }
        factory.Set("Remote", AddressValue(InetSocketAddress(core, HTTP_PORT)));
        source = m_ueNodes[ue];
    }
    else
    {
        EnsureSink(downlink ? m_ueNodes[ue] : m_core, tcp);
        factory.Set("Remote", AddressValue(InetSocketAddress(downlink ? user : core, SINK_PORT)));
    }
    auto application = factory.Create<Application>();
    SetAttributes(application, attributes);
    application->SetStartTime(Seconds(startS));
    source->AddApplication(application);
}

void
RanNetworkHelper::Start()
{
    m_network->Start();
}

void
RanNetworkHelper::Advance(double seconds)
{
    Simulator::Stop(Seconds(seconds));
    Simulator::Run();
}

} // namespace ns3
