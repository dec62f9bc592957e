/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_TABLES_H
#define RAN_TABLES_H

// Tables of numbers as NumPy arrays.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <vector>

namespace ns3
{

/// \param rows values in rows \param columns how many in a row \return a two-dimensional array
inline pybind11::array_t<double>
Table(const std::vector<double>& rows, size_t columns)
{
    const size_t n = columns ? rows.size() / columns : 0;
    pybind11::array_t<double> table({n, columns});
    std::copy(rows.begin(), rows.end(), table.mutable_data());
    return table;
}

/// \param names names of columns or values \return the same
template <size_t N>
pybind11::tuple
Names(const char* const (&names)[N])
{
    pybind11::tuple tuple(N);
    for (size_t i = 0; i < N; ++i)
    {
        tuple[i] = names[i];
    }
    return tuple;
}

} // namespace ns3

#endif /* RAN_TABLES_H */
