/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-ue.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanUe);

TypeId
RanUe::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanUe").SetParent<Object>().SetGroupName("Ran").AddConstructor<RanUe>();
    return tid;
}

void
RanUe::DoDispose()
{
    for (auto& qos : qosFlows)
    {
        for (auto& bearer : qos->bearers)
        {
            if (bearer)
            {
                bearer->Dispose();
            }
        }
    }
    flows.clear();
    links.clear();
    qosFlows.clear();
    mobility = nullptr;
    Object::DoDispose();
}

} // namespace ns3
