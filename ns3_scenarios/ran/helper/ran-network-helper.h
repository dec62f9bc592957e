/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_NETWORK_HELPER_H
#define RAN_NETWORK_HELPER_H

#include "../model/ran-battery.h"
#include "../model/ran-edge-site.h"
#include "../model/ran-network.h"
#include "../model/ran-route.h"
#include "../model/ran-transport.h"
#include "ran-job-source.h"
#include "ran-user-plane.h"

#include "ns3/application.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/node.h"

#include <array>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace ns3
{

/// Attribute names and values, as ns-3 writes them
using RanAttributes = std::map<std::string, std::string>;

/// A uniform planar array
struct RanArraySpec
{
    std::string element{"isotropic"}; ///< isotropic or 3gpp (TR 38.901 Table 7.3-1)
    uint32_t rows{1};                 ///< elements above each other
    uint32_t columns{1};              ///< elements beside each other
    double bearingDeg{0};             ///< where it looks, anticlockwise from the x axis
    double tiltDeg{0};                ///< down-tilt
};

/// A user
struct RanUeSpec
{
    double x{0};                ///< position, m
    double y{0};                ///< position, m
    double z{1.5};              ///< position, m
    double walkSpeed{0};        ///< random walk when above zero, m/s
    double walkBound{1000};     ///< half side of the square of the walk around the origin, m
    std::vector<std::array<double, 3>> route; ///< points to travel to when not empty, m
    double routeSpeed{1};       ///< along the route, m/s
    RanRouteEnd routeEnd{RanRouteEnd::STOP}; ///< what it does at the last point
    double batteryWh{0};        ///< of a UAV when above zero: capacity
    double batteryPct{100};     ///< its charge at the start
    bool internet{true};        ///< has an internet stack
};

/// A QoS flow of a user
struct RanFlowSpec
{
    uint32_t slice{0};          ///< index of its slice
    double delayBudgetMs{300};  ///< of its 5QI
    double guaranteedBps{0};    ///< guaranteed downlink rate
    bool downlink{true};        ///< has a downlink bearer
    bool uplink{false};         ///< has an uplink bearer
    bool fullBuffer{false};     ///< its bearers always have something to send
    uint64_t downlinkQueueBytes{300000}; ///< bound of the downlink queue
    uint64_t uplinkQueueBytes{300000};   ///< bound of the uplink queue
    bool codel{false};          ///< CoDel in its queues
    uint16_t port{0};           ///< that one end of its packets has
    bool jobs{false};           ///< carries jobs of an edge application
};

/**
 * \ingroup ran
 *
 * Builds a network: nodes, internet stacks, devices, cells, users, their flows and applications.
 */
class RanNetworkHelper
{
  public:
    RanNetworkHelper();
    ~RanNetworkHelper();

    /**
     * \param attributes of a RanChannel
     */
    void AddCarrier(const RanAttributes& attributes);

    /**
     * \param x position, m
     * \param y position, m
     * \param z height, m
     */
    void AddSite(double x, double y, double z);

    /**
     * \param site index of its site
     * \param carrier index of its carrier
     * \param antenna its antenna
     * \param attributes of a RanCell
     * \param errorModel attributes of its RanErrorModel
     * \return the cell, whose grid is still to be set
     */
    Ptr<RanCell> AddCell(uint32_t site,
                         uint32_t carrier,
                         const RanArraySpec& antenna,
                         const RanAttributes& attributes,
                         const RanAttributes& errorModel);

    /**
     * \param spec the user
     * \param antenna its antenna
     * \return its index
     */
    uint32_t AddUe(const RanUeSpec& spec, const RanArraySpec& antenna);

    /**
     * \param ue index of the user
     * \param spec the flow
     * \return its index among the user's flows
     */
    uint32_t AddFlow(uint32_t ue, const RanFlowSpec& spec);

    /**
     * Install the source of a flow at one end and its sink at the other.
     *
     * \param ue index of the user
     * \param flow index of its flow
     * \param downlink whether the source is in the core
     * \param type type of the source application; ns3::ThreeGppHttpClient is placed at the user
     * \param attributes of the source
     * \param tcp whether it speaks TCP
     * \param startS when it starts, s
     */
    void AddApplication(uint32_t ue,
                        uint32_t flow,
                        bool downlink,
                        const std::string& type,
                        const RanAttributes& attributes,
                        bool tcp,
                        double startS);

    /**
     * Send a user that has a route straight to a point, in flight.
     * \param ue index of the user
     * \param point where to, m
     * \param speed m/s
     */
    void FlyTo(uint32_t ue, const std::array<double, 3>& point, double speed);

    /**
     * \param ue index of the user
     * \param percent new charge of its battery
     */
    void SetCharge(uint32_t ue, double percent);

    /**
     * \param ue index of the user
     * \return charge of its battery in per cent, not a number if it has none
     */
    double GetCharge(uint32_t ue) const;

    /**
     * Add an edge site, an anchor of its own.
     * \param servers number of servers
     * \param gflops speed of each, Gflop/s
     * \param queueJobs bound of the queue
     * \param nApplications how many applications may run there
     */
    void AddEdgeSite(uint32_t servers, double gflops, uint32_t queueJobs, uint32_t nApplications);

    /**
     * Let a user make jobs of an application.
     * \param ue index of the user
     * \param flow index of the flow that carries them
     * \param application index of the application
     * \param attributes of a RanJobSource
     * \param startS when it starts, s
     */
    void AddJobs(uint32_t ue,
                 uint32_t flow,
                 uint32_t application,
                 const RanAttributes& attributes,
                 double startS);

    /**
     * Where an application runs, in flight too.
     * \param application its index
     * \param site index of the edge site
     * \param fraction share of its jobs that are offloaded
     */
    void SetApplication(uint32_t application, uint32_t site, double fraction);

    /**
     * Put a transport network behind the sites. Its nodes are the sites, the routers, the edge sites
     * and the core, in this order; links and paths are still to be added.
     * \param nRouters number of routers
     * \param nClasses classes of paths, one for each slice
     */
    void AddTransport(uint32_t nRouters, uint32_t nClasses);

    /**
     * \return the transport network, or null
     */
    Ptr<RanTransport> GetTransport() const
    {
        return m_transport;
    }

    /**
     * \return the way of packets
     */
    Ptr<RanUserPlane> GetUserPlane() const
    {
        return m_userPlane;
    }

    /**
     * \return number of links of the transport network
     */
    uint32_t GetNLinks() const
    {
        return m_nLinks;
    }

    /**
     * \param first node of the transport network
     * \param second node of the transport network
     * \param spec the link
     * \return its index
     */
    uint32_t AddLink(uint32_t first, uint32_t second, const RanTransportLinkSpec& spec);

    /**
     * Send a flow another way, in flight.
     * \param ue index of the user
     * \param flow index of its flow
     * \param tunnelClass class of the paths that it takes
     */
    void SetTunnelClass(uint32_t ue, uint32_t flow, uint32_t tunnelClass);

    /**
     * \return the edge sites
     */
    const std::vector<Ptr<RanEdgeSite>>& GetEdgeSites() const
    {
        return m_edgeSites;
    }

    /**
     * \param application its index
     * \return the sources of its jobs
     */
    const std::vector<Ptr<RanJobSource>>& GetJobSources(uint32_t application) const
    {
        return m_jobSources.at(application);
    }

    /**
     * \return number of applications
     */
    size_t GetNApplications() const
    {
        return m_jobSources.size();
    }

    /**
     * Let a flow send more or less than by itself, in flight.
     * \param ue index of the user
     * \param flow index of its flow
     * \param factor 0 stops it
     * \param fullBps rate of which the factor is a share, for a full-buffer flow, bit/s
     */
    void SetRateFactor(uint32_t ue, uint32_t flow, double factor, double fullBps);

    /**
     * Move a flow to a slice, in flight.
     * \param ue index of the user
     * \param flow index of its flow
     * \param slice index of the slice
     * \param delayBudgetMs promised there
     * \param guaranteedBps promised there
     */
    void SetSlice(uint32_t ue,
                  uint32_t flow,
                  uint32_t slice,
                  double delayBudgetMs,
                  double guaranteedBps);

    /// Attach the users and start
    void Start();

    /**
     * Let all that follows be another draw: assign new random streams to the network, the links, the
     * edge sites and all sources of traffic. What has been drawn stays.
     * \param run number of the draw; equal numbers draw the same
     */
    void Redraw(uint64_t run);

    /**
     * Run.
     * \param ns simulated time, ns
     */
    void Advance(int64_t ns);

    /**
     * \return the network
     */
    Ptr<RanNetwork> GetNetwork() const
    {
        return m_network;
    }

  private:
    /**
     * \param spec an array
     * \return the array
     */
    static Ptr<UniformPlanarArray> MakeArray(const RanArraySpec& spec);

    /**
     * Make sure that a node listens.
     * \param node the node
     * \param port where
     * \param tcp TCP instead of UDP
     */
    void EnsureSink(Ptr<Node> node, uint16_t port, bool tcp);

    Ptr<RanNetwork> m_network;                       ///< what is built
    Ptr<RanUserPlane> m_userPlane;                   ///< the way of packets
    InternetStackHelper m_internet;                  ///< IPv4 with static routing
    Ptr<Node> m_core;                                ///< far end of most applications
    Ipv4Address m_coreAddress;                       ///< its address
    std::vector<Ptr<RanChannel>> m_channels;         ///< by carrier
    std::vector<Ptr<Node>> m_sites;                  ///< by index
    std::vector<Ptr<Node>> m_ueNodes;                ///< by index
    std::vector<Ipv4Address> m_ueAddresses;          ///< by index
    std::map<std::tuple<uint32_t, uint16_t, bool>, bool> m_sinks; ///< by node, port, transport
    std::map<std::pair<uint32_t, uint32_t>, uint16_t> m_ports;    ///< by user and flow
    std::map<std::pair<uint32_t, uint32_t>, Ptr<Application>> m_sources; ///< by user and flow
    Ptr<RanTransport> m_transport;                   ///< behind the sites, or null
    uint32_t m_nLinks{0};                            ///< of the transport network
    std::vector<Ptr<Node>> m_edgeNodes;              ///< by index of the edge site
    std::vector<Ipv4Address> m_edgeAddresses;        ///< by index of the edge site
    std::vector<Ptr<RanEdgeSite>> m_edgeSites;       ///< by index
    std::vector<std::vector<Ptr<RanJobSource>>> m_jobSources; ///< by application
    std::map<uint16_t, bool> m_httpServers;          ///< ports on which the core serves pages
};

} // namespace ns3

#endif /* RAN_NETWORK_HELPER_H */
