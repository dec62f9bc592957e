/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_ERROR_MODEL_H
#define RAN_ERROR_MODEL_H

#include "ran-mcs-table.h"

#include "ns3/object.h"

#include <array>
#include <vector>

namespace ns3
{

/**
 * @ingroup ran
 * Mutual information per coded bit of Gray-mapped square QAM in additive white
 * Gaussian noise with bit-interleaved coded modulation (the received bit mutual
 * information rate of MIESM).
 *
 * @param modulationOrder coded bits per symbol: 2, 4, 6, 8 or 10
 * @param sinrLinear the SINR per resource element, a ratio, not dB
 * @return a number from 0 to 1, never decreasing in the SINR
 */
double RanMutualInformation(uint8_t modulationOrder, double sinrLinear);

/**
 * @ingroup ran
 * The inverse of RanMutualInformation.
 *
 * @param modulationOrder coded bits per symbol: 2, 4, 6, 8 or 10
 * @param mi the mutual information per coded bit; limited to 0..1
 * @return the SINR per resource element (a ratio, not dB); for a mutual
 *         information of 1 the lowest SINR that reaches it
 */
double RanInverseMutualInformation(uint8_t modulationOrder, double mi);

/**
 * @ingroup ran
 * Block error rate of an LDPC-coded transport block (TS 38.212) and the CQI
 * that follows from it.
 *
 * A code block fails with probability Q((SINR - t) / s), both in dB. The
 * threshold t is the SINR at which the BICM mutual information equals the code
 * rate, plus a loss that is linear in the rate for each modulation. The width s
 * is that of the normal approximation (Polyanskiy, Poor and Verdu, "Channel
 * coding rate in the finite blocklength regime", IEEE Trans. Inf. Theory 56(5),
 * 2010), a little wider, as a practical decoder has it. A transport block fails
 * when any of its code blocks does.
 *
 * Below the mother rate of the base graph (1/3 and 1/5) coded bits only repeat:
 * there the threshold stays at that of the mother rate, less the energy gain.
 *
 * The SINR is an effective one: over a frequency-selective allocation, the
 * caller averages RanMutualInformation over the resource-block groups and takes
 * the inverse.
 */
class RanErrorModel : public Object
{
  public:
    /**
     * @brief Get the type ID.
     * @return the object TypeId
     */
    static TypeId GetTypeId();

    RanErrorModel() = default;

    /**
     * Block error rate of one transmission.
     *
     * @param mcs the modulation and coding scheme
     * @param tbBits the transport block size in bits, without CRC
     * @param effectiveSinrLinear the effective SINR, a ratio, not dB
     * @return the probability that the transport block is not decoded
     */
    double TransportBlockErrorRate(const RanMcs& mcs,
                                   uint32_t tbBits,
                                   double effectiveSinrLinear) const;

    /**
     * Block error rate after soft combining (HARQ with incremental redundancy).
     *
     * The code rate falls by firstCodedBits / totalCodedBits down to the mother
     * rate; below it further transmissions are combined as energy (Chase). With
     * one transmission this is the other TransportBlockErrorRate.
     *
     * @param mcs the modulation and coding scheme of the first transmission
     * @param tbBits the transport block size in bits, without CRC
     * @param accumulatedMiBits sum over transmissions of coded bits times their
     *        mean mutual information
     * @param totalCodedBits sum over transmissions of coded bits
     * @param firstCodedBits coded bits of the first transmission, those to which
     *        the code rate of the MCS belongs
     * @return the probability that the transport block is not decoded
     */
    double TransportBlockErrorRate(const RanMcs& mcs,
                                   uint32_t tbBits,
                                   double accumulatedMiBits,
                                   double totalCodedBits,
                                   double firstCodedBits) const;

    /**
     * The SINR that one transmission needs for a block error rate.
     *
     * @param mcs the modulation and coding scheme
     * @param tbBits the transport block size in bits, without CRC
     * @param targetBler the block error rate, more than 0 and less than 1
     * @return the SINR in dB
     */
    double SinrDbForBler(const RanMcs& mcs, uint32_t tbBits, double targetBler) const;

    /**
     * The highest CQI whose MCS has a block error rate of at most 0.1 for a
     * transport block of all resource blocks and one symbol (11 resource
     * elements of each resource block carry data).
     *
     * TS 38.214 clause 5.2.2.1 has the error rate and leaves the size of the
     * block to the CSI reference resource.
     *
     * @param table the MCS and CQI table
     * @param effectiveSinrLinear the effective SINR, a ratio, not dB
     * @param nRb the number of resource blocks of the carrier
     * @return the CQI index; 0, out of range, where even MCS 0 fails
     */
    uint8_t SinrToCqi(RanMcsTable table, double effectiveSinrLinear, uint32_t nRb) const;

  private:
    /// The error curve of one code block, and how many there are.
    struct Curve
    {
        double sinrDb;  //!< SINR in dB at which a code block fails half the time
        double widthDb; //!< Standard deviation of the curve, in dB
        uint32_t count; //!< Number of code blocks
    };

    /// SINR from which each CQI holds; index 0 is not used.
    using CqiThresholds = std::array<double, 16>;

    /**
     * @param mcs the modulation and coding scheme
     * @param tbBits the transport block size in bits, without CRC
     * @param codeRate the code rate after combining
     * @return the error curve
     */
    Curve GetCurve(const RanMcs& mcs, uint32_t tbBits, double codeRate) const;

    /**
     * @param curve the error curve of one code block
     * @param sinrDb the effective SINR in dB
     * @return the error rate of the transport block
     */
    static double Evaluate(const Curve& curve, double sinrDb);

    /**
     * @param enable whether code rates below the mother rate gain in full
     */
    void SetRepetitionGain(bool enable);

    /**
     * @return whether code rates below the mother rate gain in full
     */
    bool GetRepetitionGain() const;

    /**
     * @param offsetDb decibels to add to the fitted implementation loss
     */
    void SetLossOffset(double offsetDb);

    /**
     * @return decibels added to the fitted implementation loss
     */
    double GetLossOffset() const;

    bool m_repetitionGain{true}; //!< Whether code rates below the mother rate gain in full
    double m_lossOffsetDb{0.0};  //!< Decibels added to the fitted implementation loss
    /// Linear SINR thresholds per table and number of resource blocks, filled on use.
    mutable std::array<std::vector<CqiThresholds>, 3> m_cqiThresholds;
};

} // namespace ns3

#endif // RAN_ERROR_MODEL_H
