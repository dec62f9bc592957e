/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_NETWORK_HELPER_H
#define RAN_NETWORK_HELPER_H

#include "../model/ran-network.h"

#include "ns3/application.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/node.h"
#include "ns3/virtual-net-device.h"

#include <map>
#include <string>
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
    uint32_t slice{0};          ///< index of its slice
    double delayBudgetMs{300};  ///< of its 5QI
    double guaranteedBps{0};    ///< guaranteed downlink rate
    double walkSpeed{0};        ///< random walk when above zero, m/s
    double walkBound{1000};     ///< half side of the square of the walk around the origin, m
    bool downlinkFull{false};   ///< full-buffer downlink
    bool uplinkFull{false};     ///< full-buffer uplink
    bool internet{true};        ///< has an internet stack and IP bearers
    uint64_t downlinkQueueBytes{300000}; ///< bound of the downlink queue
    uint64_t uplinkQueueBytes{300000};   ///< bound of the uplink queue
    bool codel{false};          ///< CoDel in both queues
};

/**
 * \ingroup ran
 *
 * Builds a network: nodes, internet stacks, devices, cells, users and their applications.
 *
 * One core node holds the far ends of all applications. Its device hands each packet to the
 * downlink bearer of the user with that address; a user's device hands packets to its uplink
 * bearer. Between core and cells there is no delay.
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
     * Install a source at one end and its sink at the other.
     *
     * \param ue index of the user
     * \param downlink whether the source is in the core
     * \param type type of the source application; ns3::ThreeGppHttpClient is placed at the user
     * \param attributes of the source
     * \param tcp whether it speaks TCP
     * \param startS when it starts, s
     */
    void AddApplication(uint32_t ue,
                        bool downlink,
                        const std::string& type,
                        const RanAttributes& attributes,
                        bool tcp,
                        double startS);

    /// Attach the users and start
    void Start();

    /**
     * Run.
     * \param seconds simulated time
     */
    void Advance(double seconds);

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
     * Give a node a device and an address.
     * \param node the node
     * \param address host part of the address
     * \param send what the device does with a packet
     * \return the device
     */
    Ptr<VirtualNetDevice> MakeDevice(Ptr<Node> node,
                                     uint32_t address,
                                     VirtualNetDevice::SendCallback send);

    /// \param packet from the core \return whether the user exists
    bool SendFromCore(Ptr<Packet> packet,
                      const Address& source,
                      const Address& destination,
                      uint16_t protocol);

    /**
     * Make sure that a node listens.
     * \param node the node
     * \param tcp TCP instead of UDP
     */
    void EnsureSink(Ptr<Node> node, bool tcp);

    Ptr<RanNetwork> m_network;                       ///< what is built
    InternetStackHelper m_internet;                  ///< IPv4 with static routing
    Ptr<Node> m_core;                                ///< far end of all applications
    Ptr<VirtualNetDevice> m_coreDevice;              ///< its device
    std::vector<Ptr<RanChannel>> m_channels;         ///< by carrier
    std::vector<Ptr<Node>> m_sites;                  ///< by index
    std::vector<Ptr<Node>> m_ueNodes;                ///< by index
    std::map<std::pair<uint32_t, bool>, bool> m_sinks; ///< by node and transport
    bool m_httpServer{false};                        ///< whether the core serves web pages
};

} // namespace ns3

#endif /* RAN_NETWORK_HELPER_H */
