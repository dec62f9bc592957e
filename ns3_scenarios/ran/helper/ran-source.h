/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_SOURCE_H
#define RAN_SOURCE_H

#include "ns3/source-application.h"

namespace ns3
{

/**
 * \ingroup ran
 *
 * A source of traffic that can be told, in flight, to send more or less.
 */
class RanSource : public SourceApplication
{
  public:
    /**
     * \param factor of what it sends by itself; 0 stops it until further notice
     */
    virtual void SetRateFactor(double factor) = 0;
};

} // namespace ns3

#endif /* RAN_SOURCE_H */
