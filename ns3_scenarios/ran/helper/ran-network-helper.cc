/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-network-helper.h"

#include "ran-job-server.h"
#include "ran-source.h"

#include "ns3/boolean.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/isotropic-antenna-model.h"
#include "ns3/object-factory.h"
#include "ns3/packet-sink.h"
#include "ns3/pointer.h"
#include "ns3/random-walk-2d-mobility-model.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/three-gpp-antenna-model.h"
#include "ns3/three-gpp-http-client.h"
#include "ns3/three-gpp-http-server.h"
#include "ns3/three-gpp-http-variables.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

namespace
{

/// \param object an object \param attributes to be set
void
SetAttributes(Ptr<Object> object, const RanAttributes& attributes)
{
    for (const auto& [name, value] : attributes)
    {
        object->SetAttribute(name, StringValue(value));
    }
}

/// Port of the first application's servers
constexpr uint16_t JOB_PORT = 3000;
/// Mean reading time of a web page, of which a rate factor takes a share (3GPP2 C.R1002 model)
constexpr double READING_TIME_S = 39;
/// Web users go on reading, however little they are to ask for
constexpr double MIN_HTTP_FACTOR = 0.05;

} // namespace

RanNetworkHelper::RanNetworkHelper()
    : m_network(CreateObject<RanNetwork>()),
      m_userPlane(CreateObject<RanUserPlane>()),
      m_core(CreateObject<Node>())
{
    m_internet.SetIpv6StackInstall(false);
    m_internet.SetRoutingHelper(Ipv4StaticRoutingHelper());
    m_internet.Install(m_core);
    m_coreAddress = m_userPlane->AddAnchor(m_core);
}

RanNetworkHelper::~RanNetworkHelper()
{
    if (m_transport)
    {
        m_transport->Dispose();
    }
    m_userPlane->Dispose();
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
    if (!spec.route.empty())
    {
        mobility = CreateObject<RanRoute>();
    }
    else if (spec.walkSpeed > 0)
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
    if (auto route = DynamicCast<RanRoute>(mobility))
    {
        std::vector<Vector> points;
        for (const auto& [x, y, z] : spec.route)
        {
            points.emplace_back(x, y, z);
        }
        route->Follow(points, spec.routeSpeed, spec.routeEnd);
        if (spec.batteryWh > 0)
        {
            auto battery = CreateObjectWithAttributes<RanBattery>("Capacity",
                                                                  DoubleValue(spec.batteryWh),
                                                                  "InitialCharge",
                                                                  DoubleValue(spec.batteryPct));
            node->AggregateObject(battery);
            battery->Power(route);
        }
    }

    auto ue = CreateObject<RanUe>();
    ue->mobility = mobility;
    ue->mobile = spec.walkSpeed > 0 || !spec.route.empty();
    ue->array = MakeArray(antenna);
    m_network->AddUe(ue);
    m_ueNodes.push_back(node);
    if (spec.internet)
    {
        m_internet.Install(node);
        m_ueAddresses.push_back(m_userPlane->AddUe(ue, node));
    }
    else
    {
        m_ueAddresses.emplace_back();
    }
    return ue->id;
}

uint32_t
RanNetworkHelper::AddFlow(uint32_t ue, const RanFlowSpec& spec)
{
    const Ptr<RanUe>& user = m_network->GetUes()[ue];
    user->qosFlows.push_back(std::make_unique<RanQosFlow>());
    RanQosFlow& qos = *user->qosFlows.back();
    qos.index = static_cast<uint32_t>(user->qosFlows.size() - 1);
    qos.slice = spec.slice;
    qos.delayBudgetMs = spec.delayBudgetMs;
    qos.guaranteedBps = spec.guaranteedBps;
    const bool wanted[] = {spec.downlink, spec.uplink};
    const uint64_t bound[] = {spec.downlinkQueueBytes, spec.uplinkQueueBytes};
    for (const RanDirection direction : {RAN_DL, RAN_UL})
    {
        if (!wanted[direction])
        {
            continue;
        }
        auto bearer = CreateObjectWithAttributes<RanBearer>("MaxQueueBytes",
                                                            UintegerValue(bound[direction]),
                                                            "UseCodel",
                                                            BooleanValue(spec.codel));
        if (spec.fullBuffer)
        {
            bearer->SetFullBuffer();
        }
        bearer->Initialize();
        qos.bearers[direction] = bearer;
    }
    if (!spec.fullBuffer)
    {
        m_userPlane->AddFlow(user, qos, spec.port, spec.jobs);
    }
    m_ports[{ue, qos.index}] = spec.port;
    return qos.index;
}

void
RanNetworkHelper::EnsureSink(Ptr<Node> node, uint16_t port, bool tcp)
{
    bool& exists = m_sinks[{node->GetId(), port, tcp}];
    if (exists)
    {
        return;
    }
    exists = true;
    node->AddApplication(CreateObjectWithAttributes<PacketSink>(
        "Protocol",
        StringValue(tcp ? "ns3::TcpSocketFactory" : "ns3::UdpSocketFactory"),
        "Local",
        AddressValue(InetSocketAddress(Ipv4Address::GetAny(), port))));
}

void
RanNetworkHelper::AddApplication(uint32_t ue,
                                 uint32_t flow,
                                 bool downlink,
                                 const std::string& type,
                                 const RanAttributes& attributes,
                                 bool tcp,
                                 double startS)
{
    const uint16_t port = m_ports.at({ue, flow});
    ObjectFactory factory(type);
    Ptr<Node> source = downlink ? m_core : m_ueNodes[ue];
    if (type == "ns3::ThreeGppHttpClient")
    {
        if (!m_httpServers[port])
        {
            ObjectFactory server("ns3::ThreeGppHttpServer");
            server.Set("Local", AddressValue(m_coreAddress));
            server.Set("LocalPort", UintegerValue(port));
            m_core->AddApplication(server.Create<Application>());
            m_httpServers[port] = true;
        }
        factory.Set("Remote", AddressValue(InetSocketAddress(m_coreAddress, port)));
        source = m_ueNodes[ue];
    }
    else
    {
        EnsureSink(downlink ? m_ueNodes[ue] : m_core, port, tcp);
        factory.Set("Remote",
                    AddressValue(InetSocketAddress(downlink ? m_ueAddresses[ue] : m_coreAddress,
                                                   port)));
    }
    auto application = factory.Create<Application>();
    SetAttributes(application, attributes);
    application->SetStartTime(Seconds(startS));
    source->AddApplication(application);
    m_sources[{ue, flow}] = application;
}

void
RanNetworkHelper::FlyTo(uint32_t ue, const std::array<double, 3>& point, double speed)
{
    m_ueNodes.at(ue)->GetObject<RanRoute>()->FlyTo(Vector(point[0], point[1], point[2]), speed);
}

void
RanNetworkHelper::SetCharge(uint32_t ue, double percent)
{
    m_ueNodes.at(ue)->GetObject<RanBattery>()->SetCharge(percent);
}

double
RanNetworkHelper::GetCharge(uint32_t ue) const
{
    const auto battery = m_ueNodes.at(ue)->GetObject<RanBattery>();
    return battery ? battery->GetCharge() : std::nan("");
}

void
RanNetworkHelper::AddEdgeSite(uint32_t servers,
                              double gflops,
                              uint32_t queueJobs,
                              uint32_t nApplications)
{
    auto node = CreateObject<Node>();
    m_internet.Install(node);
    auto site = CreateObjectWithAttributes<RanEdgeSite>("Servers",
                                                        UintegerValue(servers),
                                                        "Gflops",
                                                        DoubleValue(gflops),
                                                        "MaxQueueJobs",
                                                        UintegerValue(queueJobs));
    for (uint16_t application = 0; application < nApplications; ++application)
    {
        node->AddApplication(
            CreateObjectWithAttributes<RanJobServer>("Port",
                                                     UintegerValue(JOB_PORT + application),
                                                     "Site",
                                                     PointerValue(site)));
    }
    m_edgeNodes.push_back(node);
    m_edgeAddresses.push_back(m_userPlane->AddAnchor(node));
    m_edgeSites.push_back(site);
    m_jobSources.resize(nApplications);
}

void
RanNetworkHelper::AddJobs(uint32_t ue,
                          uint32_t flow,
                          uint32_t application,
                          const RanAttributes& attributes,
                          double startS)
{
    auto source = CreateObject<RanJobSource>();
    SetAttributes(source, attributes);
    source->SetAttribute("Application", UintegerValue(application));
    source->SetAttribute("Remote",
                         AddressValue(InetSocketAddress(m_edgeAddresses.front(),
                                                        JOB_PORT + application)));
    source->SetStartTime(Seconds(startS));
    m_ueNodes[ue]->AddApplication(source);
    m_sources[{ue, flow}] = source;
    m_jobSources.at(application).push_back(source);
}

void
RanNetworkHelper::SetApplication(uint32_t application, uint32_t site, double fraction)
{
    for (const auto& source : m_jobSources.at(application))
    {
        source->SetTarget(m_edgeAddresses.at(site), JOB_PORT + application);
        source->SetFraction(fraction);
    }
}

void
RanNetworkHelper::AddTransport(uint32_t nRouters, uint32_t nClasses)
{
    m_transport = CreateObject<RanTransport>();
    std::vector<uint32_t> sites;
    for (const auto& site : m_sites)
    {
        sites.push_back(m_transport->AddNode(site));
    }
    for (uint32_t router = 0; router < nRouters; ++router)
    {
        m_transport->AddNode(CreateObject<Node>());
    }
    std::vector<uint32_t> anchors{0};
    for (const auto& edge : m_edgeNodes)
    {
        anchors.push_back(m_transport->AddNode(edge));
    }
    anchors.front() = m_transport->AddNode(m_core);
    for (uint32_t k = 0; k < nClasses; ++k)
    {
        m_transport->AddClass();
    }
    m_userPlane->SetTransport(m_transport, sites, anchors);
    m_network->SetServingChanged(MakeCallback(&RanUserPlane::ServingChanged, m_userPlane));
}

uint32_t
RanNetworkHelper::AddLink(uint32_t first, uint32_t second, const RanTransportLinkSpec& spec)
{
    ++m_nLinks;
    return m_transport->AddLink(first, second, spec);
}

void
RanNetworkHelper::SetTunnelClass(uint32_t ue, uint32_t flow, uint32_t tunnelClass)
{
    m_network->GetUes().at(ue)->qosFlows.at(flow)->tunnelClass = tunnelClass;
}

void
RanNetworkHelper::SetRateFactor(uint32_t ue, uint32_t flow, double factor, double fullBps)
{
    RanQosFlow& qos = *m_network->GetUes()[ue]->qosFlows.at(flow);
    const auto found = m_sources.find({ue, flow});
    if (found == m_sources.end())
    {
        for (const auto& bearer : qos.bearers)
        {
            if (bearer)
            {
                bearer->SetFullBufferRate(factor >= 1 ? -1 : factor * fullBps);
            }
        }
        m_network->Wake();
        return;
    }
    const Ptr<Application>& source = found->second;
    if (auto own = DynamicCast<RanSource>(source))
    {
        own->SetRateFactor(factor);
    }
    else if (auto http = DynamicCast<ThreeGppHttpClient>(source))
    {
        PointerValue variables;
        http->GetAttribute("Variables", variables);
        variables.Get<ThreeGppHttpVariables>()->SetAttribute(
            "ReadingTimeMean",
            TimeValue(Seconds(READING_TIME_S / std::max(factor, MIN_HTTP_FACTOR))));
    }
}

void
RanNetworkHelper::SetSlice(uint32_t ue,
                           uint32_t flow,
                           uint32_t slice,
                           double delayBudgetMs,
                           double guaranteedBps)
{
    RanQosFlow& qos = *m_network->GetUes()[ue]->qosFlows.at(flow);
    qos.slice = slice;
    qos.delayBudgetMs = delayBudgetMs;
    qos.guaranteedBps = guaranteedBps;
}

void
RanNetworkHelper::Start()
{
    m_network->Start();
}

void
RanNetworkHelper::Redraw(uint64_t run)
{
    RngSeedManager::SetRun(run);
    int64_t stream = m_network->AssignStreams(0);
    for (const auto& site : m_edgeSites)
    {
        stream += site->AssignStreams(stream);
    }
    const auto assignVariables = [&stream](Ptr<Application> web) {
        PointerValue variables;
        web->GetAttribute("Variables", variables);
        stream += variables.Get<ThreeGppHttpVariables>()->AssignStreams(stream);
    };
    for (const auto& [flow, source] : m_sources)
    {
        if (DynamicCast<ThreeGppHttpClient>(source))
        {
            assignVariables(source);
        }
        else
        {
            stream += source->AssignStreams(stream);
        }
    }
    for (uint32_t i = 0; i < m_core->GetNApplications(); ++i)
    {
        if (auto server = DynamicCast<ThreeGppHttpServer>(m_core->GetApplication(i)))
        {
            assignVariables(server);
        }
    }
    // Last, as links have more streams with some queues than with others.
    if (m_transport)
    {
        m_transport->AssignStreams(stream);
    }
}

void
RanNetworkHelper::Advance(int64_t ns)
{
    Simulator::Stop(NanoSeconds(ns));
    Simulator::Run();
}

} // namespace ns3
