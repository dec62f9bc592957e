/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_EDGE_LAB_H
#define RAN_EDGE_LAB_H

#include "../helper/ran-job-server.h"
#include "../helper/ran-job-source.h"
#include "../model/ran-edge-site.h"

#include "ns3/internet-stack-helper.h"
#include "ns3/node.h"
#include "ns3/virtual-net-device.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ns3
{

/**
 * \ingroup ran
 *
 * Edge sites and job sources on a network of known delays, for tests: radio links between users and
 * a gateway that take a random time and lose what they are told to, and a point-to-point link from
 * the gateway to each site.
 */
class RanEdgeLab
{
  public:
    /// Attribute names and values, as ns-3 writes them
    using Attributes = std::map<std::string, std::string>;

    /// A job that was submitted without a network, and is computed
    struct Computed
    {
        uint32_t application; ///< index of its application
        int64_t atNs;         ///< when it was computed
        int64_t queueNs;      ///< time in the queue
        int64_t computeNs;    ///< time on a server
    };

    /**
     * \param seed of the random streams
     */
    explicit RanEdgeLab(uint32_t seed);
    ~RanEdgeLab();

    /**
     * \param site attributes of the RanEdgeSite
     * \param server attributes of the RanJobServer
     * \param delayMs of the link to it
     * \param rateMbps of the link to it
     */
    void AddSite(const Attributes& site,
                 const Attributes& server,
                 double delayMs,
                 double rateMbps);

    /**
     * \param attributes of the RanJobSource
     * \param site index of its site
     * \param radioMs random variable of the delay of each packet on the radio, ms
     */
    void AddSource(const Attributes& attributes, uint32_t site, const std::string& radioMs);

    /**
     * Submit a stream of jobs to a site without a network.
     * \param site its index
     * \param application index of the application
     * \param interval random variable, s
     * \param work random variable, Gflop
     */
    void Feed(uint32_t site,
              uint32_t application,
              const std::string& interval,
              const std::string& work);

    /**
     * Submit a job to a site without a network.
     * \param site its index
     * \param application index of the application
     * \param workGflop its work
     */
    void Submit(uint32_t site, uint32_t application, double workGflop);

    /**
     * \return submitted jobs that were computed since the last call
     */
    std::vector<Computed> TakeComputed();

    /**
     * \param uplink of all users, or else their downlink
     * \param packets to be lost, counted from zero
     */
    void Lose(bool uplink, const std::set<uint64_t>& packets);

    /**
     * \param source its index \param site index of its new site
     */
    void Retarget(uint32_t source, uint32_t site);

    /**
     * Run.
     * \param seconds simulated time
     */
    void Advance(double seconds);

    /// \param index of a site \return it
    Ptr<RanEdgeSite> GetSite(uint32_t index) const
    {
        return m_sites.at(index);
    }

    /// \param index of a site \return its server
    Ptr<RanJobServer> GetServer(uint32_t index) const
    {
        return m_servers.at(index);
    }

    /// \param index of a source \return it
    Ptr<RanJobSource> GetSource(uint32_t index) const
    {
        return m_sources.at(index);
    }

  private:
    /// A stream of jobs
    struct Stream
    {
        /// \param arrive called for each job
        explicit Stream(Callback<void> arrive);

        RanRateTimer next;                  ///< next job
        Ptr<RandomVariableStream> interval; ///< s
        Ptr<RandomVariableStream> work;     ///< Gflop
    };

    /// Packets of one direction on the radio
    struct Radio
    {
        uint64_t packets{0};     ///< sent
        std::set<uint64_t> lost; ///< which are lost
    };

    /**
     * \param source index of a user
     * \param packet that it sends or is sent
     * \param uplink whether it sends
     */
    void SendOnRadio(uint32_t source, Ptr<Packet> packet, bool uplink);

    /// \param packet that the gateway sends to a user \return true
    bool SendFromGateway(Ptr<Packet> packet,
                         const Address& source,
                         const Address& destination,
                         uint16_t protocol);

    InternetStackHelper m_internet;                    ///< IPv4 with static routing
    Ptr<Node> m_gateway;                               ///< between radio and sites
    Ptr<VirtualNetDevice> m_gatewayDevice;             ///< its end of the radio
    std::vector<Ptr<RanEdgeSite>> m_sites;             ///< by index
    std::vector<Ptr<RanJobServer>> m_servers;          ///< by index of the site
    std::vector<Ptr<RanJobSource>> m_sources;          ///< by index
    std::vector<Ptr<VirtualNetDevice>> m_userDevices;  ///< by index of the source
    std::vector<Ptr<RandomVariableStream>> m_radioMs;  ///< by index of the source
    Radio m_radio[2];                                  ///< downlink and uplink
    std::vector<std::unique_ptr<Stream>> m_streams;    ///< jobs without a network
    std::vector<Computed> m_computed;                  ///< of them
};

} // namespace ns3

#endif /* RAN_EDGE_LAB_H */
