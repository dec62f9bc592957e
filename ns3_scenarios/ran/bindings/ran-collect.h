/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_COLLECT_H
#define RAN_COLLECT_H

#include "../helper/ran-network-helper.h"

#include <pybind11/pybind11.h>

namespace ns3
{

/**
 * What happened since the last call, as arrays; the counters are reset.
 * \param helper who built the network \param fromNs start of the interval, ns
 */
pybind11::dict RanCollect(RanNetworkHelper& helper, int64_t fromNs);

/**
 * \param m the module, which gets the names of the arrays' columns
 */
void RanBindColumns(pybind11::module_& m);

} // namespace ns3

#endif /* RAN_COLLECT_H */
