/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_MCS_TABLE_H
#define RAN_MCS_TABLE_H

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * @file
 * @ingroup ran
 * Modulation and coding schemes, transport block sizes and LDPC code block
 * segmentation of NR: what the standard fixes, and nothing of what a receiver
 * makes of it (see RanErrorModel for that).
 */

/**
 * @ingroup ran
 * The MCS and CQI tables of TS 38.214, named by their highest modulation.
 */
enum class RanMcsTable : uint8_t
{
    QAM64,  //!< TS 38.214 Tables 5.1.3.1-1 (MCS) and 5.2.2.1-2 (CQI)
    QAM256, //!< TS 38.214 Tables 5.1.3.1-2 (MCS) and 5.2.2.1-3 (CQI)
    QAM1024 //!< TS 38.214 Tables 5.1.3.1-4 (MCS) and 5.2.2.1-5 (CQI)
};

/**
 * @ingroup ran
 * One row of an MCS or CQI table.
 */
struct RanMcs
{
    uint8_t modulationOrder; //!< Coded bits per modulation symbol, Qm (0: CQI out of range)
    double codeRate;         //!< Target code rate R (a fraction, not times 1024)

    /**
     * @return the spectral efficiency Qm R, in bits per resource element and layer
     */
    double SpectralEfficiency() const;
};

/**
 * @ingroup ran
 * The rows of an MCS table, TS 38.214 clause 5.1.3.1, without the reserved ones.
 *
 * @param table the table
 * @return the rows in the order of the MCS index (29, 28 or 27 of them)
 */
const std::vector<RanMcs>& RanMcsEntries(RanMcsTable table);

/**
 * @ingroup ran
 * The rows of a CQI table, TS 38.214 clause 5.2.2.1.
 *
 * @param table the table
 * @return the 16 rows in the order of the CQI index; row 0 means out of range
 */
const std::vector<RanMcs>& RanCqiEntries(RanMcsTable table);

/**
 * @ingroup ran
 * The highest MCS whose spectral efficiency does not exceed that of a CQI.
 *
 * @param table the table both indices belong to
 * @param cqi the CQI index, 0 to 15
 * @return the MCS index; 0 where even MCS 0 is more efficient than the CQI
 */
uint8_t RanMcsForCqi(RanMcsTable table, uint8_t cqi);

/**
 * @ingroup ran
 * Transport block size, TS 38.214 clause 5.1.3.2 steps 2 to 4.
 *
 * The limit of 156 resource elements per physical resource block in step 1 is
 * the caller's business.
 *
 * @param mcs the modulation and coding scheme
 * @param nRe the number of resource elements of the transport block, in total
 * @param layers the number of layers
 * @return the size in bits; 0 without resource elements
 */
uint32_t RanTransportBlockBits(const RanMcs& mcs, double nRe, uint8_t layers);

/**
 * @ingroup ran
 * How a transport block is cut into LDPC code blocks.
 */
struct RanCodeBlocks
{
    uint8_t baseGraph;         //!< LDPC base graph, 1 or 2
    uint32_t count;            //!< Number of code blocks, C
    uint32_t infoBitsPerBlock; //!< Bits into the encoder per block with CRCs, K' (rounded up)
};

/**
 * @ingroup ran
 * Base graph selection (TS 38.212 clause 7.2.2), transport block CRC (7.2.1)
 * and code block segmentation (5.2.2).
 *
 * @param tbBits the transport block size in bits, without CRC
 * @param codeRate the code rate of the initial transmission
 * @return the code blocks
 */
RanCodeBlocks RanSegment(uint32_t tbBits, double codeRate);

} // namespace ns3

#endif // RAN_MCS_TABLE_H
