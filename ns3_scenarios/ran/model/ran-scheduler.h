/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef RAN_SCHEDULER_H
#define RAN_SCHEDULER_H

#include <cstdint>
#include <vector>

namespace ns3
{

/// How users are ranked
enum class RanPolicy : uint8_t
{
    ROUND_ROBIN,       ///< fewest units first
    PROPORTIONAL_FAIR, ///< rate over average throughput
    MAX_CI,            ///< highest rate
    QOS                ///< proportional fair, weighted by urgency and guaranteed rate
};

/// Share of a slice (RRMPolicyRatio of TS 28.541 4.3.36), in per cent
struct RanSliceShare
{
    double dedicatedPct{0}; ///< kept even when unused
    double minPct{0};       ///< guaranteed when needed
    double maxPct{100};     ///< bound
};

/// One flow that has something to send in a slot
struct RanCandidate
{
    uint32_t slice{0};          ///< index of its slice
    uint32_t order{0};          ///< place among the cell's flows, for round robin
    double bytesPerUnit{0};     ///< what one unit carries with its present MCS
    double averageBytes{0};     ///< average served per slot
    double urgency{0};          ///< head delay over delay budget
    double guaranteedBytes{0};  ///< guaranteed per slot
    uint32_t demandUnits{0};    ///< units that would empty its queue, or its limit
    uint32_t firstUnits{1};     ///< fewest units that carry more than headers
    uint32_t units{0};          ///< result: units given
};

/**
 * \ingroup ran
 *
 * Divides the units of one slot and direction among flows. A unit is a resource-block group
 * (OFDMA) or a symbol over the whole band (TDMA).
 *
 * Units go one by one to the flow with the highest metric. First every slice gets its guaranteed
 * minimum, as far as it needs it; what is left goes to all flows by metric, within the maximum of
 * each slice and without the units dedicated to others. Fractions of units are carried over to the
 * next slot, so that shares hold exactly over time.
 */
class RanScheduler
{
  public:
    /**
     * \param policy how users are ranked
     */
    void SetPolicy(RanPolicy policy);

    /**
     * \return how users are ranked
     */
    RanPolicy GetPolicy() const
    {
        return m_policy;
    }

    /**
     * \param restart whether round robin starts every slot at the first flow
     */
    void SetRestart(bool restart);

    /**
     * \param shares by slice
     */
    void SetShares(const std::vector<RanSliceShare>& shares);

    /**
     * \param slots time constant of the average throughput for proportional fair
     */
    void SetAveragingSlots(double slots);

    /**
     * \return time constant of the average throughput
     */
    double GetAveragingSlots() const
    {
        return m_averagingSlots;
    }

    /**
     * Divide the units of a slot.
     * \param candidates flows with something to send; their \c units are set
     * \param units units to give out
     * \param used units already given to retransmissions, by slice
     */
    void Assign(std::vector<RanCandidate>& candidates,
                uint32_t units,
                const std::vector<uint32_t>& used);

  private:
    /// Running balance of a slice in units
    struct Credit
    {
        double min{0};       ///< guaranteed and not yet given
        double dedicated{0}; ///< dedicated and not yet reserved
        double max{0};       ///< allowed and not yet given
    };

    /**
     * \param c a candidate
     * \return its rank; the highest is served
     */
    double Metric(const RanCandidate& c) const;

    /**
     * \param c a candidate
     * \return its place in round robin, which decides between equal metrics
     */
    uint32_t Place(const RanCandidate& c) const;

    /**
     * Give units one by one to the best candidates.
     * \param candidates the flows
     * \param budget units to give out
     * \param limits units that each slice may still get
     * \param onlySlice slice whose flows take part, or -1 for all
     * \return units given
     */
    uint32_t Give(std::vector<RanCandidate>& candidates,
                  uint32_t budget,
                  std::vector<uint32_t>& limits,
                  int onlySlice);

    RanPolicy m_policy{RanPolicy::PROPORTIONAL_FAIR}; ///< how users are ranked
    bool m_restart{false};                            ///< round robin restarts every slot
    double m_averagingSlots{200};                     ///< for proportional fair
    uint32_t m_next{0};                               ///< flow at which round robin starts
    std::vector<RanSliceShare> m_shares;              ///< by slice
    std::vector<Credit> m_credits;                    ///< by slice
    bool m_unlimited{true};                           ///< no share binds
};

} // namespace ns3

#endif /* RAN_SCHEDULER_H */
