/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-channel.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/enum.h"
#include "ns3/fatal-error.h"
#include "ns3/node.h"
#include "ns3/object-factory.h"
#include "ns3/pointer.h"
#include "ns3/spectrum-signal-parameters.h"
#include "ns3/string.h"
#include "ns3/three-gpp-channel-model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanChannel);

namespace
{

/// What ns-3 calls an environment of TR 38.901
struct Environment
{
    const char* loss;      ///< type of the path loss model
    const char* condition; ///< type of the line-of-sight model
    const char* scenario;  ///< scenario of the channel model
    double sightDistance;  ///< correlation distance of line of sight (Table 7.6.3.1-2), m
    std::optional<RanAerialEnvironment> aerial; ///< environment of users in the air
};

const std::map<std::string, Environment> ENVIRONMENTS{
    {"UMi",
     {"ns3::ThreeGppUmiStreetCanyonPropagationLossModel",
      "ns3::ThreeGppUmiStreetCanyonChannelConditionModel",
      "UMi-StreetCanyon",
      50,
      RanAerialEnvironment::UMI}},
    {"UMa",
     {"ns3::ThreeGppUmaPropagationLossModel",
      "ns3::ThreeGppUmaChannelConditionModel",
      "UMa",
      50,
      RanAerialEnvironment::UMA}},
    {"RMa",
     {"ns3::ThreeGppRmaPropagationLossModel",
      "ns3::ThreeGppRmaChannelConditionModel",
      "RMa",
      60,
      RanAerialEnvironment::RMA}},
    {"InH-Open",
     {"ns3::ThreeGppIndoorOfficePropagationLossModel",
      "ns3::ThreeGppIndoorOpenOfficeChannelConditionModel",
      "InH-OfficeOpen",
      10,
      std::nullopt}},
    {"InH-Mixed",
     {"ns3::ThreeGppIndoorOfficePropagationLossModel",
      "ns3::ThreeGppIndoorMixedOfficeChannelConditionModel",
      "InH-OfficeMixed",
      10,
      std::nullopt}},
};

} // namespace

TypeId
RanChannel::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanChannel")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanChannel>()
            .AddAttribute("Environment",
                          "Environment of TR 38.901: UMi, UMa, RMa, InH-Open or InH-Mixed.",
                          StringValue("UMi"),
                          MakeStringAccessor(&RanChannel::m_environment),
                          MakeStringChecker())
            .AddAttribute("LineOfSight",
                          "probabilistic (TR 38.901 Table 7.4.2-1), always or never.",
                          StringValue("probabilistic"),
                          MakeStringAccessor(&RanChannel::m_lineOfSight),
                          MakeStringChecker())
            .AddAttribute("Shadowing",
                          "Log-normal shadow fading (TR 38.901 7.4.1).",
                          BooleanValue(true),
                          MakeBooleanAccessor(&RanChannel::m_shadowing),
                          MakeBooleanChecker())
            .AddAttribute("Fading",
                          "Clustered fast fading (TR 38.901 7.5).",
                          BooleanValue(false),
                          MakeBooleanAccessor(&RanChannel::m_fading),
                          MakeBooleanChecker())
            .AddAttribute("FadingPeriod",
                          "How often fast fading is evaluated anew.",
                          TimeValue(MilliSeconds(20)),
                          MakeTimeAccessor(&RanChannel::m_fadingPeriod),
                          MakeTimeChecker(MicroSeconds(1)))
            .AddAttribute("Frequency",
                          "Centre frequency in Hz.",
                          DoubleValue(3.5e9),
                          MakeDoubleAccessor(&RanChannel::m_frequency),
                          MakeDoubleChecker<double>(0.5e9, 100e9));
    return tid;
}

RanChannel::RanChannel() = default;
RanChannel::~RanChannel() = default;

void
RanChannel::DoInitialize()
{
    const auto found = ENVIRONMENTS.find(m_environment);
    NS_ABORT_MSG_IF(found == ENVIRONMENTS.end(), "no environment " << m_environment);
    const Environment& environment = found->second;
    ObjectFactory condition(m_lineOfSight == "always"  ? "ns3::AlwaysLosChannelConditionModel"
                            : m_lineOfSight == "never" ? "ns3::NeverLosChannelConditionModel"
                                                       : environment.condition);
    m_condition = condition.Create<ChannelConditionModel>();
    ObjectFactory loss(environment.loss);
    loss.Set("Frequency", DoubleValue(m_frequency));
    loss.Set("ShadowingEnabled", BooleanValue(m_shadowing));
    loss.Set("ChannelConditionModel", PointerValue(m_condition));
    m_loss = loss.Create<PropagationLossModel>();
    m_conditionDistance = m_lineOfSight == "probabilistic" ? environment.sightDistance : 0;
    if (environment.aerial)
    {
        m_aerial = CreateObject<RanAerialLoss>();
        m_aerial->Configure(*environment.aerial,
                            m_frequency,
                            m_lineOfSight,
                            m_shadowing,
                            m_condition);
    }
    if (m_fading)
    {
        auto matrix = CreateObject<ThreeGppChannelModel>();
        matrix->SetAttribute("Frequency", DoubleValue(m_frequency));
        matrix->SetAttribute("Scenario", StringValue(environment.scenario));
        matrix->SetAttribute("ChannelConditionModel",
                             m_aerial ? PointerValue(m_aerial) : PointerValue(m_condition));
        matrix->SetAttribute("UpdatePeriod", TimeValue(m_fadingPeriod));
        m_spectrum = CreateObject<ThreeGppSpectrumPropagationLossModel>();
        m_spectrum->SetChannelModel(matrix);
    }
    Object::DoInitialize();
}

void
RanChannel::DoDispose()
{
    m_loss = nullptr;
    m_condition = nullptr;
    m_aerial = nullptr;
    m_spectrum = nullptr;
    m_conditionAt.clear();
    Object::DoDispose();
}

int64_t
RanChannel::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    stream += m_condition->AssignStreams(stream);
    stream += m_loss->AssignStreams(stream);
    if (m_aerial)
    {
        stream += m_aerial->AssignStreams(stream);
    }
    if (m_spectrum)
    {
        auto matrix = DynamicCast<ThreeGppChannelModel>(m_spectrum->GetChannelModel());
        stream += matrix->AssignStreams(stream);
    }
    return stream - first;
}

uint64_t
RanChannel::PairOf(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user)
{
    const uint64_t siteId = site->GetObject<Node>()->GetId();
    const uint64_t userId = user->GetObject<Node>()->GetId();
    return siteId << 32 | userId;
}

double
RanChannel::LossDb(Ptr<MobilityModel> site, Ptr<MobilityModel> user) const
{
    // No closer than one metre of free space, where the formulas end.
    const double oneMetre = 20 * std::log10(4 * M_PI * m_frequency / 299792458.0);
    if (m_aerial && m_aerial->Covers(user))
    {
        return std::max(oneMetre, m_aerial->LossDb(site, user));
    }
    if (m_shadowing && m_shadowed.insert(PairOf(site, user)).second)
    {
        // ns-3 remembers a first shadowing as drawn at the origin, and moves it when asked again.
        m_loss->CalcRxPower(0, site, user);
    }
    if (!IsConditionOutdated(site, user))
    {
        return std::max(oneMetre, -m_loss->CalcRxPower(0, site, user));
    }
    // The model draws a state again when it is older than its update period, and never at zero.
    m_condition->SetAttribute("UpdatePeriod", TimeValue(NanoSeconds(1)));
    const double loss = -m_loss->CalcRxPower(0, site, user);
    m_condition->SetAttribute("UpdatePeriod", TimeValue(Time(0)));
    return std::max(oneMetre, loss);
}

bool
RanChannel::IsConditionOutdated(Ptr<const MobilityModel> site, Ptr<const MobilityModel> user) const
{
    if (m_conditionDistance == 0)
    {
        return false;
    }
    const Vector here = user->GetPosition();
    const auto [found, isNew] = m_conditionAt.try_emplace(PairOf(site, user), here);
    if (isNew || CalculateDistance(here, found->second) < m_conditionDistance)
    {
        return false;
    }
    found->second = here;
    return true;
}

namespace
{

/// Phase steps of a uniform planar array towards a direction (TR 38.901 7.5-22)
RanSteering
SteeringOf(Ptr<const UniformPlanarArray> array, const Vector& direction)
{
    // The columns of the rotation matrix of TR 38.901 7.1-4 without slant: the array's own y and z.
    const double alpha = array->GetAlpha();
    const double beta = array->GetBeta();
    const Vector y(-std::sin(alpha), std::cos(alpha), 0);
    const Vector z(std::cos(alpha) * std::sin(beta), std::sin(alpha) * std::sin(beta), std::cos(beta));
    const double along = direction.x * y.x + direction.y * y.y;
    const double up = direction.x * z.x + direction.y * z.y + direction.z * z.z;
    return {static_cast<float>(2 * M_PI * array->GetAntennaHorizontalSpacing() * along),
            static_cast<float>(2 * M_PI * array->GetAntennaVerticalSpacing() * up)};
}

/// Weights of a beam. PhasedArrayModel::GetBeamformingVector is its conjugate, which the channel
/// model's own phases (TR 38.901 7.5-22) would turn into a beam to the mirrored direction.
PhasedArrayModel::ComplexVector
BeamTowards(Ptr<const UniformPlanarArray> array, const Angles& angles)
{
    PhasedArrayModel::ComplexVector weights = array->GetSteeringVector(angles);
    const double norm = array->norm(weights);
    for (size_t i = 0; i < weights.GetSize(); ++i)
    {
        weights[i] /= norm;
    }
    return weights;
}

/// Power gain of one element towards a direction
double
ElementGain(Ptr<const UniformPlanarArray> array, const Angles& angles)
{
    const auto [phi, theta] = array->GetElementFieldPattern(angles);
    return phi * phi + theta * theta;
}

} // namespace

RanGeometry
RanChannel::Geometry(Ptr<const MobilityModel> site,
                     Ptr<const UniformPlanarArray> cell,
                     Ptr<const MobilityModel> user,
                     Ptr<const UniformPlanarArray> ue,
                     double lossDb) const
{
    const Vector a = site->GetPosition();
    const Vector b = user->GetPosition();
    const Vector d = b - a;
    const double length = std::max(1e-9, d.GetLength());
    const Vector unit(d.x / length, d.y / length, d.z / length);
    RanGeometry geometry;
    geometry.gain = std::pow(10, -lossDb / 10) * ElementGain(cell, Angles(b, a)) *
                    ElementGain(ue, Angles(a, b));
    geometry.atCell = SteeringOf(cell, unit);
    geometry.atUser = SteeringOf(ue, Vector(-unit.x, -unit.y, -unit.z));
    return geometry;
}

std::vector<float>
RanChannel::Fading(Ptr<const MobilityModel> site,
                   Ptr<UniformPlanarArray> cell,
                   Ptr<const MobilityModel> user,
                   Ptr<UniformPlanarArray> ue,
                   Ptr<const SpectrumModel> bands) const
{
    const Angles toUser(user->GetPosition(), site->GetPosition());
    const Angles toCell(site->GetPosition(), user->GetPosition());
    cell->SetBeamformingVector(BeamTowards(cell, toUser));
    ue->SetBeamformingVector(BeamTowards(ue, toCell));
    auto parameters = Create<SpectrumSignalParameters>();
    parameters->psd = Create<SpectrumValue>(bands);
    *parameters->psd = 1;
    const auto received =
        m_spectrum->CalcRxPowerSpectralDensity(parameters, site, user, cell, ue)->psd;
    const double full = ElementGain(cell, toUser) * ElementGain(ue, toCell) *
                        static_cast<double>(cell->GetNumElems() * ue->GetNumElems());
    std::vector<float> factors;
    factors.reserve(bands->GetNumBands());
    for (auto it = received->ConstValuesBegin(); it != received->ConstValuesEnd(); ++it)
    {
        factors.push_back(static_cast<float>(*it / full));
    }
    return factors;
}

double
RanChannel::ArrayGain(uint32_t columns,
                      uint32_t rows,
                      const RanSteering& at,
                      const RanSteering& to)
{
    const auto axis = [](uint32_t n, float delta) {
        if (n == 1)
        {
            return 1.0F;
        }
        const float half = std::sin(delta / 2);
        if (std::abs(half) < 1e-5F)
        {
            return static_cast<float>(n);
        }
        const float ratio = std::sin(static_cast<float>(n) * delta / 2) / half;
        return ratio * ratio / static_cast<float>(n);
    };
    return axis(columns, at.horizontal - to.horizontal) * axis(rows, at.vertical - to.vertical);
}

} // namespace ns3
