/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-aerial-loss.h"

#include "ns3/node.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanAerialLoss);

namespace
{

/// Where the tables of TR 36.777 Annex B end, m
constexpr double MAXIMUM_HEIGHT = 300;
/// The line of sight is decided anew after this share of its correlation distance, not at every
/// step: the samples of a process with exponential correlation cross any level in bursts.
constexpr double SIGHT_STEP = 0.1;

/// Correlation distances in the horizontal plane, m
struct Correlation
{
    double sight;        ///< line-of-sight state, TR 38.901 Table 7.6.3.1-2
    double shadowing[2]; ///< shadow fading out of and in line of sight, TR 38.901 Table 7.5-6
};

/// \param environment the environment \return its correlation distances
const Correlation&
CorrelationOf(RanAerialEnvironment environment)
{
    static const Correlation UMI{50, {13, 10}};
    static const Correlation UMA{50, {50, 37}};
    static const Correlation RMA{60, {120, 37}};
    switch (environment)
    {
    case RanAerialEnvironment::UMI:
        return UMI;
    case RanAerialEnvironment::UMA:
        return UMA;
    default:
        return RMA;
    }
}

/// \param p a probability \param x a standard normal variable \return whether x is in its lowest p
bool
IsBelowQuantile(double p, double x)
{
    return 0.5 * std::erfc(-x / std::sqrt(2.0)) < p;
}

} // namespace

double
RanAerialMinimumHeight(RanAerialEnvironment environment)
{
    return environment == RanAerialEnvironment::RMA ? 10 : 22.5;
}

double
RanAerialLosProbability(RanAerialEnvironment environment, double distance2d, double height)
{
    const double lgH = std::log10(std::min(height, MAXIMUM_HEIGHT));
    double p1 = 0;
    double d1 = 0;
    switch (environment)
    {
    case RanAerialEnvironment::UMI:
        p1 = 233.98 * lgH - 0.95;
        d1 = std::max(294.05 * lgH - 432.94, 18.0);
        break;
    case RanAerialEnvironment::UMA:
        if (height > 100)
        {
            return 1;
        }
        p1 = 4300 * lgH - 3800;
        d1 = std::max(460 * lgH - 700, 18.0);
        break;
    case RanAerialEnvironment::RMA:
        if (height > 40)
        {
            return 1;
        }
        p1 = std::max(15021 * lgH - 16053, 1000.0);
        d1 = std::max(1350.8 * lgH - 1602, 18.0);
        break;
    }
    if (distance2d <= d1)
    {
        return 1;
    }
    return d1 / distance2d + std::exp(-distance2d / p1) * (1 - d1 / distance2d);
}

double
RanAerialPathLossDb(RanAerialEnvironment environment,
                    bool los,
                    double distance3d,
                    double height,
                    double frequency)
{
    const double lgH = std::log10(std::min(height, MAXIMUM_HEIGHT));
    const double lgD = std::log10(distance3d);
    const double gigahertz = frequency / 1e9;
    const double oneMetre = 20 * std::log10(40 * M_PI * gigahertz / 3); // of free space
    const double lgF = 20 * std::log10(gigahertz);
    double loss = 0;
    switch (environment)
    {
    case RanAerialEnvironment::UMI:
        loss = std::max(oneMetre + 20 * lgD, 30.9 + (22.25 - 0.5 * lgH) * lgD + lgF);
        return los ? loss : std::max(loss, 32.4 + (43.2 - 7.6 * lgH) * lgD + lgF);
    case RanAerialEnvironment::UMA:
        return los ? 28 + 22 * lgD + lgF : -17.5 + (46 - 7 * lgH) * lgD + oneMetre;
    default:
        loss = std::max(23.9 - 1.8 * lgH, 20.0) * lgD + oneMetre;
        return los ? loss : std::max(loss, -12 + (35 - 5.3 * lgH) * lgD + oneMetre);
    }
}

double
RanAerialShadowingDb(RanAerialEnvironment environment, bool los, double height)
{
    const double h = std::min(height, MAXIMUM_HEIGHT);
    switch (environment)
    {
    case RanAerialEnvironment::UMI:
        return los ? std::max(5 * std::exp(-0.01 * h), 2.0) : 8;
    case RanAerialEnvironment::UMA:
        return los ? 4.64 * std::exp(-0.0066 * h) : 6;
    default:
        return los ? 4.2 * std::exp(-0.0046 * h) : 6;
    }
}

TypeId
RanAerialLoss::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanAerialLoss")
                            .SetParent<ChannelConditionModel>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanAerialLoss>();
    return tid;
}

RanAerialLoss::RanAerialLoss() = default;
RanAerialLoss::~RanAerialLoss() = default;

void
RanAerialLoss::Configure(RanAerialEnvironment environment,
                         double frequency,
                         const std::string& lineOfSight,
                         bool shadowing,
                         Ptr<ChannelConditionModel> ground)
{
    m_environment = environment;
    m_frequency = frequency;
    m_lineOfSight = lineOfSight;
    m_shadowing = shadowing;
    m_ground = ground;
}

void
RanAerialLoss::DoDispose()
{
    m_ground = nullptr;
    m_normal = nullptr;
    m_links.clear();
    ChannelConditionModel::DoDispose();
}

bool
RanAerialLoss::Covers(Ptr<const MobilityModel> user) const
{
    return user->GetPosition().z > RanAerialMinimumHeight(m_environment);
}

double
RanAerialLoss::LossDb(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const
{
    const double height = user->GetPosition().z;
    const bool los = IsLos(site, user);
    // Below a metre the logarithm of the distance would turn the slopes around.
    const double distance =
        std::max(1.0, CalculateDistance(site->GetPosition(), user->GetPosition()));
    double loss = RanAerialPathLossDb(m_environment, los, distance, height, m_frequency);
    if (m_shadowing)
    {
        loss +=
            RanAerialShadowingDb(m_environment, los, height) * Follow(site, user).shadowing[los];
    }
    return loss;
}

Ptr<ChannelCondition>
RanAerialLoss::GetChannelCondition(Ptr<const MobilityModel> site,
                                   Ptr<const MobilityModel> user) const
{
    if (!Covers(user))
    {
        return m_ground->GetChannelCondition(site, user);
    }
    return CreateObject<ChannelCondition>(IsLos(site, user) ? ChannelCondition::LOS
                                                            : ChannelCondition::NLOS,
                                          ChannelCondition::O2O);
}

int64_t
RanAerialLoss::AssignStreams(int64_t stream)
{
    m_normal = CreateObject<NormalRandomVariable>();
    m_normal->SetStream(stream);
    return 1;
}

const RanAerialLoss::Link&
RanAerialLoss::Follow(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const
{
    const uint64_t siteId = site->GetObject<Node>()->GetId();
    const uint64_t userId = user->GetObject<Node>()->GetId();
    const Vector here = user->GetPosition();
    const auto [found, isNew] = m_links.try_emplace(siteId << 32 | userId);
    Link& link = found->second;
    if (isNew)
    {
        link = {here, Draw(), here, {Draw(), Draw()}};
        return link;
    }
    const Correlation& correlation = CorrelationOf(m_environment);
    const auto follow = [this](double& value, double moved, double distance) {
        const double r = std::exp(-moved / distance);
        value = r * value + std::sqrt(1 - r * r) * Draw();
    };
    if (const double moved = CalculateDistance(here, link.sightAt);
        moved >= SIGHT_STEP * correlation.sight)
    {
        follow(link.sight, moved, correlation.sight);
        link.sightAt = here;
    }
    if (const double moved = CalculateDistance(here, link.shadowingAt); moved > 0)
    {
        for (size_t los = 0; los < 2; ++los)
        {
            follow(link.shadowing[los], moved, correlation.shadowing[los]);
        }
        link.shadowingAt = here;
    }
    return link;
}

bool
RanAerialLoss::IsLos(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const
{
    if (m_lineOfSight != "probabilistic")
    {
        return m_lineOfSight == "always";
    }
    const Vector a = site->GetPosition();
    const Vector b = user->GetPosition();
    const double p =
        RanAerialLosProbability(m_environment, std::hypot(a.x - b.x, a.y - b.y), b.z);
    return IsBelowQuantile(p, Follow(site, user).sight);
}

double
RanAerialLoss::Draw() const
{
    if (!m_normal)
    {
        m_normal = CreateObject<NormalRandomVariable>();
    }
    return m_normal->GetValue();
}

} // namespace ns3
