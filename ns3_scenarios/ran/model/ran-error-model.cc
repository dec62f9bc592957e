/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-error-model.h"

#include "ran-units.h"

#include "ns3/assert.h"
#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("RanErrorModel");

NS_OBJECT_ENSURE_REGISTERED(RanErrorModel);

namespace
{

/// Decibels per neper of power.
constexpr double DB_PER_NEPER = 10.0 / std::numbers::ln10;

// Fitted by benchmarks/fit_link_curves.py to the SINR at which another
// simulator (5G-LENA) has 10 % block error rate; that script prints them.

/// Decibels above the BICM limit: atHalf + slope (R - 1/2) + curvature (R - 1/2)^2.
struct Loss
{
    double atHalf;    //!< Loss at code rate 1/2
    double slope;     //!< Per unit of code rate
    double curvature; //!< Per unit of code rate, squared
};

/// Loss of QPSK, 16QAM, 64QAM, 256QAM and 1024QAM. The last is an extrapolation,
/// the constants of 256QAM: the reference has no 1024QAM.
constexpr std::array<Loss, 5> LOSS = {{{3.895, -3.343, 3.800},
                                        {3.592, -1.388, 0.0},
                                        {3.650, -1.290, 0.0},
                                        {3.952, -1.830, 0.0},
                                        {3.952, -1.830, 0.0}}};

/// Share of the repetition gain at rates below the mother rate which the
/// reference shows on its first transmissions (in decibels, of the full gain).
constexpr double REFERENCE_REPETITION_SHARE = 0.623;

/// Further loss of 64QAM at R = 948/1024 in the reference, in decibels: one
/// part for any block and one per factor of two in the number of code blocks.
constexpr double HIGH_RATE_LOSS = 0.987;
constexpr double HIGH_RATE_LOSS_PER_OCTAVE = 0.244; //!< See HIGH_RATE_LOSS
/// Code blocks of fewer bits lose decibels for each halving, down to a number of halvings. Fitted
/// to the switch points of users with few resource blocks in the reference's three-cell runs.
constexpr double SHORT_BLOCK_BITS = 360.0;
constexpr double SHORT_BLOCK_OCTAVES = 1.3;    //!< See SHORT_BLOCK_BITS
constexpr double SHORT_BLOCK_LOSS = 0.68;      //!< See SHORT_BLOCK_BITS
constexpr double SHORT_BLOCK_LOSS_QPSK = 0.25; //!< See SHORT_BLOCK_BITS

/// Code rates between which HIGH_RATE_LOSS comes in.
constexpr double HIGH_RATE_BEGIN = 910.0 / 1024.0;
constexpr double HIGH_RATE_END = 948.0 / 1024.0; //!< See HIGH_RATE_BEGIN

// The steepness is not fitted. These two let the error rate fall from 0.9 to
// 0.01 in 1.25 dB at 100 information bits and in 0.35 to 0.55 dB at 8448.

/// Width of the error curve over that of the normal approximation.
constexpr double WIDTH_FACTOR = 1.2;
/// Information bits added to a block where its width is computed: short LDPC
/// codes are steeper than the inverse square root of their length suggests.
constexpr double WIDTH_EXTRA_BITS = 600.0;

/// Block error rate that a CQI promises, TS 38.214 clause 5.2.2.1.
constexpr double CQI_BLER = 0.1;
/// Data resource elements of a resource block in a symbol: one is reference signal.
constexpr double CQI_RE_PER_RB = 11.0;

// Tables of mutual information against SINR.

constexpr double MI_FIRST_DB = -30.0; //!< SINR of the first entry, in dB
constexpr int MI_PER_DB = 10;         //!< Entries per decibel
constexpr int MI_COUNT = 801;         //!< Entries, up to 50 dB
constexpr int MI_COARSE = 5;          //!< Entries per computed one, the rest interpolated
constexpr int MI_HINTS = 512;         //!< Steps of the index for the inverse
constexpr int MAX_LEVELS = 32;        //!< Levels per dimension of 1024QAM

/// Mutual information of one modulation.
struct MiTable
{
    std::array<double, MI_COUNT> mi;        //!< By SINR in steps of 1 / MI_PER_DB
    std::array<int16_t, MI_HINTS + 1> hint; //!< Last entry not above k / MI_HINTS
};

/**
 * Mutual information per coded bit by quadrature.
 *
 * Square QAM is two pulse-amplitude modulations (PAM), each with half the
 * signal and half the noise; Gray mapping keeps their bits apart. The mutual
 * information of a bit is 1 - E[log2(p(y) / p(y and the bit as sent))]. The
 * expectation over the noise is a trapezoidal sum, which here, for as many
 * nodes, is twenty times more accurate than a Gauss-Hermite rule (5e-6): the
 * logarithm bends too sharply for polynomials.
 *
 * @param bits coded bits per PAM symbol
 * @param sinr the SINR, a ratio
 * @return the mutual information per coded bit
 */
double
ComputeMi(int bits, double sinr)
{
    constexpr int NODES_EACH_SIDE = 12;
    constexpr double NODE_STEP = 0.5; // standard deviations
    const int levels = 1 << bits;
    // Spacing of the levels in standard deviations of the noise.
    const double a = std::sqrt(12.0 * sinr / (levels * levels - 1.0));
    const double shrink = std::exp(-a * a);
    std::array<double, MAX_LEVELS> likelihood;
    double total = 0.0;
    double totalWeight = 0.0;
    for (int n = -NODES_EACH_SIDE; n <= NODES_EACH_SIDE; ++n)
    {
        const double t = n * NODE_STEP;
        const double weight = std::exp(-0.5 * t * t);
        totalWeight += weight;
        const double firstUp = std::exp(a * t - 0.5 * a * a);
        const double firstDown = std::exp(-a * t - 0.5 * a * a);
        for (int sent = 0; sent < levels / 2; ++sent) // the other half by symmetry
        {
            // Relative to the level sent, the level k steps up has likelihood
            // exp(k a t - (k a)^2 / 2): by recurrence.
            likelihood[sent] = 1.0;
            double ratio = firstUp;
            for (int j = sent + 1; j < levels; ++j, ratio *= shrink)
            {
                likelihood[j] = likelihood[j - 1] * ratio;
            }
            ratio = firstDown;
            for (int j = sent - 1; j >= 0; --j, ratio *= shrink)
            {
                likelihood[j] = likelihood[j + 1] * ratio;
            }
            double all = 0.0;
            std::array<double, 5> same{}; // likelihood of each bit as it was sent
            const int sentLabel = sent ^ (sent >> 1);
            for (int j = 0; j < levels; ++j)
            {
                const int differing = sentLabel ^ j ^ (j >> 1);
                all += likelihood[j];
                for (int b = 0; b < bits; ++b)
                {
                    same[b] += ((differing >> b) & 1) ? 0.0 : likelihood[j];
                }
            }
            double product = 1.0; // one logarithm for all bits
            for (int b = 0; b < bits; ++b)
            {
                product *= all / same[b];
            }
            total += weight * std::log2(product);
        }
    }
    return 1.0 - total / (totalWeight * bits * levels / 2);
}

/**
 * @param bits coded bits per PAM symbol
 * @return the table of the modulation with twice as many bits
 */
MiTable
BuildMiTable(int bits)
{
    MiTable table;
    constexpr int COARSE_COUNT = (MI_COUNT - 1) / MI_COARSE + 1;
    std::array<double, COARSE_COUNT> coarse;
    coarse.fill(1.0);
    for (int i = 0; i < COARSE_COUNT - 1; ++i)
    {
        const double db = MI_FIRST_DB + static_cast<double>(i * MI_COARSE) / MI_PER_DB;
        coarse[i] = ComputeMi(bits, RanFromDb(db));
        if (coarse[i] > 1.0 - 1e-9)
        {
            coarse[i] = 1.0;
            break;
        }
    }
    // Cubic (Catmull-Rom) interpolation, kept monotone.
    double last = 0.0;
    for (int i = 0; i < MI_COUNT; ++i)
    {
        const int k = std::min(i / MI_COARSE, COARSE_COUNT - 2);
        const double u = static_cast<double>(i - k * MI_COARSE) / MI_COARSE;
        const double p1 = coarse[k];
        const double p2 = coarse[k + 1];
        const double p0 = k > 0 ? coarse[k - 1] : 2.0 * p1 - p2;
        const double p3 = k + 2 < COARSE_COUNT ? coarse[k + 2] : 1.0;
        const double value =
            p1 + 0.5 * u *
                     (p2 - p0 + u * (2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3 +
                                     u * (3.0 * (p1 - p2) + p3 - p0)));
        last = std::clamp(value, last, 1.0);
        table.mi[i] = last;
    }
    for (int h = 0; h <= MI_HINTS; ++h)
    {
        const auto above = std::upper_bound(table.mi.begin(),
                                            table.mi.end(),
                                            static_cast<double>(h) / MI_HINTS);
        table.hint[h] = static_cast<int16_t>(above - table.mi.begin()) - 1;
    }
    return table;
}

/**
 * @param modulationOrder coded bits per symbol: 2, 4, 6, 8 or 10
 * @return its table
 */
const MiTable&
GetMiTable(uint8_t modulationOrder)
{
    NS_ASSERT_MSG(modulationOrder >= 2 && modulationOrder <= 10 && modulationOrder % 2 == 0,
                  "No such modulation order: " << static_cast<int>(modulationOrder));
    static const std::array<MiTable, 5> tables = {BuildMiTable(1),
                                                  BuildMiTable(2),
                                                  BuildMiTable(3),
                                                  BuildMiTable(4),
                                                  BuildMiTable(5)};
    return tables[modulationOrder / 2 - 1];
}

/**
 * RanInverseMutualInformation, in decibels.
 *
 * @param modulationOrder coded bits per symbol
 * @param mi the mutual information per coded bit
 * @return the SINR in dB
 */
double
InverseMiDb(uint8_t modulationOrder, double mi)
{
    const auto& table = GetMiTable(modulationOrder);
    if (mi <= table.mi.front())
    {
        // Proportional to the SINR below the table.
        return mi > 0.0 ? MI_FIRST_DB + RanToDb(mi / table.mi.front())
                        : -std::numeric_limits<double>::infinity();
    }
    if (mi >= 1.0)
    {
        const auto full = std::lower_bound(table.mi.begin(), table.mi.end(), 1.0);
        return MI_FIRST_DB + static_cast<double>(full - table.mi.begin()) / MI_PER_DB;
    }
    const int h = static_cast<int>(mi * MI_HINTS);
    int low = std::max<int>(table.hint[h], 0);
    int high = std::min(table.hint[h + 1] + 1, MI_COUNT - 1);
    while (high - low > 1)
    {
        const int middle = (low + high) / 2;
        (table.mi[middle] <= mi ? low : high) = middle;
    }
    const double u = (mi - table.mi[low]) / (table.mi[high] - table.mi[low]);
    return MI_FIRST_DB + (low + u) / MI_PER_DB;
}

} // namespace

double
RanMutualInformation(uint8_t modulationOrder, double sinrLinear)
{
    const auto& table = GetMiTable(modulationOrder);
    if (sinrLinear <= 0.0)
    {
        return 0.0;
    }
    const double position = (RanToDb(sinrLinear) - MI_FIRST_DB) * MI_PER_DB;
    if (position <= 0.0)
    {
        // At low SINR the mutual information is proportional to it.
        return table.mi.front() * sinrLinear / RanFromDb(MI_FIRST_DB);
    }
    if (position >= MI_COUNT - 1)
    {
        return 1.0;
    }
    const int i = static_cast<int>(position);
    return table.mi[i] + (position - i) * (table.mi[i + 1] - table.mi[i]);
}

double
RanInverseMutualInformation(uint8_t modulationOrder, double mi)
{
    return RanFromDb(InverseMiDb(modulationOrder, mi));
}

TypeId
RanErrorModel::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanErrorModel")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanErrorModel>()
            .AddAttribute("RepetitionGain",
                          "Whether code rates below the LDPC mother rate (1/3 for base graph 1, "
                          "1/5 for base graph 2) gain from the energy of repeated bits, also when "
                          "retransmissions are combined. If false, retransmissions gain nothing "
                          "below the mother rate and a first transmission 0.6 of the gain in "
                          "decibels, as in the reference simulator.",
                          BooleanValue(true),
                          MakeBooleanAccessor(&RanErrorModel::SetRepetitionGain,
                                              &RanErrorModel::GetRepetitionGain),
                          MakeBooleanChecker())
            .AddAttribute("ImplementationLossOffset",
                          "Decibels to add to the fitted implementation loss of every modulation "
                          "and coding scheme; negative for a better receiver.",
                          DoubleValue(0.0),
                          MakeDoubleAccessor(&RanErrorModel::SetLossOffset,
                                             &RanErrorModel::GetLossOffset),
                          MakeDoubleChecker<double>());
    return tid;
}

double
RanErrorModel::TransportBlockErrorRate(const RanMcs& mcs,
                                       uint32_t tbBits,
                                       double effectiveSinrLinear) const
{
    if (effectiveSinrLinear <= 0.0)
    {
        return 1.0;
    }
    return Evaluate(GetCurve(mcs, tbBits, mcs.codeRate), RanToDb(effectiveSinrLinear));
}

double
RanErrorModel::TransportBlockErrorRate(const RanMcs& mcs,
                                       uint32_t tbBits,
                                       double accumulatedMiBits,
                                       double totalCodedBits,
                                       double firstCodedBits) const
{
    NS_ASSERT_MSG(firstCodedBits > 0.0 && totalCodedBits >= firstCodedBits,
                  "The first transmission is part of the total");
    if (accumulatedMiBits <= 0.0)
    {
        return 1.0;
    }
    const double codeRate = mcs.codeRate * firstCodedBits / totalCodedBits;
    return Evaluate(GetCurve(mcs, tbBits, codeRate),
                    InverseMiDb(mcs.modulationOrder, accumulatedMiBits / totalCodedBits));
}

double
RanErrorModel::SinrDbForBler(const RanMcs& mcs, uint32_t tbBits, double targetBler) const
{
    NS_ASSERT_MSG(targetBler > 0.0 && targetBler < 1.0, "Not a block error rate: " << targetBler);
    const Curve curve = GetCurve(mcs, tbBits, mcs.codeRate);
    double low = curve.sinrDb - 10.0 * curve.widthDb;
    double high = curve.sinrDb + 10.0 * curve.widthDb;
    for (int step = 0; step < 50; ++step)
    {
        const double middle = 0.5 * (low + high);
        (Evaluate(curve, middle) > targetBler ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

uint8_t
RanErrorModel::SinrToCqi(RanMcsTable table, double effectiveSinrLinear, uint32_t nRb) const
{
    auto& cache = m_cqiThresholds[static_cast<std::size_t>(table)];
    if (nRb >= cache.size())
    {
        cache.resize(nRb + 1); // zeros: not yet computed
    }
    auto& thresholds = cache[nRb];
    const auto count = thresholds.size();
    if (thresholds[1] == 0.0)
    {
        NS_LOG_LOGIC("CQI thresholds for " << nRb << " resource blocks");
        for (std::size_t cqi = 1; cqi < count; ++cqi)
        {
            const auto& mcs =
                RanMcsEntries(table)[RanMcsForCqi(table, static_cast<uint8_t>(cqi))];
            const uint32_t tbBits =
                RanTransportBlockBits(mcs, CQI_RE_PER_RB * std::max(nRb, 1U), 1);
            thresholds[cqi] = RanFromDb(SinrDbForBler(mcs, tbBits, CQI_BLER));
        }
    }
    for (std::size_t cqi = count - 1; cqi > 0; --cqi)
    {
        if (effectiveSinrLinear >= thresholds[cqi])
        {
            return static_cast<uint8_t>(cqi);
        }
    }
    return 0;
}

RanErrorModel::Curve
RanErrorModel::GetCurve(const RanMcs& mcs, uint32_t tbBits, double codeRate) const
{
    const RanCodeBlocks blocks = RanSegment(tbBits, mcs.codeRate);
    const double motherRate = blocks.baseGraph == 1 ? 1.0 / 3.0 : 1.0 / 5.0;
    const double rate = std::max(codeRate, motherRate);

    const std::size_t modulation = mcs.modulationOrder / 2 - 1;
    const double x = rate - 0.5;
    double lossDb = m_lossOffsetDb + LOSS[modulation].atHalf +
                    x * (LOSS[modulation].slope + x * LOSS[modulation].curvature);
    if (mcs.modulationOrder == 6 && rate > HIGH_RATE_BEGIN)
    {
        lossDb += (rate - HIGH_RATE_BEGIN) / (HIGH_RATE_END - HIGH_RATE_BEGIN) *
                  (HIGH_RATE_LOSS + HIGH_RATE_LOSS_PER_OCTAVE * std::log2(blocks.count));
    }
    if (codeRate < motherRate)
    {
        if (m_repetitionGain)
        {
            lossDb -= RanToDb(motherRate / codeRate);
        }
        else if (mcs.codeRate < motherRate)
        {
            lossDb -= REFERENCE_REPETITION_SHARE * RanToDb(motherRate / mcs.codeRate);
        }
    }

    const double octaves = std::clamp(std::log2(SHORT_BLOCK_BITS / blocks.infoBitsPerBlock),
                                      0.0,
                                      SHORT_BLOCK_OCTAVES);
    lossDb += octaves * (mcs.modulationOrder == 2 ? SHORT_BLOCK_LOSS_QPSK : SHORT_BLOCK_LOSS);

    // Normal approximation of a complex Gaussian channel, for which the SNR
    // gamma = 2^SE - 1 supports SE bits per symbol. Over n = K / SE symbols the
    // rate has variance V / n, V = gamma (gamma + 2) / (gamma + 1)^2 nat^2, and
    // grows with ln(gamma) as gamma / (gamma + 1).
    const double efficiency = mcs.modulationOrder * rate;
    const double gamma = std::exp2(efficiency) - 1.0;
    const double symbols = (blocks.infoBitsPerBlock + WIDTH_EXTRA_BITS) / efficiency;
    const double widthDb =
        WIDTH_FACTOR * DB_PER_NEPER * std::sqrt((gamma + 2.0) / (gamma * symbols));

    return {InverseMiDb(mcs.modulationOrder, rate) + lossDb, widthDb, blocks.count};
}

double
RanErrorModel::Evaluate(const Curve& curve, double sinrDb)
{
    const double margin = (sinrDb - curve.sinrDb) / curve.widthDb;
    const double blockBler = 0.5 * std::erfc(margin * (0.5 * std::numbers::sqrt2));
    if (curve.count == 1)
    {
        return blockBler;
    }
    return -std::expm1(curve.count * std::log1p(-blockBler));
}

void
RanErrorModel::SetRepetitionGain(bool enable)
{
    m_repetitionGain = enable;
    m_cqiThresholds = {};
}

bool
RanErrorModel::GetRepetitionGain() const
{
    return m_repetitionGain;
}

void
RanErrorModel::SetLossOffset(double offsetDb)
{
    m_lossOffsetDb = offsetDb;
    m_cqiThresholds = {};
}

double
RanErrorModel::GetLossOffset() const
{
    return m_lossOffsetDb;
}

} // namespace ns3
