/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-cell.h"

#include "ran-units.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_LOG_COMPONENT_DEFINE("RanCell");
NS_OBJECT_ENSURE_REGISTERED(RanCell);

namespace
{

/// Thermal noise at 290 K, W/Hz
const double THERMAL_PSD = std::pow(10, (-174.0 - 30) / 10);
/// Subcarriers in a resource block
constexpr double SUBCARRIERS = 12;
/// Share of resource elements that carry data: one subcarrier in twelve is reference signal
constexpr double DATA_SHARE = 11.0 / 12;
/// Symbols in a slot (normal cyclic prefix, TS 38.211 Table 4.3.2-1)
constexpr uint8_t SLOT_SYMBOLS = 14;
/// Downward step of the outer loop after an error, dB
constexpr double OUTER_LOOP_STEP_DB = 0.5;
/// Bounds of the outer loop, dB
constexpr double OUTER_LOOP_MAX_DB = 20;
/// Slots over which the load of a cell is averaged
constexpr double LOAD_SLOTS = 100;
/// Blocks smaller than this carry little but headers, bytes
constexpr double MIN_BLOCK_BYTES = 16;
/// Time constant of the average throughput for proportional fair, ns
constexpr double FAIRNESS_NS = 100e6;

/// Resource blocks per group: TS 38.214 Table 5.1.2.2.1-1, configuration 1, continued beyond 275
uint32_t
StandardRbgSize(uint32_t nRb)
{
    return nRb <= 36 ? 2 : nRb <= 72 ? 4 : nRb <= 144 ? 8 : 16 * ((nRb + 274) / 275);
}

/// A number that looks random and depends on its arguments only
uint32_t
Scramble(uint32_t a, uint64_t b)
{
    uint64_t x = (b + 1) * 0x9E3779B97F4A7C15ULL ^ (a + 1) * 0xD1B54A32D192ED03ULL;
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9ULL;
    x ^= x >> 32;
    return static_cast<uint32_t>(x);
}

} // namespace

TypeId
RanCell::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::RanCell")
            .SetParent<Object>()
            .SetGroupName("Ran")
            .AddConstructor<RanCell>()
            .AddAttribute("TxPower",
                          "Downlink power over the whole carrier, dBm.",
                          DoubleValue(30),
                          MakeDoubleAccessor(&RanCell::SetTxPower, &RanCell::GetTxPower),
                          MakeDoubleChecker<double>(-30, 60))
            .AddAttribute("TargetBler",
                          "Error rate of first transmissions that link adaptation aims at.",
                          DoubleValue(0.1),
                          MakeDoubleAccessor(&RanCell::SetTargetBler, &RanCell::GetTargetBler),
                          MakeDoubleChecker<double>(0.001, 0.5))
            .AddAttribute("OuterLoop",
                          "Correct the reported SINR by acknowledgements; without it the MCS is "
                          "that of the CQI.",
                          BooleanValue(true),
                          MakeBooleanAccessor(&RanCell::m_outerLoop),
                          MakeBooleanChecker())
            .AddAttribute("McsTable",
                          "qam64, qam256 or qam1024 (TS 38.214 5.1.3.1).",
                          StringValue("qam256"),
                          MakeStringAccessor(&RanCell::m_mcsTableName),
                          MakeStringChecker())
            .AddAttribute("HarqMaxRetx",
                          "Repetitions of a block before it is given up.",
                          UintegerValue(3),
                          MakeUintegerAccessor(&RanCell::m_harqMaxRetx),
                          MakeUintegerChecker<uint8_t>(0, 8))
            .AddAttribute("Tdma",
                          "Users share symbols of a slot instead of resource-block groups.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&RanCell::m_tdma),
                          MakeBooleanChecker())
            .AddAttribute("Fdd",
                          "Frequency division duplex: every slot is downlink and uplink.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&RanCell::m_fdd),
                          MakeBooleanChecker())
            .AddAttribute("TddPattern",
                          "Slots of the period: D, S, U, or F (either way by demand).",
                          StringValue("DDDSU"),
                          MakeStringAccessor(&RanCell::m_pattern),
                          MakeStringChecker())
            .AddAttribute("PreparationSlots",
                          "Slots from the scheduler's decision to the air.",
                          UintegerValue(2),
                          MakeUintegerAccessor(&RanCell::m_preparationSlots),
                          MakeUintegerChecker<uint8_t>(0, 8))
            .AddAttribute("HarqRttSlots",
                          "Slots from a transmission to its earliest repetition.",
                          UintegerValue(6),
                          MakeUintegerAccessor(&RanCell::m_harqRttSlots),
                          MakeUintegerChecker<uint8_t>(2, 32))
            .AddAttribute("UlGrantSlots",
                          "Slots from an arrival at an empty uplink queue until the scheduler "
                          "knows of it.",
                          UintegerValue(4),
                          MakeUintegerAccessor(&RanCell::m_ulGrantSlots),
                          MakeUintegerChecker<uint8_t>(0, 32))
            .AddAttribute("DecodeTime",
                          "Time to decode a block after its last symbol.",
                          TimeValue(MicroSeconds(100)),
                          MakeTimeAccessor(&RanCell::m_decodeTime),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("CqiPeriod",
                          "Time between CQI reports of a user.",
                          TimeValue(MilliSeconds(5)),
                          MakeTimeAccessor(&RanCell::m_cqiPeriod),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("NoiseFigure",
                          "Noise figure of the base station, dB.",
                          DoubleValue(5),
                          MakeDoubleAccessor(&RanCell::m_noiseFigureCellDb),
                          MakeDoubleChecker<double>(0, 30))
            .AddAttribute("UeNoiseFigure",
                          "Noise figure of the users, dB.",
                          DoubleValue(9),
                          MakeDoubleAccessor(&RanCell::m_noiseFigureUeDb),
                          MakeDoubleChecker<double>(0, 30))
            .AddAttribute("UeMaxPower",
                          "Largest power of a user, dBm.",
                          DoubleValue(23),
                          MakeDoubleAccessor(&RanCell::m_ueMaxPowerDbm),
                          MakeDoubleChecker<double>(-10, 40))
            .AddAttribute("UlP0",
                          "Uplink power control: target per resource block of 180 kHz, dBm.",
                          DoubleValue(-80),
                          MakeDoubleAccessor(&RanCell::m_p0Dbm),
                          MakeDoubleChecker<double>(-202, 24))
            .AddAttribute("UlAlpha",
                          "Uplink power control: share of the path loss that is made up for.",
                          DoubleValue(0.8),
                          MakeDoubleAccessor(&RanCell::m_alpha),
                          MakeDoubleChecker<double>(0, 1))
            .AddAttribute("RestartRoundRobin",
                          "Round robin starts every slot at the first user.",
                          BooleanValue(false),
                          MakeBooleanAccessor(&RanCell::m_restart),
                          MakeBooleanChecker())
            .AddAttribute("PowerCategory",
                          "Base station category of TR 38.864, 1 or 2.",
                          UintegerValue(1),
                          MakeUintegerAccessor(&RanCell::m_powerCategory),
                          MakeUintegerChecker<uint8_t>(1, 2))
            .AddAttribute("ReferencePower",
                          "Transmit power at which the power model's reference transmits, dBm.",
                          DoubleValue(30),
                          MakeDoubleAccessor(&RanCell::m_referencePowerDbm),
                          MakeDoubleChecker<double>(-30, 60))
            .AddAttribute("SleepAfter",
                          "Idle time before light sleep.",
                          TimeValue(MilliSeconds(10)),
                          MakeTimeAccessor(&RanCell::m_sleepAfter),
                          MakeTimeChecker(Time(0)))
            .AddTraceSource("Block",
                            "A transport block was transmitted, and decoded or not.",
                            MakeTraceSourceAccessor(&RanCell::m_blockTrace),
                            "ns3::RanCell::BlockTracedCallback");
    return tid;
}

RanCell::RanCell()
    : m_random(CreateObject<UniformRandomVariable>())
{
}

RanCell::~RanCell() = default;

int64_t
RanCell::AssignStreams(int64_t stream)
{
    m_random->SetStream(stream);
    return 1;
}

void
RanCell::DoInitialize()
{
    m_mcsTable = m_mcsTableName == "qam64"    ? RanMcsTable::QAM64
                 : m_mcsTableName == "qam256" ? RanMcsTable::QAM256
                                              : RanMcsTable::QAM1024;
    m_beams = array->GetNumElems() > 1;
    m_power.SetCategory(m_powerCategory);
    UpdateNoise();
    for (RanScheduler& scheduler : m_schedulers)
    {
        scheduler.SetRestart(m_restart);
    }
    UpdateThresholds();
    Object::DoInitialize();
}

void
RanCell::UpdateNoise()
{
    m_thermalPsdCell = THERMAL_PSD * RanFromDb(m_noiseFigureCellDb);
    m_noisePsdCell = m_thermalPsdCell * m_noiseRise;
    m_noisePsdUe = THERMAL_PSD * RanFromDb(m_noiseFigureUeDb) * m_noiseRise;
}

void
RanCell::SetNoiseRise(double db)
{
    m_noiseRise = RanFromDb(db);
    UpdateNoise();
}

void
RanCell::DoDispose()
{
    m_idleEvent.Cancel();
    m_wakeEvent.Cancel();
    m_activation.Nullify();
    m_blocks.clear();
    for (auto& queue : m_retransmissions)
    {
        queue.clear();
    }
    mobility = nullptr;
    channel = nullptr;
    Object::DoDispose();
}

void
RanCell::SetGrid(uint8_t numerology, uint32_t nRb, uint32_t rbgSize)
{
    m_grid.nRb = nRb;
    const uint32_t size = rbgSize ? rbgSize : StandardRbgSize(nRb);
    m_grid.nRbg = (nRb + size - 1) / size;
    m_grid.rbPerRbg = static_cast<double>(nRb) / m_grid.nRbg;
    m_grid.rbHz = SUBCARRIERS * 15e3 * (1 << numerology);
    m_grid.slotNs = 1000000 >> numerology;
    for (RanTransmission& t : m_transmission)
    {
        t.active = false;
        t.psd.assign(m_grid.nRbg, 0);
        t.owner.assign(m_grid.nRbg, nullptr);
    }
    Bands bands;
    const double width = m_grid.rbPerRbg * m_grid.rbHz;
    const double low = channel->Frequency() - m_grid.OccupiedHz() / 2;
    for (uint32_t g = 0; g < m_grid.nRbg; ++g)
    {
        bands.push_back({low + g * width, low + (g + 0.5) * width, low + (g + 1) * width});
    }
    m_bands = Create<SpectrumModel>(bands);
    for (RanScheduler& scheduler : m_schedulers)
    {
        scheduler.SetAveragingSlots(FAIRNESS_NS / m_grid.slotNs);
    }
    UpdatePsd();
    UpdateThresholds();
}

void
RanCell::SetTxPower(double dbm)
{
    m_txPowerDbm = dbm;
    UpdatePsd();
}

void
RanCell::UpdatePsd()
{
    if (m_grid.nRb > 0)
    {
        m_downlinkPsd = RanFromDb(m_txPowerDbm - 30) / m_grid.OccupiedHz();
        m_referenceSignalDbm = RanToDb(m_downlinkPsd * m_grid.rbHz / SUBCARRIERS) + 30;
    }
}

double
RanCell::GetTxPower() const
{
    return m_txPowerDbm;
}

void
RanCell::SetTargetBler(double bler)
{
    m_targetBler = bler;
    UpdateThresholds();
}

double
RanCell::GetTargetBler() const
{
    return m_targetBler;
}

void
RanCell::SetScheduler(RanPolicy policy)
{
    for (RanScheduler& scheduler : m_schedulers)
    {
        scheduler.SetPolicy(policy);
    }
}

void
RanCell::SetShares(const std::vector<RanSliceShare>& shares)
{
    m_nSlices = static_cast<uint32_t>(shares.size());
    for (RanScheduler& scheduler : m_schedulers)
    {
        scheduler.SetShares(shares);
    }
}

void
RanCell::SetTilt(double deg)
{
    array->SetBeta(deg * M_PI / 180);
}

void
RanCell::UpdateThresholds()
{
    if (!errorModel || m_grid.nRb == 0)
    {
        return;
    }
    // A quarter of the carrier for the first guess of the outer loop; the whole carrier and one
    // symbol for the CQI, as RanErrorModel::SinrToCqi has it.
    const double re = std::max(1.0, m_grid.nRb / 4.0) * SUBCARRIERS * DATA_SHARE * 13;
    m_mcsSinrDb.clear();
    for (const RanMcs& mcs : RanMcsEntries(m_mcsTable))
    {
        m_mcsSinrDb.push_back(
            errorModel->SinrDbForBler(mcs, RanTransportBlockBits(mcs, re, 1), m_targetBler));
    }
    const double cqiRe = m_grid.nRb * SUBCARRIERS * DATA_SHARE;
    for (uint8_t cqi = 1; cqi < 16; ++cqi)
    {
        const RanMcs& mcs = RanMcsEntries(m_mcsTable)[RanMcsForCqi(m_mcsTable, cqi)];
        m_cqiSinrDb[cqi] =
            errorModel->SinrDbForBler(mcs, RanTransportBlockBits(mcs, cqiRe, 1), 0.1);
    }
    m_cqiSinrDb[0] = m_cqiSinrDb[1] - 3;
}

void
RanCell::AddFlow(RanFlow* flow)
{
    auto& flows = m_flows[flow->direction];
    flow->order = flows.empty() ? 0 : flows.back()->order + 1;
    flows.push_back(flow);
}

void
RanCell::RemoveFlow(RanFlow* flow)
{
    const auto remove = [flow](std::vector<RanFlow*>& flows) {
        flows.erase(std::remove(flows.begin(), flows.end(), flow), flows.end());
    };
    remove(m_flows[flow->direction]);
    remove(m_active[flow->direction]);
    flow->active = false;
    auto& repetitions = m_retransmissions[flow->direction];
    repetitions.erase(std::remove_if(repetitions.begin(),
                                     repetitions.end(),
                                     [flow](const auto& block) { return block.flow == flow; }),
                      repetitions.end());
}

void
RanCell::Activate(RanFlow* flow)
{
    if (!flow->active)
    {
        flow->active = true;
        auto& active = m_active[flow->direction];
        const auto place = std::lower_bound(
            active.begin(), active.end(), flow->order, [](const RanFlow* f, uint32_t order) {
                return f->order < order;
            });
        active.insert(place, flow);
    }
    CheckWake();
}

bool
RanCell::HasDemand() const
{
    return !m_active[RAN_DL].empty() || !m_active[RAN_UL].empty() ||
           HasRepetitions();
}

bool
RanCell::HasWork() const
{
    return m_power.GetState() == RanCellState::AWAKE && HasDemand();
}

double
RanCell::Load() const
{
    const auto slot = static_cast<uint64_t>(Simulator::Now().GetNanoSeconds() / m_grid.slotNs);
    return slot > m_loadSlot
               ? m_load * std::pow(1 - 1 / LOAD_SLOTS, static_cast<double>(slot - m_loadSlot))
               : m_load;
}

Time
RanCell::UplinkGrantDelay() const
{
    return NanoSeconds(m_ulGrantSlots * m_grid.slotNs);
}

uint8_t
RanCell::DataSymbols(RanDirection direction, uint64_t slot) const
{
    constexpr uint8_t downlink = 13;
    constexpr uint8_t uplink = 14;
    constexpr uint8_t shared = 12;
    if (m_fdd)
    {
        return direction == RAN_DL ? downlink : uplink;
    }
    switch (m_pattern[slot % m_pattern.size()])
    {
    case 'D':
        return direction == RAN_DL ? downlink : 0;
    case 'S':
        return direction == RAN_DL ? shared : 0;
    case 'U':
        return direction == RAN_UL ? uplink : 0;
    default:
        return shared;
    }
}

double
RanCell::Capacity(RanDirection direction, int64_t fromNs, int64_t toNs) const
{
    const int64_t first = (fromNs + m_grid.slotNs - 1) / m_grid.slotNs;
    const int64_t last = (toNs + m_grid.slotNs - 1) / m_grid.slotNs;
    if (m_fdd)
    {
        return static_cast<double>(last - first) * DataSymbols(direction, 0) * m_grid.nRb;
    }
    uint64_t symbols = 0;
    for (int64_t slot = first; slot < last; ++slot)
    {
        symbols += DataSymbols(direction, static_cast<uint64_t>(slot) + m_preparationSlots);
    }
    return static_cast<double>(symbols) * m_grid.nRb;
}

void
RanCell::Decide(int64_t nowNs)
{
    m_blocks.clear();
    for (RanTransmission& t : m_transmission)
    {
        if (t.active)
        {
            t.active = false;
            std::fill(t.psd.begin(), t.psd.end(), 0.0);
        }
    }
    const uint64_t slot = static_cast<uint64_t>(nowNs / m_grid.slotNs);
    uint32_t usedGroups = 0;
    if (HasWork())
    {
        const uint64_t air = slot + m_preparationSlots;
        uint8_t down = DataSymbols(RAN_DL, air);
        uint8_t up = DataSymbols(RAN_UL, air);
        if (!m_fdd && down && up)
        {
            // A flexible slot goes one way; when both want it they take turns.
            const auto wants = [this](RanDirection d) {
                return !m_active[d].empty() || !m_retransmissions[d].empty();
            };
            const bool downlink = wants(RAN_DL) && (!wants(RAN_UL) || air % 2 == 0);
            (downlink ? up : down) = 0;
        }
        if (down)
        {
            DecideDirection(RAN_DL, nowNs, down);
        }
        if (up)
        {
            DecideDirection(RAN_UL, nowNs, up);
        }
        RanTransmission& t = m_transmission[RAN_DL];
        double sum = 0;
        for (double psd : t.psd)
        {
            usedGroups += psd > 0;
            sum += psd;
        }
        t.meanPsd = sum / m_grid.nRbg;
        if (t.active || m_transmission[RAN_UL].active)
        {
            m_power.AddSlot(nowNs,
                            m_grid.slotNs,
                            t.meanPsd * m_grid.OccupiedHz() / RanFromDb(m_referencePowerDbm - 30));
        }
    }
    if (m_power.GetMode() == RanSleepMode::LIGHT && !HasDemand() && !m_idleEvent.IsPending())
    {
        m_idleEvent = Simulator::Schedule(m_sleepAfter, &RanCell::FallAsleep, this);
    }
    // Slots in which the network slept were idle ones.
    const double gap = static_cast<double>(slot - m_loadSlot);
    m_load *= gap == 1 ? 1 - 1 / LOAD_SLOTS : std::pow(1 - 1 / LOAD_SLOTS, gap);
    m_load += static_cast<double>(usedGroups) / m_grid.nRbg / LOAD_SLOTS;
    m_loadSlot = slot;
}

void
RanCell::DecideDirection(RanDirection direction, int64_t nowNs, uint8_t symbols)
{
    const uint64_t slot = static_cast<uint64_t>(nowNs / m_grid.slotNs);
    const uint32_t units = m_tdma ? symbols : m_grid.nRbg;
    const double unitRb = m_tdma ? m_grid.nRb : m_grid.rbPerRbg;
    const double unitRe = unitRb * SUBCARRIERS * DATA_SHARE * (m_tdma ? 1 : symbols);
    const uint8_t firstSymbol = direction == RAN_DL ? 1 : 0;
    // Interleaving spreads partly used slots over the band; neighbours collide by chance.
    const uint32_t offset = m_tdma ? 0 : Scramble(id, slot) % units;
    RanTransmission& transmission = m_transmission[direction];
    uint32_t next = 0;
    m_used.assign(m_nSlices, 0);

    const auto place = [&](RanTransportBlock& block) {
        block.firstUnit = m_tdma ? next : (next + offset) % units;
        block.symbols = m_tdma ? static_cast<uint8_t>(block.units) : symbols;
        block.resourceElements = block.units * unitRe;
        block.endSymbol =
            static_cast<uint8_t>(firstSymbol + (m_tdma ? next + block.units : symbols));
        next += block.units;
        const double rb = m_tdma ? m_grid.nRb : block.units * unitRb;
        block.psd = direction == RAN_DL ? DownlinkPsd() : UplinkPsd(*block.flow->link, rb);
        block.flow->counters.rbSymbols += rb * block.symbols;
        transmission.active = true;
        if (m_tdma)
        {
            const double share = static_cast<double>(block.units) / units;
            for (uint32_t g = 0; g < m_grid.nRbg; ++g)
            {
                transmission.psd[g] += block.psd * share;
                transmission.owner[g] = block.flow->link;
            }
        }
        else
        {
            for (uint32_t u = 0; u < block.units; ++u)
            {
                const uint32_t g = (block.firstUnit + u) % units;
                transmission.psd[g] = block.psd;
                transmission.owner[g] = block.flow->link;
            }
        }
    };

    // Repetitions come first, oldest first.
    const double averaging = m_schedulers[direction].GetAveragingSlots();
    auto& repetitions = m_retransmissions[direction];
    for (auto it = repetitions.begin(); it != repetitions.end();)
    {
        // After a change of the grid a block takes as many resource elements as before.
        const uint32_t needed = std::min<uint32_t>(
            units,
            static_cast<uint32_t>(std::max(1.0, std::round(it->resourceElements / unitRe))));
        if (it->readyNs > nowNs || next + needed > units)
        {
            ++it;
            continue;
        }
        it->units = needed;
        m_used[it->flow->qos->slice] += needed;
        // Airtime of repetitions counts in the fair share.
        it->flow->averageBytes += it->bits / 8 / averaging;
        place(*it);
        m_blocks.push_back(std::move(*it));
        it = repetitions.erase(it);
    }

    auto& active = m_active[direction];
    m_candidates.clear();
    m_candidateFlows.clear();
    m_candidateMcs.clear();
    size_t kept = 0;
    for (RanFlow* flow : active)
    {
        const uint64_t backlog = flow->bearer->BacklogBytes();
        if (backlog == 0)
        {
            flow->active = false;
            continue;
        }
        active[kept++] = flow;
        if (next >= units)
        {
            continue;
        }
        const uint8_t index = SelectMcs(*flow, unitRb, nowNs);
        const RanMcs& mcs = RanMcsEntries(m_mcsTable)[index];
        RanCandidate c;
        c.slice = flow->qos->slice;
        c.order = flow->order;
        c.bytesPerUnit = mcs.SpectralEfficiency() * unitRe / 8;
        const uint64_t gap = slot - flow->averageSlot;
        if (gap > 0)
        {
            flow->averageBytes *= gap == 1 ? 1 - 1 / averaging
                                           : std::pow(1 - 1 / averaging, static_cast<double>(gap));
            flow->averageSlot = slot;
        }
        c.averageBytes = flow->averageBytes;
        if (m_schedulers[direction].GetPolicy() == RanPolicy::QOS)
        {
            c.urgency =
                std::min(1.0, flow->bearer->HeadDelay().GetSeconds() * 1e3 / flow->qos->delayBudgetMs);
            c.guaranteedBytes =
                direction == RAN_DL ? flow->qos->guaranteedBps / 8 * m_grid.slotNs * 1e-9 : 0;
        }
        double demand = std::ceil(static_cast<double>(backlog) / c.bytesPerUnit);
        if (direction == RAN_UL && !m_tdma)
        {
            demand = std::min(demand, std::max(1.0, std::floor(UplinkLimitRb(*flow->link) / unitRb)));
        }
        c.demandUnits = static_cast<uint32_t>(std::min<double>(demand, units));
        c.firstUnits = static_cast<uint32_t>(
            std::min<double>(std::ceil(MIN_BLOCK_BYTES / c.bytesPerUnit), units));
        c.demandUnits = std::max(c.demandUnits, c.firstUnits);
        m_candidates.push_back(c);
        m_candidateFlows.push_back(flow);
        m_candidateMcs.push_back(index);
    }
    active.resize(kept);

    if (!m_candidates.empty() && !m_draining)
    {
        m_schedulers[direction].Assign(m_candidates, units - next, m_used);
        for (size_t i = 0; i < m_candidates.size(); ++i)
        {
            const RanCandidate& c = m_candidates[i];
            RanFlow* flow = m_candidateFlows[i];
            uint32_t served = 0;
            if (c.units > 0)
            {
                RanTransportBlock block;
                block.flow = flow;
                block.epoch = flow->epoch;
                // In the uplink a wider grant spreads the user's power.
                block.mcsIndex = direction == RAN_DL || m_tdma
                                     ? m_candidateMcs[i]
                                     : SelectMcs(*flow, c.units * unitRb, nowNs);
                block.mcs = RanMcsEntries(m_mcsTable)[block.mcsIndex];
                block.units = c.units;
                block.bits = RanTransportBlockBits(block.mcs, c.units * unitRe, 1);
                block.pdu = flow->bearer->Transmit(block.bits / 8);
                if (block.pdu.payloadBytes > 0)
                {
                    served = block.bits / 8;
                    place(block);
                    m_blocks.push_back(std::move(block));
                }
            }
            flow->averageBytes += served / averaging;
        }
    }
}

uint8_t
RanCell::SelectMcs(RanFlow& flow, double rb, int64_t nowNs)
{
    RanLink& link = *flow.link;
    double sinrDb;
    if (flow.direction == RAN_DL)
    {
        if (link.measuredNs < 0 || nowNs - link.measuredNs >= m_cqiPeriod.GetNanoSeconds())
        {
            Measure(link, nowNs);
        }
        else if (nowNs - link.measuredNs >= m_preparationSlots * m_grid.slotNs)
        {
            link.cqi = link.nextCqi;
        }
        if (!m_outerLoop)
        {
            return RanMcsForCqi(m_mcsTable, link.cqi);
        }
        sinrDb = m_cqiSinrDb[link.cqi];
    }
    else
    {
        const double psd = UplinkPsd(link, rb);
        sinrDb = RanToDb(psd * link.gain / (m_noisePsdCell + m_uplinkInterference));
        if (!m_outerLoop)
        {
            return RanMcsForCqi(m_mcsTable,
                                errorModel->SinrToCqi(m_mcsTable, RanFromDb(sinrDb), m_grid.nRb));
        }
    }
    sinrDb += link.offsetDb[flow.direction];
    const auto above = std::upper_bound(m_mcsSinrDb.begin(), m_mcsSinrDb.end(), sinrDb);
    return above == m_mcsSinrDb.begin()
               ? 0
               : static_cast<uint8_t>(std::distance(m_mcsSinrDb.begin(), above) - 1);
}

std::vector<RanTransportBlock>&
RanCell::Transmit(int64_t nowNs)
{
    for (RanTransportBlock& block : m_blocks)
    {
        if (block.flow->direction == RAN_UL)
        {
            RefreshFading(*block.flow->link, nowNs);
        }
        block.readyNs = nowNs + m_harqRttSlots * m_grid.slotNs;
        m_inAirNs = std::max(m_inAirNs, nowNs + CompletionDelay(block).GetNanoSeconds());
        Evaluate(block);
    }
    return m_blocks;
}

Time
RanCell::CompletionDelay(const RanTransportBlock& block) const
{
    return NanoSeconds(m_preparationSlots * m_grid.slotNs +
                       block.endSymbol * m_grid.slotNs / SLOT_SYMBOLS) +
           m_decodeTime;
}

void
RanCell::Finish(RanTransportBlock& block)
{
    RanFlow& flow = *block.flow;
    if (block.epoch != flow.epoch)
    {
        return; // its user has left the cell
    }
    if (m_outerLoop && block.transmissions == 1)
    {
        double& offset = flow.link->offsetDb[flow.direction];
        const bool highest = block.mcsIndex + 1U == RanMcsEntries(m_mcsTable).size();
        if (!block.decoded && block.mcsIndex > 0)
        {
            offset = std::max(-OUTER_LOOP_MAX_DB, offset - OUTER_LOOP_STEP_DB);
        }
        else if (block.decoded && !highest)
        {
            offset = std::min(OUTER_LOOP_MAX_DB,
                              offset + OUTER_LOOP_STEP_DB * m_targetBler / (1 - m_targetBler));
        }
    }
    if (block.decoded)
    {
        ++flow.counters.finished;
        flow.counters.payloadBits += 8ULL * block.pdu.payloadBytes;
        flow.bearer->Deliver(block.pdu);
    }
    else if (block.transmissions <= m_harqMaxRetx && m_power.IsHeard())
    {
        m_retransmissions[flow.direction].push_back(std::move(block));
        CheckWake();
    }
    else
    {
        GiveUp(block);
    }
}

void
RanCell::GiveUp(RanTransportBlock& block)
{
    ++block.flow->counters.finished;
    ++block.flow->counters.givenUp;
    block.flow->bearer->Lose(block.pdu);
}

} // namespace ns3
