/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_UE_H
#define RAN_UE_H

#include "ran-bearer.h"
#include "ran-channel.h"

#include "ns3/mobility-model.h"
#include "ns3/object.h"
#include "ns3/uniform-planar-array.h"

#include <array>
#include <memory>
#include <vector>

namespace ns3
{

class RanCell;
class RanUe;

/// Direction of transmission; also the index of arrays of two
enum RanDirection : uint8_t
{
    RAN_DL = 0, ///< downlink
    RAN_UL = 1  ///< uplink
};

/**
 * A cell that a user hears beside its own.
 */
struct RanInterferer
{
    RanCell* cell{nullptr};    ///< the cell
    double gain{0};            ///< path gain with the gain of the user's array
    bool sameBands{true};      ///< whether its groups lie where the serving cell's do
    std::vector<float> fading; ///< fast fading per resource-block group, or empty
};

/**
 * A user and one of its serving cells: what link adaptation knows, and what the channel is.
 */
struct RanLink
{
    RanUe* ue{nullptr};     ///< the user
    RanCell* cell{nullptr}; ///< the cell
    RanGeometry geometry;   ///< between the two
    double gain{0};         ///< path gain with both array gains, without fading
    std::vector<float> fading;              ///< fast fading per group, or empty
    int64_t fadingNs{-1};                   ///< when fading was drawn
    std::vector<RanInterferer> interferers; ///< strong co-channel cells, strongest first
    std::vector<RanInterferer> weak;        ///< the others, taken at their average load
    double weakPsd{0};                      ///< interference of the weak cells, W/Hz
    int64_t weakNs{-1};                     ///< when it was summed up

    double filteredSinr{-1};            ///< measured downlink SINR, linear; negative before the first
    uint8_t cqi{0};                     ///< CQI in use at the cell
    uint8_t nextCqi{0};                 ///< CQI measured and not yet in use
    uint32_t lastRb{0};                 ///< resource blocks of the last downlink block
    int64_t measuredNs{-1};             ///< when the last CQI was measured
    std::array<double, 2> offsetDb{};   ///< outer-loop offset by direction
};

/**
 * What happened to the packets of a flow between a user and its far end, in one direction.
 */
struct RanPathCounters
{
    uint64_t sentBits{0};             ///< sent by the application
    uint64_t deliveredBits{0};        ///< arrived at the other end
    uint64_t droppedRadioBits{0};     ///< dropped by the bearer
    uint64_t droppedTransportBits{0}; ///< dropped or lost between site and far end
    std::vector<float> delaysMs;      ///< delay of each packet that arrived
    double jitterSumMs{0};            ///< sum of absolute delay changes between packets
    uint64_t jitterCount{0};          ///< number of delay changes
    uint64_t reordered{0};            ///< packets that came after one sent later
};

/**
 * A QoS flow of a user (TS 23.501 5.7): what it is promised, its bearers, and how it fares. Each has
 * a bearer of its own for every direction in which it sends.
 */
struct RanQosFlow
{
    uint32_t index{0};           ///< place among its user's flows
    uint32_t slice{0};           ///< index of its slice
    double delayBudgetMs{300};   ///< of its 5QI
    double guaranteedBps{0};     ///< guaranteed downlink rate
    uint32_t tunnelClass{0};     ///< which way it takes through the transport network
    std::array<Ptr<RanBearer>, 2> bearers;   ///< by direction
    std::array<RanPathCounters, 2> paths;    ///< by direction, of this interval
    std::array<int64_t, 2> inFlightBits{};   ///< by direction: sent, and not yet arrived or dropped
    std::array<double, 2> lastDelayMs{-1, -1}; ///< by direction: of the packet before, for jitter
    std::array<int64_t, 2> latestSentNs{}; ///< by direction: of all packets that have arrived
};

/**
 * Counters of a flow in a reporting interval.
 */
struct RanFlowCounters
{
    double rbSymbols{0};         ///< resource blocks times symbols used
    uint64_t blocks{0};          ///< first transmissions
    uint64_t errors{0};          ///< of them in error
    uint64_t finished{0};        ///< blocks decoded or given up
    uint64_t givenUp{0};         ///< of them given up after all retransmissions
    double mcsSum{0};            ///< sum of the MCS index of first transmissions
    double sinrDbSum{0};         ///< sum of the effective SINR in dB of all transmissions
    uint64_t transmissions{0};   ///< first and repeated transmissions
    uint64_t payloadBits{0};     ///< carried by decoded blocks
};

/**
 * A bearer on one of its user's links: what a scheduler serves.
 */
struct RanFlow
{
    RanLink* link{nullptr};     ///< radio link
    RanQosFlow* qos{nullptr};   ///< whose bearer it is
    Ptr<RanBearer> bearer;      ///< what it carries
    RanDirection direction{RAN_DL}; ///< which way
    uint32_t order{0};          ///< place among the cell's flows
    uint32_t epoch{0};          ///< how often it has changed cells
    bool active{false};         ///< in the cell's list of flows with something to send
    double averageBytes{0};     ///< average served per slot, for proportional fair
    uint64_t averageSlot{0};    ///< slot up to which the average is right
    RanFlowCounters counters;   ///< of this interval
};

/**
 * What the flow of a user did at a cell that it has left.
 */
struct RanDeparted
{
    uint32_t ue;              ///< index of the user
    uint32_t slice;           ///< index of the flow's slice
    uint32_t cell;            ///< index of the cell
    RanDirection direction;   ///< which way
    RanFlowCounters counters; ///< of this interval
};

/// Whether a user is served
enum class RanUeState : uint8_t
{
    CONNECTED, ///< by its cell
    PREPARING, ///< by its cell, while another one gets ready
    HANDOVER,  ///< by no cell, on the way to another one
    LOST       ///< by no cell, after a radio link failure
};

/**
 * \ingroup ran
 *
 * A user: where it is, its array, its bearers and links.
 */
class RanUe : public Object
{
  public:
    static TypeId GetTypeId();

    /**
     * \return whether a cell serves it
     */
    bool IsServed() const
    {
        return state == RanUeState::CONNECTED || state == RanUeState::PREPARING;
    }

    uint32_t id{0};                         ///< index in the network
    RanUeState state{RanUeState::CONNECTED}; ///< whether it is served
    bool mobile{false};                     ///< whether it can move
    Ptr<MobilityModel> mobility;            ///< position
    Vector located;                         ///< where its geometry was last computed
    Ptr<UniformPlanarArray> array;          ///< antenna
    std::vector<float> gainDb;              ///< path gain from each cell, by its index
    std::vector<std::unique_ptr<RanQosFlow>> qosFlows; ///< what it sends and receives
    std::vector<std::unique_ptr<RanLink>> links; ///< one per carrier; the first is primary
    std::vector<std::unique_ptr<RanFlow>> flows; ///< of all links, both directions

  protected:
    void DoDispose() override;
};

} // namespace ns3

#endif /* RAN_UE_H */
