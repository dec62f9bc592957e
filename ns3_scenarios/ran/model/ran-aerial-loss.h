/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_AERIAL_LOSS_H
#define RAN_AERIAL_LOSS_H

#include "ns3/channel-condition-model.h"
#include "ns3/mobility-model.h"
#include "ns3/random-variable-stream.h"

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace ns3
{

/// Environments of TR 36.777 with aerial users
enum class RanAerialEnvironment : uint8_t
{
    UMI, ///< UMi-AV
    UMA, ///< UMa-AV
    RMA  ///< RMa-AV
};

/**
 * \ingroup ran
 * \param environment the environment
 * \return height above which a user is an aerial one (TR 36.777 Tables B-1 to B-3), m
 */
double RanAerialMinimumHeight(RanAerialEnvironment environment);

/**
 * \ingroup ran
 * Line-of-sight probability of an aerial user, TR 36.777 Table B-1.
 *
 * \param environment the environment
 * \param distance2d horizontal distance, m
 * \param height of the user, m; above 300 m taken as 300 m, where the table ends
 * \return the probability
 */
double RanAerialLosProbability(RanAerialEnvironment environment,
                               double distance2d,
                               double height);

/**
 * \ingroup ran
 * Path loss of an aerial user, TR 36.777 Table B-2.
 *
 * \param environment the environment
 * \param los whether in line of sight
 * \param distance3d distance, m
 * \param height of the user, m; above 300 m taken as 300 m, where the table ends
 * \param frequency Hz
 * \return the path loss, dB
 */
double RanAerialPathLossDb(RanAerialEnvironment environment,
                           bool los,
                           double distance3d,
                           double height,
                           double frequency);

/**
 * \ingroup ran
 * Standard deviation of the shadow fading of an aerial user, TR 36.777 Table B-3.
 *
 * \param environment the environment
 * \param los whether in line of sight
 * \param height of the user, m; above 300 m taken as 300 m, where the table ends
 * \return the standard deviation, dB
 */
double RanAerialShadowingDb(RanAerialEnvironment environment, bool los, double height);

/**
 * \ingroup ran
 *
 * Line of sight, path loss and shadow fading of users in the air (TR 36.777 Annex B), which ns-3
 * does not have. As a condition model it answers for users near the ground what the model for the
 * ground says.
 *
 * Each pair of site and user has three standard normal variables that follow the distance moved
 * with the correlation exp(-moved / correlation distance) (TR 38.901 7.4-5): one decides on line of
 * sight by comparison with the probability (TR 38.901 7.6.3.3), the others are the shadowing in and
 * out of line of sight. The distances are those of TR 38.901 Tables 7.6.3.1-2 and 7.5-6. Climbing
 * counts as moving. Nothing changes while the user hovers.
 */
class RanAerialLoss : public ChannelConditionModel
{
  public:
    static TypeId GetTypeId();

    RanAerialLoss();
    ~RanAerialLoss() override;

    /**
     * \param environment the environment
     * \param frequency Hz
     * \param lineOfSight probabilistic, always or never
     * \param shadowing whether there is shadow fading
     * \param ground the model for users near the ground
     */
    void Configure(RanAerialEnvironment environment,
                   double frequency,
                   const std::string& lineOfSight,
                   bool shadowing,
                   Ptr<ChannelConditionModel> ground);

    /**
     * \param user mobility model of a user
     * \return whether the user is in the air
     */
    bool Covers(Ptr<const MobilityModel> user) const;

    /**
     * \param site mobility model of a site
     * \param user mobility model of a user in the air
     * \return path loss and shadowing, dB
     */
    double LossDb(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const;

    /**
     * \param site mobility model of a site
     * \param user mobility model of a user
     * \return the condition between the two
     */
    Ptr<ChannelCondition> GetChannelCondition(Ptr<const MobilityModel> site,
                                              Ptr<const MobilityModel> user) const override;

    int64_t AssignStreams(int64_t stream) override;

  protected:
    void DoDispose() override;

  private:
    /// What is known of a site and a user
    struct Link
    {
        Vector sightAt;                    ///< where the user was when \c sight was drawn
        double sight{0};                   ///< normal variable of the line of sight
        Vector shadowingAt;                ///< where the user was when \c shadowing was drawn
        std::array<double, 2> shadowing{}; ///< normal variables out of and in line of sight
    };

    /// \return the link, as of where the user is now
    const Link& Follow(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const;

    /// \return whether the user is in line of sight of the site
    bool IsLos(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const;

    /// \return a standard normal variable
    double Draw() const;

    RanAerialEnvironment m_environment{RanAerialEnvironment::UMI}; ///< the environment
    double m_frequency{0};                                         ///< Hz
    std::string m_lineOfSight;                                     ///< probabilistic, always, never
    bool m_shadowing{true};                                        ///< shadow fading
    Ptr<ChannelConditionModel> m_ground;                           ///< near the ground
    /// Made with the first user in the air, lest other scenarios get other random numbers
    mutable Ptr<NormalRandomVariable> m_normal;
    mutable std::unordered_map<uint64_t, Link> m_links; ///< by nodes of site and user
};

} // namespace ns3

#endif /* RAN_AERIAL_LOSS_H */
