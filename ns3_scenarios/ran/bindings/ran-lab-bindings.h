/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_LAB_BINDINGS_H
#define RAN_LAB_BINDINGS_H

#include <pybind11/pybind11.h>

namespace ns3
{

/**
 * \param m the module, which gets what tests need to look at parts of the model by themselves
 */
void RanBindLabs(pybind11::module_& m);

} // namespace ns3

#endif /* RAN_LAB_BINDINGS_H */
