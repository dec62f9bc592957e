/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_CELL_H
#define RAN_CELL_H

#include "ran-channel.h"
#include "ran-error-model.h"
#include "ran-mcs-table.h"
#include "ran-power.h"
#include "ran-scheduler.h"
#include "ran-ue.h"

#include "ns3/callback.h"
#include "ns3/event-id.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"
#include "ns3/traced-callback.h"

#include <array>
#include <deque>
#include <string>
#include <vector>

namespace ns3
{

/**
 * The resource grid of a cell. Groups are of equal size, so that their number times their size is
 * the number of resource blocks exactly.
 */
struct RanGrid
{
    uint32_t nRb{0};          ///< resource blocks
    uint32_t nRbg{0};         ///< resource-block groups
    double rbPerRbg{0};       ///< resource blocks per group
    double rbHz{0};           ///< width of a resource block
    int64_t slotNs{1000000};  ///< slot duration

    /**
     * \return occupied bandwidth, Hz
     */
    double OccupiedHz() const
    {
        return nRb * rbHz;
    }

    /**
     * \param o another grid
     * \return whether groups of both lie on the same frequencies
     */
    bool SameBands(const RanGrid& o) const
    {
        return nRbg == o.nRbg && OccupiedHz() == o.OccupiedHz();
    }
};

/**
 * A transport block on its way.
 */
struct RanTransportBlock
{
    RanFlow* flow{nullptr};     ///< whose it is
    uint32_t epoch{0};          ///< of the flow when the block was made
    RanPdu pdu;                 ///< what it carries
    RanMcs mcs{};               ///< modulation and coding
    uint8_t mcsIndex{0};        ///< index of the MCS
    uint32_t bits{0};           ///< size
    uint32_t units{0};          ///< units of the grid that it takes
    uint32_t firstUnit{0};      ///< the first of them
    uint8_t symbols{0};         ///< symbols that it lasts
    uint8_t endSymbol{0};       ///< symbol of the slot after its last
    double resourceElements{0}; ///< that carry data
    double psd{0};              ///< transmitted power spectral density, W/Hz
    uint8_t transmissions{0};   ///< so far, with this one
    double miBits{0};           ///< mutual information received so far, bits
    double codedBits{0};        ///< coded bits received so far
    double firstCodedBits{0};   ///< coded bits of the first transmission
    bool decoded{false};        ///< whether the last transmission succeeded
    int64_t readyNs{0};         ///< earliest decision on a repetition
};

/**
 * What became of users that left a cell, in a reporting interval.
 */
struct RanHandoverCounters
{
    uint64_t attempts{0};  ///< handovers commanded
    uint64_t successes{0}; ///< handovers completed
    uint64_t failures{0};  ///< handovers that failed
    uint64_t pingPongs{0}; ///< users handed straight back to where they came from
    uint64_t linkFailures{0}; ///< radio link failures
};

/**
 * When users of a cell are handed over: event A3 of TS 38.331 5.5.4.4.
 */
struct RanA3
{
    double offsetDb{2};          ///< a3-Offset
    double hysteresisDb{1};      ///< hysteresis
    Time timeToTrigger{MilliSeconds(160)}; ///< for so long the condition must hold
    std::vector<float> cellOffsetDb; ///< of each neighbour (Ocn), by its index in the network
};

/**
 * What a cell, or the users of a cell, transmit in the present slot.
 */
struct RanTransmission
{
    bool active{false};          ///< whether there is any
    double meanPsd{0};           ///< over all groups, W/Hz
    std::vector<double> psd;     ///< per group, W/Hz
    std::vector<RanLink*> owner; ///< per group: whose it is, for beams and uplink positions
};

/**
 * \ingroup ran
 *
 * A cell: resource grid, schedulers, link adaptation and HARQ. In each slot the network
 * calls \c Decide and then, when all cells have decided, \c Transmit.
 */
class RanCell : public Object
{
  public:
    static TypeId GetTypeId();

    RanCell();
    ~RanCell() override;

    uint32_t id{0};                ///< index in the network
    uint32_t carrier{0};           ///< index of its carrier
    uint32_t site{0};              ///< index of its site
    Ptr<MobilityModel> mobility;   ///< of the site
    Ptr<UniformPlanarArray> array; ///< antenna
    Ptr<RanChannel> channel;       ///< of its carrier
    Ptr<RanErrorModel> errorModel; ///< decoding
    std::vector<RanCell*> neighbours; ///< co-channel cells, nearest first
    std::vector<RanGeometry> geometries; ///< to each user of the network, by its index
    RanA3 a3;                      ///< when its users are handed over
    RanHandoverCounters handovers; ///< of this interval

    /**
     * Change the grid, in flight too.
     * \param numerology numerology; subcarrier spacing is 15 kHz times 2^numerology
     * \param nRb resource blocks
     * \param rbgSize resource blocks per group, 0 for the standard's
     */
    void SetGrid(uint8_t numerology, uint32_t nRb, uint32_t rbgSize);

    /**
     * \return the grid
     */
    const RanGrid& GetGrid() const
    {
        return m_grid;
    }

    /**
     * \param dbm power over the whole carrier
     */
    void SetTxPower(double dbm);
    /**
     * \return power over the whole carrier, dBm
     */
    double GetTxPower() const;
    /**
     * \return power spectral density of the downlink, W/Hz
     */
    double DownlinkPsd() const
    {
        return m_downlinkPsd;
    }

    /**
     * \param bler target of the outer loop
     */
    void SetTargetBler(double bler);
    /**
     * \return target of the outer loop
     */
    double GetTargetBler() const;
    /**
     * \param policy round_robin, proportional_fair, max_ci or qos
     */
    void SetScheduler(RanPolicy policy);
    /**
     * \param shares by slice, for both directions
     */
    void SetShares(const std::vector<RanSliceShare>& shares);
    /**
     * \param deg down-tilt of the array
     */
    void SetTilt(double deg);

    /**
     * How deeply the cell may sleep, in flight too.
     * \param mode how deeply
     * \param wakePct load, in per cent of 20 ms of resource blocks, that wakes it up
     */
    void SetSleep(RanSleepMode mode, double wakePct);

    /**
     * \return whether the cell is ordered to leave its users, and still has not
     */
    bool IsLeaving() const;

    /**
     * Its users are gone, or have nowhere to go: send nothing new.
     * \return whether no block is in the air or waits to be repeated
     */
    bool Drain();

    /// Fall into deep sleep, or switch off
    void Leave();

    /**
     * \param loadPct load of the cells around, in per cent, which may wake a deep sleeper up, or let
     *        it sleep again
     */
    void Consider(double loadPct);

    /**
     * \param outage whether the cell has failed
     */
    void SetOutage(bool outage);

    /**
     * \param db by how much a foreign transmitter raises the noise of the cell and its users
     */
    void SetNoiseRise(double db);

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

    /**
     * \return state and energy
     */
    RanPower& GetPower()
    {
        return m_power;
    }

    /**
     * \param callback called when the cell wakes up with something to do
     */
    void SetActivation(Callback<void> callback);

    /**
     * \return average share of groups used, up to now
     */
    double Load() const;

    /**
     * \return received power of a resource element over path gain, dBm
     */
    double ReferenceSignalDbm() const
    {
        return m_referenceSignalDbm;
    }

    /**
     * \param link a link of this cell
     * \return downlink SINR with all cells at their average load, linear
     */
    double AverageSinr(const RanLink& link) const;

    /**
     * Serve a flow.
     * \param flow the flow
     */
    void AddFlow(RanFlow* flow);

    /**
     * Serve a flow no more, and forget its blocks.
     * \param flow the flow
     */
    void RemoveFlow(RanFlow* flow);

    /**
     * A flow has something to send.
     * \param flow the flow
     */
    void Activate(RanFlow* flow);

    /**
     * \return whether the cell is awake and there is something to do without further arrivals
     */
    bool HasWork() const;

    /**
     * \return whether a slot of this cell starts now
     * \param nowNs the time
     */
    bool SlotStarts(int64_t nowNs) const
    {
        return nowNs % m_grid.slotNs == 0;
    }

    /**
     * Decide what is transmitted in the slot that is being prepared.
     * \param nowNs the time
     */
    void Decide(int64_t nowNs);

    /**
     * Find out which of the decided blocks arrive.
     * \param nowNs the time
     * \return the blocks, which the caller finishes with \c Finish at their time
     */
    std::vector<RanTransportBlock>& Transmit(int64_t nowNs);

    /**
     * A block has been received or not: acknowledge, repeat or give up.
     * \param block the block
     */
    void Finish(RanTransportBlock& block);

    /**
     * \param block a block of this cell
     * \return delay from the decision to the end of its decoding
     */
    Time CompletionDelay(const RanTransportBlock& block) const;

    /**
     * Resource blocks times symbols that a direction had between two times.
     * \param direction which way
     * \param fromNs from
     * \param toNs to
     * \return resource blocks times symbols
     */
    double Capacity(RanDirection direction, int64_t fromNs, int64_t toNs) const;

    /**
     * Take over the present geometry of a link, and divide the neighbours into those that it hears
     * strongly and the others.
     * \param link a link of this cell
     */
    void RefreshLink(RanLink& link) const;

    /**
     * \return mean uplink interference over thermal noise since the last call, dB
     */
    double TakeInterferenceOverThermalDb();

    /**
     * Delay from an uplink arrival at an empty queue to its first grant.
     * \return the delay
     */
    Time UplinkGrantDelay() const;

  protected:
    void DoInitialize() override;
    void DoDispose() override;

  private:
    /**
     * \param direction which way
     * \param slot slot number
     * \return data symbols of that direction in the slot
     */
    uint8_t DataSymbols(RanDirection direction, uint64_t slot) const;

    /**
     * Schedule one direction.
     * \param direction which way
     * \param nowNs the time
     * \param symbols data symbols
     */
    void DecideDirection(RanDirection direction, int64_t nowNs, uint8_t symbols);

    /**
     * MCS for a flow.
     * \param flow the flow
     * \param rb resource blocks that it gets
     * \param nowNs the time
     * \return index in the MCS table
     */
    uint8_t SelectMcs(RanFlow& flow, double rb, int64_t nowNs);

    /**
     * Measure the downlink of a link and report its CQI.
     * \param link the link
     * \param nowNs the time
     */
    void Measure(RanLink& link, int64_t nowNs);

    /**
     * Uplink power control (TS 38.213 7.1.1).
     * \param link the link
     * \param rb resource blocks transmitted on
     * \return power spectral density, W/Hz
     */
    double UplinkPsd(const RanLink& link, double rb) const;

    /**
     * \param link the link
     * \return most resource blocks that a user's power is enough for
     */
    double UplinkLimitRb(const RanLink& link) const;

    /**
     * Interference that a user receives in one group, without noise.
     * \param link its link
     * \param group index of the group
     * \return W/Hz
     */
    double DownlinkInterference(const RanLink& link, uint32_t group) const;

    /**
     * Interference that a user receives over the whole carrier, without noise and beams.
     * \param link its link
     * \return W/Hz
     */
    double MeanDownlinkInterference(const RanLink& link) const;

    /**
     * Interference that this cell receives in one group while it listens to a link.
     * \param link the link
     * \param group index of the group
     * \return W/Hz
     */
    double UplinkInterference(const RanLink& link, uint32_t group) const;

    /**
     * What a direction of this cell transmits on another grid's group.
     * \param direction which way
     * \param grid the other grid
     * \param group index of its group
     * \param owner set to whose transmission it is
     * \return W/Hz
     */
    double PsdOn(RanDirection direction,
                 const RanGrid& grid,
                 uint32_t group,
                 RanLink*& owner) const;

    /**
     * SINR and mutual information of a block, and whether it is decoded.
     * \param block the block
     */
    void Evaluate(RanTransportBlock& block);

    /**
     * Draw fast fading anew when its time has come.
     * \param link the link
     * \param nowNs the time
     */
    void RefreshFading(RanLink& link, int64_t nowNs);

    /**
     * \param block a block of this cell that will not be repeated any more
     */
    static void GiveUp(RanTransportBlock& block);

    /// \return whether a flow or a repetition waits
    bool HasDemand() const;

    /// \return whether blocks wait to be repeated
    bool HasRepetitions() const
    {
        return !m_retransmissions[RAN_DL].empty() || !m_retransmissions[RAN_UL].empty();
    }

    /// Go to sleep if there is still nothing to do
    void FallAsleep();

    /// Wake up if enough is waiting, or look again later
    void CheckWake();

    /// Begin to wake up
    void Wake();

    /// Be back in service
    void Awake();

    /// \return resource blocks that would serve what waits, in per cent of those in 20 ms
    double WaitingPct();

    /// Recompute what depends on noise figures
    void UpdateNoise();

    /// Recompute what depends on power and grid
    void UpdatePsd();

    /// Recompute what depends on grid and target
    void UpdateThresholds();

    RanGrid m_grid;                        ///< resource grid
    double m_txPowerDbm;                   ///< over the whole carrier
    double m_downlinkPsd{0};               ///< W/Hz
    double m_targetBler;                   ///< of the outer loop
    bool m_outerLoop;                      ///< outer-loop link adaptation
    std::string m_mcsTableName;            ///< attribute
    RanMcsTable m_mcsTable{};              ///< which tables
    uint8_t m_harqMaxRetx;                 ///< repetitions of a block
    bool m_tdma;                           ///< units are symbols
    bool m_fdd;                            ///< frequency division duplex
    std::string m_pattern;                 ///< TDD slots
    uint8_t m_preparationSlots;            ///< from decision to air
    uint8_t m_harqRttSlots;                ///< from transmission to repetition
    uint8_t m_ulGrantSlots;                ///< scheduling request and grant
    Time m_decodeTime;                     ///< receiver's decoding
    Time m_cqiPeriod;                      ///< between CQI reports
    double m_noiseFigureCellDb;            ///< base station
    double m_noiseFigureUeDb;              ///< user
    double m_ueMaxPowerDbm;                ///< user's power
    double m_p0Dbm;                        ///< uplink target per 180 kHz
    double m_alpha;                        ///< path loss compensation
    bool m_restart;                        ///< round robin restarts
    uint8_t m_powerCategory;               ///< base station category of TR 38.864
    double m_referencePowerDbm;            ///< at which the power model's reference transmits
    Time m_sleepAfter;                     ///< idle time before light sleep

    RanPower m_power;                      ///< state and energy
    double m_wakePct{0};                   ///< load that wakes it up
    double m_noiseRise{1};                 ///< noise over thermal noise, linear
    int64_t m_waitingNs{-1};               ///< since when a sleeping cell has been asked for
    bool m_draining{false};                ///< nothing new is sent
    int64_t m_inAirNs{-1};                 ///< until then blocks are in the air
    int64_t m_quietNs{-1};                 ///< since when a deep sleeper has not been needed
    EventId m_idleEvent;                   ///< falling asleep
    EventId m_wakeEvent;                   ///< being awake, or looking again
    Callback<void> m_activation;           ///< told when it wakes up
    double m_referenceSignalDbm{0};        ///< per resource element

    std::array<std::vector<RanFlow*>, 2> m_flows;       ///< by direction
    std::array<std::vector<RanFlow*>, 2> m_active;      ///< with something to send, by order
    std::array<RanScheduler, 2> m_schedulers;           ///< by direction
    std::array<std::deque<RanTransportBlock>, 2> m_retransmissions; ///< waiting to be repeated
    std::array<RanTransmission, 2> m_transmission;      ///< of the present slot
    std::vector<RanTransportBlock> m_blocks;            ///< of the present slot
    std::vector<RanCandidate> m_candidates;             ///< scratch
    std::vector<RanFlow*> m_candidateFlows;             ///< scratch
    std::vector<uint8_t> m_candidateMcs;                ///< scratch
    std::vector<uint32_t> m_used;                       ///< scratch: by slice
    std::vector<double> m_mcsSinrDb;                    ///< SINR at target BLER by MCS
    std::array<double, 16> m_cqiSinrDb{};               ///< SINR that a CQI stands for
    double m_noisePsdUe{0};                             ///< W/Hz
    double m_noisePsdCell{0};                           ///< W/Hz
    double m_thermalPsdCell{0};                         ///< W/Hz, without foreign transmitters
    double m_load{0};                                   ///< average share of groups used
    uint64_t m_loadSlot{0};                             ///< slot up to which it is right
    double m_uplinkInterference{0};                     ///< filtered, W/Hz
    double m_iotSum{0};                                 ///< sum of interference over noise
    uint64_t m_iotCount{0};                             ///< samples of it
    uint32_t m_nSlices{1};                              ///< number of slices
    Ptr<UniformRandomVariable> m_random;                ///< decoding
    bool m_beams{false};                                ///< the array has several elements
    Ptr<SpectrumModel> m_bands;                         ///< for fast fading

    TracedCallback<const RanTransportBlock&> m_blockTrace; ///< each transmission
};

} // namespace ns3

#endif /* RAN_CELL_H */
