/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_MOBILITY_H
#define RAN_MOBILITY_H

#include "ran-ue.h"

#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"

#include <vector>

namespace ns3
{

class RanNetwork;

/// A cell as a user hears it
struct RanMeasured
{
    uint32_t cell;  ///< index of the cell
    double rsrpDbm; ///< filtered at layer 3
};

/**
 * \ingroup ran
 *
 * Mobility in connected mode: RSRP measurements with the layer-3 filter of TS 38.331 5.5.3.2, event
 * A3 (5.5.4.4) with time to trigger, handover with preparation and interruption, radio link
 * monitoring with T310 (5.3.10) and re-establishment at the best cell (5.3.7). It also moves the
 * users of a cell that is about to sleep deeply or to be switched off.
 *
 * Users are handed over between cells of the first carrier; cells of the same sector on other
 * carriers come along.
 */
class RanMobility : public Object
{
  public:
    static TypeId GetTypeId();

    RanMobility();
    ~RanMobility() override;

    /**
     * Begin to measure, with all users attached.
     * \param network the network
     */
    void Start(RanNetwork* network);

    /**
     * Hand a user over, whatever it measures. Ignored while the user is not served, already being
     * handed over, or served by that cell.
     * \param ue the user
     * \param target the cell
     */
    void Order(RanUe& ue, RanCell& target);

    /**
     * \param ue a user
     * \param n how many
     * \return the strongest cells other than its own, strongest first
     */
    std::vector<RanMeasured> Strongest(const RanUe& ue, size_t n) const;

    /**
     * \param ue a user
     * \return handovers completed since the last call
     */
    uint64_t TakeHandovers(const RanUe& ue);

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    void DoDispose() override;

  private:
    /// What is known of a user
    struct Track
    {
        std::vector<float> rsrpDbm;     ///< filtered, by candidate; -infinity when not heard
        std::vector<int64_t> enteredNs; ///< by candidate: since when A3 holds, or -1
        int64_t outOfSyncNs{-1};        ///< since when the serving link is too weak, or -1
        EventId procedure;              ///< next step of a handover or re-establishment
        RanCell* source{nullptr};       ///< cell before the last handover
        int64_t handedOverNs{0};        ///< when that was
        uint64_t handovers{0};          ///< completed in this interval
    };

    /// One round of measurements
    void Measure();

    /**
     * \param ue a user \param track what is known of it
     */
    void Sample(const RanUe& ue, Track& track);

    /**
     * \param ue a served user \param track what is known of it \param nowNs the time
     * \return the cell that event A3 reports, or null
     */
    RanCell* Triggered(const RanUe& ue, Track& track, int64_t nowNs);

    /**
     * \param ue a served user \param track what is known of it \param nowNs the time
     * \return whether its radio link has failed
     */
    bool HasFailed(const RanUe& ue, Track& track, int64_t nowNs) const;

    /// Move the users of cells that are about to sleep or to be switched off
    void Evacuate();

    /**
     * \param ue a user \param track what is known of it \return best cell that it can use, or null
     */
    RanCell* BestCell(const RanUe& ue, const Track& track) const;

    /**
     * \param cell a cell \return whether it takes users
     */
    static bool TakesUsers(RanCell& cell);

    /// \param ue a user that has been told to go
    void Execute(RanUe* ue, RanCell* target);

    /// \param ue a user \param source where it came from \param target where it arrives
    void Complete(RanUe* ue, RanCell* source, RanCell* target);

    /// \param ue a user whose radio link has failed
    void Fail(RanUe& ue);

    /// \param ue a lost user that looks for a cell
    void Reestablish(RanUe* ue);

    /**
     * \param ue a user, which is attached to the cell if it can be heard there
     * \param cell the cell
     * \return whether it can
     */
    bool Attach(RanUe& ue, RanCell& cell);

    bool m_enabled;             ///< users move between cells
    Time m_period;              ///< between samples
    double m_filterCoefficient; ///< k of the layer-3 filter
    double m_errorDb;           ///< standard deviation of a sample
    Time m_preparation;         ///< from report to command
    Time m_interruption;        ///< from command to service
    Time m_pingPong;            ///< a return within this time is a ping-pong
    double m_qOutDb;            ///< out of sync below
    double m_qInDb;             ///< in sync above
    Time m_t310;                ///< out of sync for so long is a failure
    Time m_reestablishment;     ///< from failure to service
    double m_minRsrpDbm;        ///< weaker cells cannot be used

    RanNetwork* m_network{nullptr};      ///< what is served
    std::vector<RanCell*> m_candidates;  ///< cells of the first carrier
    std::vector<Track> m_tracks;         ///< by user
    Ptr<NormalRandomVariable> m_error;   ///< of samples
    EventId m_measure;                   ///< next round of measurements
};

} // namespace ns3

#endif /* RAN_MOBILITY_H */
