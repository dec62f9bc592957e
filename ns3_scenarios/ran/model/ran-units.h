/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_UNITS_H
#define RAN_UNITS_H

#include <cmath>
#include <numbers>

namespace ns3
{

/// Decibels per factor of two
constexpr double RAN_DB_PER_OCTAVE = 10 * std::numbers::ln2 / std::numbers::ln10;

/**
 * \param ratio a linear power ratio
 * \return it in dB
 */
inline double
RanToDb(double ratio)
{
    return RAN_DB_PER_OCTAVE * std::log2(ratio);
}

/**
 * \param db a power ratio in dB
 * \return it linear
 */
inline double
RanFromDb(double db)
{
    return std::exp2(db / RAN_DB_PER_OCTAVE);
}

} // namespace ns3

#endif /* RAN_UNITS_H */
