# SPDX-License-Identifier: Apache-2.0
"""Prints docs/features.md: `python -m calibration.features.document > docs/features.md`."""

from __future__ import annotations

from collections.abc import Iterator

from calibration.features.catalogue import CATALOGUE
from calibration.features.families import DIFFERENCE, Described, Entries
from calibration.features.words import GROUPS

INTRODUCTION = """\
# Features

What a model sees before it predicts the KPIs of the next reporting interval. This page is printed
by `python -m calibration.features.document`. `calibration.features.catalogue.describe` gives one
entry, and the `model.json` of a calibrated model carries units and descriptions of its features.

## Rows

A row is one element at one moment: a cell, a slice of a cell, a direction of a transport link, an
edge site, an application, a flow class (a user group's flow in one direction), or a slice of the
whole network. Three intervals matter: the **next** one, which is predicted, the **last** one,
which has ended, and the **earlier** one before it (the last again where a run begins). A row
knows

- the KPIs of the last interval (`now_`) and of the earlier one (`before_`);
- the settings in force in the next interval, and by how much the change moves them (`_change`);
- what comes from outside the network in the next interval: faults averaged over it, and what
  open-loop applications and requests of jobs send;
- static facts of the scenario, and what formulas make of all these.

It knows no KPI of the next interval, and not what closed-loop traffic (TCP, web, responses) is
going to send: that is taken to be what it sent in the last one. A value that does not exist, such
as the delay of no packets, is missing (NaN).

Training, validation and running surrogates compute rows by the same code,
`calibration.features.ROWS`, from the same arrays (`calibration.trajectory.Trajectory`), whether
these come from NS-3, from somebody else's dataset or from a surrogate that rolls on.

## The fluid model

`calibration/fluid.py` lets the next interval, of length T, flow as if packets were water. Its
results (`_fluid_`, `_wanted_`) are features, and first guesses that the trees correct. Each flow
r in each direction brings a rate ρ, which it would have alone in its cell, what waits W (all that
is on its way) and what arrives A:

    ρ_r = e(SINR_r) · 12 · n_RB · Δf · (share of symbols)
    D_r = W_r + A_r                              demand; F_r for a full buffer
    F_r = ρ_r · T                                what it could have
    n_r = min((W_r + A'_r) / F_r, 10)            need, as a share of the cell

A slot is handed out in u units: groups of resource blocks (TS 38.214 Table 5.1.2.2.1-1), or symbols
under TDMA. With k slots in the direction, a unit holds b = F_r / (k u). What comes at once (a
packet, a frame), B_r, is sent in the next slot, so that A_r goes in t = min(A_r / B_r, k) turns;
each takes whole units, which makes small packets dear:

    x   = A_r / (t b)                            units of a turn
    A'_r = t b · (1 if x ≤ 1, else x + ½)

SINR_r is what the user's last MCS needs, moved by the change of geometry (downlink) or noise
(uplink), and e the bits per resource element that an SINR carries; ρ is summed over the carriers
of the sector. What arrives of the downlink has passed the transport links; of the uplink it is
what is sent.

Slices share the cell in each direction as RRMPolicyRatio says (TS 28.541 4.3.36), with dedicated,
minimum and maximum ratios d, m and M. With the sum over its flows, slice s gets a grant g:

    w_s = min(Σ n_r, M_s)                        wanted
    g_s = min(w_s, m_s)                          the minimum is served first
    o_s = w_s − g_s                              still open

and then, twice, of what neither is granted nor dedicated to slices that do not use it:

    room = max(1 − Σ (g_s + max(d_s − g_s, 0)), 0)
    x_s  = min(o_s, room · o_s / Σ o_s),   g_s ← g_s + x_s,   o_s ← o_s − x_s

Flows share the grant of their slice by the policy of the cell. `round_robin` and
`proportional_fair` fill like water, in four rounds: what is left of g_s is dealt out equally
among the flows that still need some, y_r ← min(n_r, y_r + left / hungry). `max_ci` serves flows
one after the other, the greatest ρ first. `qos` fills like water too, first the flows with
packets below 4 kbit, then the others.

What is not served waits, and what exceeds the bound Q of the queue is dropped (TCP has no bound
here, for it slows down instead):

    served_r  = min(y_r · F_r, D_r)
    queued_r  = min(D_r − served_r, Q)
    dropped_r = D_r − served_r − queued_r

The delay at the radio has four parts. In the queue, q is the mean distance between the curves of
arrivals and departures, first come first served (Le Boudec, Thiran: Network Calculus), and half
the time in which the rest of B_r leaves after its first slot. A flow that gets less than it needs
is served in turns, a unit each, the others in every slot: θ = T / (y_r k u) or T / k, of which a
packet waits half. Then it is on its way, for slots of length τ, and some fail at first, with the
chance ε that link adaptation aims for (target BLER):

    way   = τ (preparation + 1 + (uplink) grant) + decoding
    mean  = way + q + θ / 2 + ε · τ · (round trip of HARQ)
    q ≤ age of the first that waits + T          what leaves has not waited for longer
    share of packets within a delay = evenly spread over [way, way + θ + 2 q], and for a share of ε
                                      a round trip of HARQ later

Paths through transport add propagation and waits at links. Their 95th percentile and what is
within the delay budget follow from that distribution.

## Reading the tables

`{dl,ul}_x` stands for two columns, of which the table describes that of the downlink. Names in
parentheses, such as `DRB.UEThpDl`, are measurements of TS 28.552. "First guess" marks the column
to which the trees of a KPI add their correction.
"""

UPLINK_WORDS = (
    ("downlink", "uplink"),
    ("Downlink", "Uplink"),
    ("dl_", "ul_"),
    ("Dl", "Ul"),
    ("DL", "UL"),
    ("PDSCH", "PUSCH"),
)


def document() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield "| kind | features | tables |"
    yield "| --- | --- | --- |"
    for kind, entries in CATALOGUE.items():
        links = ", ".join(f"[{g.title}](#{_anchor(g.title)})" for g in GROUPS if kind in g.kinds)
        yield f"| `{kind}` | {len(entries)} | {links} |"
    for group in GROUPS:
        rows = " and ".join(f"`{kind}`" for kind in group.kinds)
        yield f"\n## {group.title}\n\nIn rows of kind {rows}.\n"
        yield "| feature | unit | what it is |"
        yield "| --- | --- | --- |"
        yield from _table(group.entries)
    yield ""


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-").replace("'", "")


def _table(entries: Entries) -> Iterator[str]:
    for name, entry in entries.items():
        twin = _downlink_of(name)
        if (twin in entries and _said_of_uplink(entries[twin]) == entry) or (
            entry.text == DIFFERENCE and name.endswith("_change")
        ):
            continue
        shown = f"`{name}`"
        uplink = _uplink_of(name)
        if entries.get(uplink) == _said_of_uplink(entry) and uplink != name:
            shown = f"`{_both(name)}`"
        if f"{name}_change" in entries:
            shown += f", `{name}_change`"
        yield f"| {shown} | {entry.unit} | {entry.text} |"


def _swapped(name: str, old: str, new: str) -> str:
    return "_".join(new if part == old else part for part in name.split("_"))


def _uplink_of(name: str) -> str:
    return _swapped(name, "dl", "ul")


def _downlink_of(name: str) -> str:
    other = _swapped(name, "ul", "dl")
    return other if other != name else ""


def _both(name: str) -> str:
    return _swapped(name, "dl", "{dl,ul}")


def _said_of_uplink(entry: Described) -> Described:
    text = entry.text
    for down, up in UPLINK_WORDS:
        text = text.replace(down, up)
    return Described(entry.unit, text)


if __name__ == "__main__":
    print(document(), end="")
