// SPDX-License-Identifier: GPL-2.0-only
//
// LENA-LTE carrying downlink UDP to users at given places: the other side of benchmarks/lena_lte.py.
//
// Reads a scenario from standard input, one item per line:
//
//     duration_s D
//     warmup_s W
//     rate_mbps R
//     site X Y Z
//     user X Y Z SITE
//
// and prints one JSON object. Wall time and events are those of the D seconds after the W seconds in
// which the users attach and the traffic starts, so that nothing of the set-up counts against LENA.

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/lte-module.h"
#include "ns3/mobility-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/propagation-module.h"

#include <chrono>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

using namespace ns3;

namespace
{

constexpr uint32_t PACKET_BYTES = 1400; // UDP payload
constexpr uint16_t PORT = 5000;

struct User
{
    Vector position;
    uint32_t site;
};

struct Input
{
    double durationS{5};
    double warmupS{0.5};
    double rateMbps{2};
    std::vector<Vector> sites;
    std::vector<User> users;
};

Input
ReadInput(std::istream& in)
{
    Input input;
    std::string line;
    while (std::getline(in, line))
    {
        std::istringstream words(line);
        std::string what;
        Vector v;
        uint32_t site = 0;
        words >> what;
        if (what == "duration_s")
        {
            words >> input.durationS;
        }
        else if (what == "warmup_s")
        {
            words >> input.warmupS;
        }
        else if (what == "rate_mbps")
        {
            words >> input.rateMbps;
        }
        else if (what == "site")
        {
            words >> v.x >> v.y >> v.z;
            input.sites.push_back(v);
        }
        else if (what == "user")
        {
            words >> v.x >> v.y >> v.z >> site;
            NS_ABORT_MSG_IF(site >= input.sites.size(), "no site " << site);
            input.users.push_back({v, site});
        }
        else if (!what.empty())
        {
            NS_ABORT_MSG("unknown item " << what);
        }
        NS_ABORT_MSG_IF(words.fail(), "cannot read: " << line);
    }
    NS_ABORT_MSG_IF(input.sites.empty() || input.users.empty(), "no sites or no users");
    return input;
}

void
Place(const NodeContainer& nodes, const std::vector<Vector>& positions)
{
    auto allocator = CreateObject<ListPositionAllocator>();
    for (const auto& position : positions)
    {
        allocator->Add(position);
    }
    MobilityHelper mobility;
    mobility.SetMobilityModel("ns3::ConstantPositionMobilityModel");
    mobility.SetPositionAllocator(allocator);
    mobility.Install(nodes);
}

uint64_t
ReceivedBytes(const ApplicationContainer& sinks)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sinks.GetN(); ++i)
    {
        bytes += DynamicCast<PacketSink>(sinks.Get(i))->GetTotalRx();
    }
    return bytes;
}

} // namespace

int
main()
{
    const Input input = ReadInput(std::cin);

    // The same radio as the project's scenario: UMi street canyon in line of sight, no shadowing,
    // 30 dBm, 20 MHz, noise figures of 5 and 9 dB (LENA's defaults), 300 kB of RLC queue.
    Config::SetDefault("ns3::LteEnbPhy::TxPower", DoubleValue(30));
    Config::SetDefault("ns3::LteRlcUm::MaxTxBufferSize", UintegerValue(300000));
    Config::SetDefault("ns3::LteEnbRrc::SrsPeriodicity", UintegerValue(80));

    auto lte = CreateObject<LteHelper>();
    auto epc = CreateObject<PointToPointEpcHelper>();
    lte->SetEpcHelper(epc);
    lte->SetPathlossModelType(ThreeGppUmiStreetCanyonPropagationLossModel::GetTypeId());
    lte->SetPathlossModelAttribute(
        "ChannelConditionModel",
        PointerValue(CreateObject<AlwaysLosChannelConditionModel>()));
    lte->SetPathlossModelAttribute("ShadowingEnabled", BooleanValue(false));
    lte->SetEnbDeviceAttribute("DlBandwidth", UintegerValue(100));
    lte->SetEnbDeviceAttribute("UlBandwidth", UintegerValue(100));

    NodeContainer sites;
    sites.Create(input.sites.size());
    Place(sites, input.sites);
    NodeContainer users;
    users.Create(input.users.size());
    std::vector<Vector> positions;
    for (const auto& user : input.users)
    {
        positions.push_back(user.position);
    }
    Place(users, positions);

    // A server behind the core network, with no delay of its own.
    NodeContainer server;
    server.Create(1);
    InternetStackHelper internet;
    internet.Install(server);
    PointToPointHelper wire;
    wire.SetDeviceAttribute("DataRate", StringValue("100Gbps"));
    wire.SetDeviceAttribute("Mtu", UintegerValue(1500));
    wire.SetChannelAttribute("Delay", TimeValue(Seconds(0)));
    auto wired = wire.Install(epc->GetPgwNode(), server.Get(0));
    Ipv4AddressHelper addresses;
    addresses.SetBase("1.0.0.0", "255.0.0.0");
    addresses.Assign(wired);
    Ipv4StaticRoutingHelper routing;
    routing.GetStaticRouting(server.Get(0)->GetObject<Ipv4>())
        ->AddNetworkRouteTo("7.0.0.0", "255.0.0.0", 1);

    auto siteDevices = lte->InstallEnbDevice(sites);
    auto userDevices = lte->InstallUeDevice(users);
    internet.Install(users);
    auto userAddresses = epc->AssignUeIpv4Address(userDevices);

    ApplicationContainer sinks;
    auto start = CreateObject<UniformRandomVariable>();
    const Time interval = Seconds(PACKET_BYTES * 8 / (input.rateMbps * 1e6));
    for (uint32_t i = 0; i < users.GetN(); ++i)
    {
        auto stack = users.Get(i)->GetObject<Ipv4>();
        routing.GetStaticRouting(stack)->SetDefaultRoute(epc->GetUeDefaultGatewayAddress(), 1);
        lte->Attach(userDevices.Get(i), siteDevices.Get(input.users[i].site));

        PacketSinkHelper sink("ns3::UdpSocketFactory",
                              InetSocketAddress(Ipv4Address::GetAny(), PORT));
        sinks.Add(sink.Install(users.Get(i)));
        UdpClientHelper client(userAddresses.GetAddress(i), PORT);
        client.SetAttribute("MaxPackets", UintegerValue(0));
        client.SetAttribute("Interval", TimeValue(interval));
        client.SetAttribute("PacketSize", UintegerValue(PACKET_BYTES));
        auto app = client.Install(server.Get(0));
        app.Start(Seconds(0.2) + interval * start->GetValue());
    }

    Simulator::Stop(Seconds(input.warmupS));
    Simulator::Run();
    const uint64_t bytesBefore = ReceivedBytes(sinks);
    const uint64_t eventsBefore = Simulator::GetEventCount();
    const auto begin = std::chrono::steady_clock::now();
    Simulator::Stop(Seconds(input.durationS));
    Simulator::Run();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;

    std::cout << "{\"simulated_s\": " << input.durationS << ", \"wall_s\": " << wall.count()
              << ", \"events\": " << Simulator::GetEventCount() - eventsBefore
              << ", \"delivered_mbps\": "
              << (ReceivedBytes(sinks) - bytesBefore) * 8e-6 / input.durationS << "}" << std::endl;
    Simulator::Destroy();
    return 0;
}
