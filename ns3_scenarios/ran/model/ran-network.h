/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_NETWORK_H
#define RAN_NETWORK_H

#include "ran-cell.h"
#include "ran-channel.h"
#include "ran-mobility.h"
#include "ran-ue.h"

#include "ns3/event-id.h"
#include "ns3/object.h"

#include <vector>

namespace ns3
{

/**
 * \ingroup ran
 *
 * All cells and users, and the clock of their slots: at each slot start the cells decide, then
 * what arrives is found out with everybody's transmissions known. While nobody has anything to
 * send, no slots are simulated.
 */
class RanNetwork : public Object
{
  public:
    static TypeId GetTypeId();

    RanNetwork();
    ~RanNetwork() override;

    /**
     * \param channel a carrier
     */
    void AddCarrier(Ptr<RanChannel> channel);

    /**
     * \param cell a cell; its index is set
     */
    void AddCell(Ptr<RanCell> cell);

    /**
     * \param ue a user; its index is set
     */
    void AddUe(Ptr<RanUe> ue);

    /**
     * Compute the geometry of all pairs, and attach each user to its best cell on the first
     * carrier and to the cells of the same sector on the others.
     */
    void Start();

    /**
     * Recompute geometry after cells have changed.
     */
    void RefreshGeometry();

    /**
     * Recompute what depends on powers and grids after cells have changed.
     */
    void RefreshLinks();

    /**
     * Take a user from its cells; what it has not received wholly will be sent again.
     * \param ue the user
     */
    void Detach(RanUe& ue);

    /**
     * Put a user under a cell of the first carrier and its sector's cells on the others.
     * \param ue a user that is under no cell
     * \param primary the cell
     */
    void Attach(RanUe& ue, RanCell& primary);

    /**
     * Begin to serve an attached user.
     * \param ue the user
     */
    void Serve(RanUe& ue);

    /**
     * \return what users did since the last call at cells that they have left
     */
    std::vector<RanDeparted> TakeDeparted();

    /**
     * \param callback called when a user is served by another cell than before
     */
    void SetServingChanged(Callback<void, RanUe&> callback);

    /**
     * \return measurements and handover
     */
    Ptr<RanMobility> GetMobility() const
    {
        return m_mobility;
    }

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

    /**
     * Run the slot clock, if it is not running.
     */
    void Wake();

    /**
     * \return the cells
     */
    const std::vector<Ptr<RanCell>>& GetCells() const
    {
        return m_cells;
    }

    /**
     * \return the users
     */
    const std::vector<Ptr<RanUe>>& GetUes() const
    {
        return m_ues;
    }

  protected:
    void DoDispose() override;

  private:
    /// One step of the slot clock
    void Tick();

    /**
     * Blocks whose decoding ends now.
     * \param blocks the blocks
     */
    void Complete(std::vector<RanTransportBlock> blocks);

    /**
     * Geometry of one user to all cells.
     * \param ue the user
     */
    void LocateUe(RanUe& ue);

    /**
     * Make the links and flows of a user.
     * \param ue the user
     */
    void CreateFlows(RanUe& ue);

    /// Follow the users that move
    void FollowMovement();

    /**
     * A user's empty queue got something to send.
     * \param ue the user
     * \param bearer its bearer
     * \param direction which way
     */
    void Arrival(RanUe* ue, RanBearer* bearer, RanDirection direction);

    /// \return duration of the shortest slot of any cell, ns
    int64_t ShortestSlotNs() const;

    Time m_movementPeriod;                      ///< between updates of moving users
    std::vector<Ptr<RanChannel>> m_channels;    ///< by carrier
    std::vector<Ptr<RanCell>> m_cells;          ///< by index
    std::vector<Ptr<RanUe>> m_ues;              ///< by index
    Ptr<RanMobility> m_mobility;                ///< measurements and handover
    std::vector<RanDeparted> m_departed;        ///< in this interval
    Callback<void, RanUe&> m_servingChanged;    ///< told when a user changes cells
    EventId m_tick;                             ///< next step of the slot clock
};

} // namespace ns3

#endif /* RAN_NETWORK_H */
