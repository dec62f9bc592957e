# SPDX-License-Identifier: Apache-2.0
"""When a row of reference figures holds: the rules, one function per figure.

- SINR within 0.5 dB without fading, 2 dB with.
- Goodput within 5 % where the MCS is at its ceiling (27), else within 15 % or, for a single user,
  between the figures one CQI step down and up; with fading within 20 %. The figure one step away is
  the reference's, times the ratio of spectral efficiencies of the MCS that CQIs select.
- Goodput of a user in outage (reference 0): at most 2 % of what the lowest MCS would give.
- Latency, mean and 95th percentile, within 20 % or 0.1 ms (scenarios d2 and h).
- Jain's index within 0.08; percentiles over users within 1 dB and 20 % (several users).

Where the reference's user positions are unknown and ours are drawn, each tolerance is widened by
two standard deviations of what drawing does to the figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ns3_scenarios.validation.mapping import peak_rate_mbps
from ns3_scenarios.validation.measure import PERCENTILES, Figures
from ns3_scenarios.validation.rows import ReferenceRow, ReferenceUser

SINR_DB = 0.5
SINR_FADING_DB = 2.0
CEILING_MCS = 27
GOODPUT_CEILING = 0.05
GOODPUT = 0.15
GOODPUT_FADING = 0.20
OUTAGE_SHARE = 0.02
LATENCY = 0.20
LATENCY_MS = 0.1
JAIN = 0.08
PERCENTILE_DB = 1.0
PERCENTILE_GOODPUT = 0.20
SIGMAS = 2.0

#: Spectral efficiency of the MCS that CQI 1 to 15 select: TS 38.214 Table 5.1.3.1-2 (256QAM).
CQI_LADDER: dict[int, float] = {
    0: 0.2344,
    1: 0.3770,
    3: 0.8770,
    5: 1.4766,
    7: 1.9141,
    9: 2.4063,
    11: 2.7305,
    13: 3.3223,
    15: 3.9023,
    17: 4.5234,
    19: 5.1152,
    21: 5.5547,
    23: 6.2266,
    25: 6.9141,
    27: 7.4063,
}


@dataclass(frozen=True)
class Check:
    """One figure compared."""

    figure: str
    unit: str
    ours: float
    theirs: float
    deviation: float
    """Ours less theirs in dB, ms or index; for goodput the ratio of ours to theirs less 1."""
    holds: bool
    rule: str
    """What was allowed."""

    @property
    def relative(self) -> bool:
        """The deviation is a ratio."""
        return self.unit == "Mbit/s" and self.theirs != 0


def check_row(row: ReferenceRow, ours: Figures) -> tuple[Check, ...]:
    """Compare everything that a row says."""
    kind = row.configuration.kind
    checks = []
    if row.sinr_db is not None:
        checks.append(
            check_sinr(
                ours.sinr_db,
                row.sinr_db,
                fading=row.configuration.fading,
                sigma=ours.sigma.get("sinr_db", 0.0),
            )
        )
    checks.append(
        check_goodput(
            ours.goodput_mbps,
            row.goodput_mbps,
            mcs=row.mcs,
            fading=row.configuration.fading,
            single_user=row.n_users == 1,
            lowest_mbps=lowest_rate_mbps(row.n_rb, row.configuration.numerology),
            sigma=ours.sigma.get("goodput_mbps", 0.0),
        )
    )
    if kind in ("d2", "h"):
        for name, mine, theirs in (
            ("latency mean", ours.delay_ms_mean, row.delay_ms_mean),
            ("latency p95", ours.delay_ms_p95, row.delay_ms_p95),
        ):
            if theirs is not None:
                checks.append(check_latency(name, mine, theirs))
    if row.n_users > 1:
        checks += _check_spread(row, ours)
    return tuple(checks)


def check_user(
    user: ReferenceUser, sinr_db: float, goodput_mbps: float, n_rb: int
) -> tuple[Check, ...]:
    """Compare one user of a three-cell run."""
    c = user.configuration
    checks = []
    if user.sinr_db is not None:
        checks.append(check_sinr(sinr_db, user.sinr_db, fading=c.fading))
    checks.append(
        check_goodput(
            goodput_mbps,
            user.goodput_mbps,
            mcs=user.mcs,
            fading=c.fading,
            single_user=True,
            lowest_mbps=lowest_rate_mbps(n_rb, c.numerology) / c.users_per_cell,
        )
    )
    return tuple(checks)


def check_sinr(ours: float, theirs: float, *, fading: bool, sigma: float = 0.0) -> Check:
    """SINR within 0.5 dB, or 2 dB with fading."""
    allowed = (SINR_FADING_DB if fading else SINR_DB) + SIGMAS * sigma
    return _within("SINR", "dB", ours, theirs, allowed)


def check_goodput(
    ours: float,
    theirs: float,
    *,
    mcs: float,
    fading: bool,
    single_user: bool,
    lowest_mbps: float,
    sigma: float = 0.0,
) -> Check:
    """Goodput by the rule for its MCS.

    Args:
        ours: Mbit/s.
        theirs: Mbit/s.
        mcs: mean MCS of the reference.
        fading: the row has fading.
        single_user: the figure is one user's, so that one CQI step up or down means something.
        lowest_mbps: rate of the lowest MCS, by which outage is judged.
        sigma: what drawn positions do to the figure, Mbit/s.
    """
    if theirs == 0:
        most = OUTAGE_SHARE * lowest_mbps + SIGMAS * sigma
        return Check(
            figure="goodput",
            unit="Mbit/s",
            ours=ours,
            theirs=theirs,
            deviation=ours,
            holds=ours <= most,
            rule=f"outage: at most {most:.2g} Mbit/s",
        )
    at_ceiling = mcs >= CEILING_MCS and not fading
    share = GOODPUT_FADING if fading else GOODPUT_CEILING if at_ceiling else GOODPUT
    low, high = theirs * (1 - share), theirs * (1 + share)
    rule = f"±{share:.0%}"
    if single_user and not fading and not at_ceiling:
        down, up = one_step(theirs, mcs)
        if down < low or up > high:
            rule += f" or {down:.3g} to {up:.3g}"
        low, high = min(low, down), max(high, up)
    if sigma:
        rule += f" ±{SIGMAS * sigma:.2g} (drawn positions)"
    return Check(
        figure="goodput",
        unit="Mbit/s",
        ours=ours,
        theirs=theirs,
        deviation=ours / theirs - 1,
        holds=low - SIGMAS * sigma <= ours <= high + SIGMAS * sigma,
        rule=rule,
    )


def check_latency(name: str, ours: float, theirs: float) -> Check:
    """Latency within 20 % or 0.1 ms, whichever is more."""
    return _within(name, "ms", ours, theirs, max(LATENCY * theirs, LATENCY_MS))


def one_step(goodput_mbps: float, mcs: float) -> tuple[float, float]:
    """Goodput one CQI step down and one up: scaled with the spectral efficiency; 0 below MCS 0.

    An average MCS between two steps of the ladder scales between theirs.
    """
    ladder = list(CQI_LADDER)
    above = next((i for i, step in enumerate(ladder) if step >= mcs), len(ladder) - 1)
    weight = 1.0
    if above > 0 and ladder[above] != mcs:
        weight = (min(mcs, CEILING_MCS) - ladder[above - 1]) / (ladder[above] - ladder[above - 1])
    efficiency = weight * _efficiency(above) + (1 - weight) * _efficiency(above - 1)
    down = weight * _efficiency(above - 1) + (1 - weight) * _efficiency(above - 2)
    up = weight * _efficiency(above + 1) + (1 - weight) * _efficiency(above)
    return goodput_mbps * down / efficiency, goodput_mbps * up / efficiency


def lowest_rate_mbps(n_rb: int, numerology: int) -> float:
    """Rate of a whole carrier at the lowest MCS."""
    return peak_rate_mbps(n_rb, numerology) * CQI_LADDER[0] / CQI_LADDER[CEILING_MCS]


def _efficiency(step: int) -> float:
    values = list(CQI_LADDER.values())
    return 0.0 if step < 0 else values[min(step, len(values) - 1)]


def _check_spread(row: ReferenceRow, ours: Figures) -> list[Check]:
    checks = []
    if row.jain is not None:
        sigma = ours.sigma.get("jain", 0.0)
        checks.append(_within("Jain", "", ours.jain, row.jain, JAIN + SIGMAS * sigma))
    for p in PERCENTILES:
        theirs = row.ue_sinr.get(p)
        if theirs is not None:
            allowed = PERCENTILE_DB + SIGMAS * ours.sigma.get(f"ue_sinr_p{p}", 0.0)
            checks.append(_within(f"user SINR p{p}", "dB", ours.ue_sinr[p], theirs, allowed))
    for p in PERCENTILES:
        theirs = row.ue_goodput.get(p)
        if theirs is not None:
            sigma = ours.sigma.get(f"ue_goodput_p{p}", 0.0)
            checks.append(_check_user_goodput(p, ours.ue_goodput[p], theirs, row, sigma))
    return checks


def _check_user_goodput(
    p: int, ours: float, theirs: float, row: ReferenceRow, sigma: float
) -> Check:
    lowest = lowest_rate_mbps(row.n_rb, row.configuration.numerology)
    least = OUTAGE_SHARE * lowest / row.configuration.users_per_cell
    allowed = max(PERCENTILE_GOODPUT * theirs, least) + SIGMAS * sigma
    if theirs == 0:
        rule = f"outage: at most {allowed:.2g} Mbit/s"
    else:
        rule = f"±{PERCENTILE_GOODPUT:.0%}"
        rule += f" ±{SIGMAS * sigma:.2g} (drawn positions)" if sigma else ""
    return Check(
        figure=f"user goodput p{p}",
        unit="Mbit/s",
        ours=ours,
        theirs=theirs,
        deviation=ours / theirs - 1 if theirs else ours,
        holds=abs(ours - theirs) <= allowed,
        rule=rule,
    )


def _within(figure: str, unit: str, ours: float, theirs: float, allowed: float) -> Check:
    deviation = ours - theirs
    return Check(
        figure=figure,
        unit=unit,
        ours=ours,
        theirs=theirs,
        deviation=deviation,
        holds=not math.isnan(deviation) and abs(deviation) <= allowed,
        rule=f"±{allowed:.3g} {unit}".rstrip(),
    )
