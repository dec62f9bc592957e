/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-mcs-table.h"

#include "ns3/assert.h"
#include "ns3/fatal-error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace ns3
{

namespace
{

/**
 * Turn rows as printed in TS 38.214 into RanMcs.
 *
 * @param rows pairs of modulation order and target code rate times 1024
 * @return the rows
 */
std::vector<RanMcs>
Rows(const std::vector<std::pair<uint8_t, double>>& rows)
{
    std::vector<RanMcs> result;
    result.reserve(rows.size());
    for (const auto& [modulationOrder, codeRate1024] : rows)
    {
        result.push_back({modulationOrder, codeRate1024 / 1024.0});
    }
    return result;
}

/// TS 38.214 Table 5.1.3.1-1.
const std::vector<RanMcs> MCS_QAM64 = Rows({
    {2, 120.0}, {2, 157.0}, {2, 193.0}, {2, 251.0}, {2, 308.0}, {2, 379.0}, {2, 449.0},
    {2, 526.0}, {2, 602.0}, {2, 679.0}, {4, 340.0}, {4, 378.0}, {4, 434.0}, {4, 490.0},
    {4, 553.0}, {4, 616.0}, {4, 658.0}, {6, 438.0}, {6, 466.0}, {6, 517.0}, {6, 567.0},
    {6, 616.0}, {6, 666.0}, {6, 719.0}, {6, 772.0}, {6, 822.0}, {6, 873.0}, {6, 910.0},
    {6, 948.0}
});

/// TS 38.214 Table 5.1.3.1-2.
const std::vector<RanMcs> MCS_QAM256 = Rows({
    {2, 120.0}, {2, 193.0}, {2, 308.0}, {2, 449.0}, {2, 602.0}, {4, 378.0}, {4, 434.0},
    {4, 490.0}, {4, 553.0}, {4, 616.0}, {4, 658.0}, {6, 466.0}, {6, 517.0}, {6, 567.0},
    {6, 616.0}, {6, 666.0}, {6, 719.0}, {6, 772.0}, {6, 822.0}, {6, 873.0}, {8, 682.5},
    {8, 711.0}, {8, 754.0}, {8, 797.0}, {8, 841.0}, {8, 885.0}, {8, 916.5}, {8, 948.0}
});

/// TS 38.214 Table 5.1.3.1-4.
const std::vector<RanMcs> MCS_QAM1024 = Rows({
    {2, 120.0}, {2, 193.0}, {2, 449.0}, {4, 378.0}, {4, 490.0}, {4, 616.0}, {6, 466.0},
    {6, 517.0}, {6, 567.0}, {6, 616.0}, {6, 666.0}, {6, 719.0}, {6, 772.0}, {6, 822.0},
    {6, 873.0}, {8, 682.5}, {8, 711.0}, {8, 754.0}, {8, 797.0}, {8, 841.0}, {8, 885.0},
    {8, 916.5}, {8, 948.0}, {10, 805.5}, {10, 853.0}, {10, 900.5}, {10, 948.0}
});

/// TS 38.214 Table 5.2.2.1-2.
const std::vector<RanMcs> CQI_QAM64 = Rows({
    {0, 0.0}, {2, 78.0}, {2, 120.0}, {2, 193.0}, {2, 308.0}, {2, 449.0}, {2, 602.0}, {4, 378.0},
    {4, 490.0}, {4, 616.0}, {6, 466.0}, {6, 567.0}, {6, 666.0}, {6, 772.0}, {6, 873.0},
    {6, 948.0}
});

/// TS 38.214 Table 5.2.2.1-3.
const std::vector<RanMcs> CQI_QAM256 = Rows({
    {0, 0.0}, {2, 78.0}, {2, 193.0}, {2, 449.0}, {4, 378.0}, {4, 490.0}, {4, 616.0}, {6, 466.0},
    {6, 567.0}, {6, 666.0}, {6, 772.0}, {6, 873.0}, {8, 711.0}, {8, 797.0}, {8, 885.0},
    {8, 948.0}
});

/// TS 38.214 Table 5.2.2.1-5.
const std::vector<RanMcs> CQI_QAM1024 = Rows({
    {0, 0.0}, {2, 78.0}, {2, 193.0}, {2, 449.0}, {4, 378.0}, {4, 616.0}, {6, 567.0}, {6, 666.0},
    {6, 772.0}, {6, 873.0}, {8, 711.0}, {8, 797.0}, {8, 885.0}, {8, 948.0}, {10, 853.0},
    {10, 948.0}
});

/// TS 38.214 Table 5.1.3.2-1: transport block sizes up to 3824 bits.
constexpr std::array<uint16_t, 93> SMALL_TBS = {
    24,   32,   40,   48,   56,   64,   72,   80,   88,   96,   104,  112,  120,  128,
    136,  144,  152,  160,  168,  176,  184,  192,  208,  224,  240,  256,  272,  288,
    304,  320,  336,  352,  368,  384,  408,  432,  456,  480,  504,  528,  552,  576,
    608,  640,  672,  704,  736,  768,  808,  848,  888,  928,  984,  1032, 1064, 1128,
    1160, 1192, 1224, 1256, 1288, 1320, 1352, 1416, 1480, 1544, 1608, 1672, 1736, 1800,
    1864, 1928, 2024, 2088, 2152, 2216, 2280, 2408, 2472, 2536, 2600, 2664, 2728, 2792,
    2856, 2976, 3104, 3240, 3368, 3496, 3624, 3752, 3824};

/**
 * Step 4 of TS 38.214 clause 5.1.3.2 for a given number of equal code blocks.
 *
 * @param nInfo the quantised number of information bits, N'_info
 * @param blocks the number of code blocks, C
 * @return the transport block size in bits
 */
uint32_t
ByteAlignedTbs(double nInfo, double blocks)
{
    return static_cast<uint32_t>(8.0 * blocks * std::ceil((nInfo + 24.0) / (8.0 * blocks)) - 24.0);
}

} // namespace

double
RanMcs::SpectralEfficiency() const
{
    return modulationOrder * codeRate;
}

const std::vector<RanMcs>&
RanMcsEntries(RanMcsTable table)
{
    switch (table)
    {
    case RanMcsTable::QAM64:
        return MCS_QAM64;
    case RanMcsTable::QAM256:
        return MCS_QAM256;
    case RanMcsTable::QAM1024:
        return MCS_QAM1024;
    }
    NS_FATAL_ERROR("No such MCS table: " << static_cast<int>(table));
}

const std::vector<RanMcs>&
RanCqiEntries(RanMcsTable table)
{
    switch (table)
    {
    case RanMcsTable::QAM64:
        return CQI_QAM64;
    case RanMcsTable::QAM256:
        return CQI_QAM256;
    case RanMcsTable::QAM1024:
        return CQI_QAM1024;
    }
    NS_FATAL_ERROR("No such CQI table: " << static_cast<int>(table));
}

uint8_t
RanMcsForCqi(RanMcsTable table, uint8_t cqi)
{
    const auto& cqiEntries = RanCqiEntries(table);
    NS_ASSERT_MSG(cqi < cqiEntries.size(), "No such CQI: " << static_cast<int>(cqi));
    // Equal efficiencies must compare equal whatever the rounding of R / 1024.
    const double limit = cqiEntries[cqi].SpectralEfficiency() + 1e-9;
    const auto& entries = RanMcsEntries(table);
    // Not all tables are sorted: 64QAM MCS 17 is less efficient than MCS 16.
    uint8_t best = 0;
    for (std::size_t mcs = 0; mcs < entries.size(); ++mcs)
    {
        if (entries[mcs].SpectralEfficiency() <= limit)
        {
            best = static_cast<uint8_t>(mcs);
        }
    }
    return best;
}

uint32_t
RanTransportBlockBits(const RanMcs& mcs, double nRe, uint8_t layers)
{
    const double nInfo = nRe * mcs.codeRate * mcs.modulationOrder * layers;
    if (nInfo <= 0.0)
    {
        return 0;
    }
    if (nInfo <= 3824.0)
    {
        const double step = std::exp2(std::max(3.0, std::floor(std::log2(nInfo)) - 6.0));
        const double quantised = std::max(24.0, step * std::floor(nInfo / step));
        return *std::lower_bound(SMALL_TBS.begin(), SMALL_TBS.end(), quantised);
    }
    const double step = std::exp2(std::floor(std::log2(nInfo - 24.0)) - 5.0);
    // Ties in the round function are broken towards the larger integer.
    const double quantised =
        std::max(3840.0, step * std::floor((nInfo - 24.0) / step + 0.5));
    double blocks = 1.0;
    if (mcs.codeRate <= 0.25)
    {
        blocks = std::ceil((quantised + 24.0) / 3816.0);
    }
    else if (quantised > 8424.0)
    {
        blocks = std::ceil((quantised + 24.0) / 8424.0);
    }
    return ByteAlignedTbs(quantised, blocks);
}

RanCodeBlocks
RanSegment(uint32_t tbBits, double codeRate)
{
    const bool baseGraph2 =
        tbBits <= 292 || (tbBits <= 3824 && codeRate <= 0.67) || codeRate <= 0.25;
    const uint32_t maxBlockBits = baseGraph2 ? 3840 : 8448;
    const uint32_t bits = tbBits + (tbBits > 3824 ? 24 : 16);
    RanCodeBlocks blocks{static_cast<uint8_t>(baseGraph2 ? 2 : 1), 1, bits};
    if (bits > maxBlockBits)
    {
        constexpr uint32_t BLOCK_CRC_BITS = 24;
        const uint32_t payload = maxBlockBits - BLOCK_CRC_BITS;
        blocks.count = (bits + payload - 1) / payload;
        blocks.infoBitsPerBlock = (bits + blocks.count - 1) / blocks.count + BLOCK_CRC_BITS;
    }
    return blocks;
}

} // namespace ns3
