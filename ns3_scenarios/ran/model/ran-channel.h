/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_CHANNEL_H
#define RAN_CHANNEL_H

#include "ran-aerial-loss.h"

#include "ns3/channel-condition-model.h"
#include "ns3/mobility-model.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/propagation-loss-model.h"
#include "ns3/spectrum-model.h"
#include "ns3/three-gpp-spectrum-propagation-loss-model.h"
#include "ns3/uniform-planar-array.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ns3
{

/**
 * One direction in space as an array sees it: the phase step between neighbouring elements along
 * its columns and rows, in radians.
 */
struct RanSteering
{
    float horizontal{0}; ///< phase step between columns
    float vertical{0};   ///< phase step between rows
};

/**
 * What does not change from slot to slot between a cell and a user.
 */
struct RanGeometry
{
    double gain{0};       ///< path loss, shadowing and element patterns, linear
    RanSteering atCell;   ///< direction of the user from the cell's array
    RanSteering atUser;   ///< direction of the cell from the user's array
};

/**
 * \ingroup ran
 *
 * Attenuation between cells and users on one carrier, from ns-3's TR 38.901 models: path loss,
 * line-of-sight state and shadowing (ThreeGppPropagationLossModel), element patterns and arrays
 * (UniformPlanarArray), and, where asked for, clustered fast fading (ThreeGppChannelModel).
 * Users in the air have path loss, line of sight and shadowing of TR 36.777 instead
 * (RanAerialLoss).
 *
 * ns-3 draws the line-of-sight state of a site and a user once. Here it is drawn again whenever the
 * user is as far from where it was drawn as its correlation distance (TR 38.901 Table 7.6.3.1-2).
 */
class RanChannel : public Object
{
  public:
    static TypeId GetTypeId();

    RanChannel();
    ~RanChannel() override;

    /**
     * \param site mobility model of the site
     * \param cell array of the cell
     * \param user mobility model of the user
     * \param ue array of the user
     * \param lossDb path loss and shadowing between the two
     * \return the geometry
     */
    RanGeometry Geometry(Ptr<const MobilityModel> site,
                         Ptr<const UniformPlanarArray> cell,
                         Ptr<const MobilityModel> user,
                         Ptr<const UniformPlanarArray> ue,
                         double lossDb) const;

    /**
     * \param site mobility model of a site
     * \param user mobility model of a user
     * \return path loss and shadowing in dB
     */
    double LossDb(Ptr<MobilityModel> site, Ptr<MobilityModel> user) const;

    /**
     * Fast fading of a link whose two arrays point at each other, as a power factor around the
     * gain of \c Geometry and the full array gain.
     *
     * \param site mobility model of the site
     * \param cell array of the cell
     * \param user mobility model of the user
     * \param ue array of the user
     * \param bands a spectrum model with one band for each resource-block group
     * \return a factor for each band
     */
    std::vector<float> Fading(Ptr<const MobilityModel> site,
                              Ptr<UniformPlanarArray> cell,
                              Ptr<const MobilityModel> user,
                              Ptr<UniformPlanarArray> ue,
                              Ptr<const SpectrumModel> bands) const;

    /**
     * \return whether fast fading is on
     */
    bool HasFading() const
    {
        return m_fading;
    }

    /**
     * \return how often fading is drawn anew
     */
    Time FadingPeriod() const
    {
        return m_fadingPeriod;
    }

    /**
     * \return carrier frequency, Hz
     */
    double Frequency() const
    {
        return m_frequency;
    }

    /**
     * Power gain of a uniform planar array in one direction when steered to another, relative to
     * one element; the number of elements where the two agree.
     *
     * \param columns columns of the array
     * \param rows rows of the array
     * \param at the direction
     * \param to where the beam points
     * \return the gain, linear
     */
    static double ArrayGain(uint32_t columns,
                            uint32_t rows,
                            const RanSteering& at,
                            const RanSteering& to);

    /**
     * Draw from fixed random streams from now on; what has been drawn stays.
     * \param stream the first of them
     * \return how many there are
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    void DoInitialize() override;
    void DoDispose() override;

  private:
    /**
     * Whether a user is so far from where its line-of-sight state was drawn that it is to be drawn
     * again, which must then be done here and now.
     *
     * \param site mobility model of a site
     * \param user mobility model of a user
     * \return whether the state is outdated
     */
    bool IsConditionOutdated(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const;

    /**
     * \param site mobility model of a site
     * \param user mobility model of a user
     * \return a number for the two
     */
    static uint64_t PairOf(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user);

    std::string m_environment;  ///< which environment of TR 38.901
    std::string m_lineOfSight;  ///< probabilistic, always, never
    bool m_shadowing;           ///< shadow fading
    bool m_fading;              ///< fast fading
    Time m_fadingPeriod;        ///< redraw period of fast fading
    double m_frequency;         ///< Hz

    Ptr<PropagationLossModel> m_loss;                      ///< path loss and shadowing
    Ptr<ChannelConditionModel> m_condition;                ///< line of sight near the ground
    Ptr<RanAerialLoss> m_aerial; ///< for users in the air, or null where there are none
    double m_conditionDistance{0}; ///< correlation distance of the line of sight, m; 0: it is fixed
    /// Where users were when their line of sight was drawn, by nodes of site and user
    mutable std::unordered_map<uint64_t, Vector> m_conditionAt;
    mutable std::unordered_set<uint64_t> m_shadowed; ///< pairs whose shadowing has been drawn
    Ptr<ThreeGppSpectrumPropagationLossModel> m_spectrum;  ///< fast fading
};

} // namespace ns3

#endif /* RAN_CHANNEL_H */
