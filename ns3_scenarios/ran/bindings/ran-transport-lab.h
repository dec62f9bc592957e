/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_TRANSPORT_LAB_H
#define RAN_TRANSPORT_LAB_H

#include "../model/ran-transport.h"

#include "ns3/random-variable-stream.h"

#include <vector>

namespace ns3
{

/**
 * \ingroup ran
 *
 * A transport network with streams of packets instead of a radio network around it, for tests.
 */
class RanTransportLab
{
  public:
    /// Packets of one size between two nodes
    struct Stream
    {
        uint32_t from{0};             ///< index of the sending node
        uint32_t to{0};               ///< index of the receiving node
        uint32_t tunnelClass{0};      ///< class
        uint32_t bytes{1};            ///< size of a packet
        double intervalNs{0};         ///< between packets, on average when it is random
        bool poisson{false};          ///< whether intervals are exponential
        int64_t startNs{0};           ///< when the first packet may come
        uint64_t count{0};            ///< packets still to be sent
        Ptr<ExponentialRandomVariable> random; ///< of Poisson arrivals
        uint64_t sent{0};                      ///< packets sent
        uint64_t dropped{0};                   ///< packets reported as dropped
        std::vector<std::pair<int64_t, int64_t>> delivered; ///< when sent and when received, ns
        std::vector<int64_t> endMarkers;                    ///< when received, ns
    };

    RanTransportLab();
    ~RanTransportLab();

    /**
     * \param stack whether the node already has an internet stack and a default route
     * \return index of a new node
     */
    uint32_t AddNode(bool stack);

    /**
     * \param node index of a node
     * \return how many routes it has without those of paths
     */
    uint32_t CountStaticRoutes(uint32_t node) const;

    /**
     * Start a stream; its tunnel endpoint identifier is its index.
     * \param stream what to send
     * \return its index
     */
    uint32_t AddStream(const Stream& stream);

    /**
     * \param stream index of the stream, whose path an End Marker follows
     */
    void SendEndMarker(uint32_t stream);

    /**
     * Run.
     * \param ns simulated time
     */
    void Advance(int64_t ns);

    /// Run until nothing is left to happen
    void Drain();

    /**
     * \param index of the stream
     * \return what has become of it
     */
    const Stream& GetStream(uint32_t index) const
    {
        return m_streams.at(index);
    }

    /**
     * \return the network
     */
    RanTransport& GetTransport()
    {
        return *m_transport;
    }

  private:
    /// \param index of the stream that sends its next packet
    void SendNext(uint32_t index);

    /// \param index of the stream \param packet of it \param endMarker whether it is one
    void Receive(uint32_t index, Ptr<Packet> packet, bool endMarker);

    /// \param packet that was dropped
    void Drop(Ptr<const Packet> packet);

    Ptr<RanTransport> m_transport;  ///< the network
    std::vector<Ptr<Node>> m_nodes; ///< by index
    std::vector<Stream> m_streams;  ///< by index
};

} // namespace ns3

#endif /* RAN_TRANSPORT_LAB_H */
