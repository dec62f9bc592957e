/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_JOB_SERVER_H
#define RAN_JOB_SERVER_H

#include "../model/ran-edge-site.h"
#include "../model/ran-job-message.h"

#include "ns3/address.h"
#include "ns3/application.h"

#include <list>
#include <map>
#include <utility>

namespace ns3
{

class Socket;

/**
 * \ingroup ran
 *
 * Receives requests of RanJobSource, has them computed by a RanEdgeSite and sends the responses
 * back to where the requests came from. A job that the site has no place for gets no response.
 */
class RanJobServer : public Application
{
  public:
    static TypeId GetTypeId();

    RanJobServer();
    ~RanJobServer() override;

    /**
     * \return requests of which datagrams are missing
     */
    size_t GetIncomplete() const
    {
        return m_places.size();
    }

  private:
    /// Where a request came from, and the number of its job there
    using Key = std::pair<Address, uint32_t>;

    /// A request of which datagrams are missing
    struct Request
    {
        Key key;                  ///< which it is
        Time since;               ///< when the first datagram arrived
        RanJobAssembly datagrams; ///< those that arrived
    };

    void StartApplication() override;
    void StopApplication() override;
    void DoDispose() override;

    /// \param socket that has datagrams of requests
    void Receive(Ptr<Socket> socket);

    /**
     * \param source where the request came from
     * \param header of the response, without the times at the site
     * \param queue time in the queue
     * \param compute time on a server
     */
    void Respond(const Address& source, RanJobHeader header, Time queue, Time compute);

    /// Wait for the timeout of the oldest incomplete request
    void PlanExpiry();

    /// Forget what has timed out
    void Expire();

    uint16_t m_port;                                      ///< where it listens
    Ptr<RanEdgeSite> m_site;                              ///< where jobs are computed
    uint32_t m_packetBytes;                               ///< largest UDP payload
    Time m_timeout;                                       ///< for incomplete requests
    Ptr<Socket> m_socket;                                 ///< UDP socket
    std::list<Request> m_incomplete;                      ///< the oldest first
    std::map<Key, std::list<Request>::iterator> m_places; ///< in that list
    EventId m_expiry;                                     ///< timeout of the oldest or an older one
};

} // namespace ns3

#endif /* RAN_JOB_SERVER_H */
