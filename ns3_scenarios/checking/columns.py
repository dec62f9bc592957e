# SPDX-License-Identifier: Apache-2.0
"""What KPI columns may hold: when they are null, in which range they are, who needs them."""

from __future__ import annotations

from math import inf

from ns3_scenarios.kpi import TABLES

TRAFFIC_NULLS = {
    "latency_ms": "no packet arrived",
    "latency_p95_ms": "no packet arrived",
    "jitter_ms": "fewer than two packets arrived",
    "loss_pct": "nothing was delivered or dropped",
}
RADIO_NULLS = {
    "prb_util_pct": "there was no resource block to use",
    "sinr_db": "nothing was transmitted",
    "mcs": "nothing was transmitted",
    "bler_pct": "nothing was transmitted",
}
HANDOVER = ("a3_offset_db", "hysteresis_db", "ttt_ms")


def _both(nulls: dict[str, str]) -> dict[str, str]:
    return {f"{d}_{name}": text for d in ("dl", "ul") for name, text in nulls.items()}


_DIRECTIONS = _both({**TRAFFIC_NULLS, **RADIO_NULLS})
_RESIDUAL = {"dl_residual_bler_pct": "no block was finished"}

#: By table and column: what null means. In all other columns a value always exists.
NULLS: dict[str, dict[str, str]] = {
    "network": {
        "latency_ms": "no packet arrived",
        "jitter_ms": "fewer than two packets arrived",
        "packet_loss_pct": "nothing was delivered or dropped",
        "edge_load_pct": "the slice has no application at an edge site",
        "within_budget_pct": "no packet arrived",
        "prb_util_pct": "there was no resource block to use",
        "jain_index": "nothing was delivered downlink",
    },
    "cell": {
        **_DIRECTIONS,
        **_RESIDUAL,
        "energy_per_bit_nj": "nothing was delivered",
        **dict.fromkeys(HANDOVER, "the cell is on a further carrier, from which nobody hands over"),
    },
    "slice": _both({**TRAFFIC_NULLS, "prb_util_pct": RADIO_NULLS["prb_util_pct"]}),
    "ue": {**_DIRECTIONS, **_RESIDUAL, "battery_pct": "the user is no UAV"},
    "neighbour": {},
    "flow": {**TRAFFIC_NULLS, "within_budget_pct": "no packet arrived"},
    "link": {
        "delay_ms": "no packet arrived",
        "delay_p95_ms": "no packet arrived",
        "loss_pct": "no packet was handed to the link",
    },
    "edge": {"waiting_ms": "no job was begun", "service_ms": "no job was begun"},
    "application": {
        "within_deadline_pct": "no job finished or was lost",
        **dict.fromkeys(
            (
                "latency_ms",
                "latency_p95_ms",
                "radio_ms",
                "transport_ms",
                "queue_ms",
                "compute_ms",
            ),
            "no job finished",
        ),
    },
    "alarm": {"cleared_ms": "the alarm is active"},
}

_TRAFFIC = tuple(
    f"{d}_{name}"
    for d in ("dl", "ul")
    for name in ("throughput_mbps", "offered_mbps", *TRAFFIC_NULLS, "queued_bits")
)
_RADIO = ("dl_mcs", "ul_mcs", "dl_bler_pct", "ul_bler_pct")

#: Columns without which nothing can be calibrated. All others may be left out, or null.
NEEDED: dict[str, tuple[str, ...]] = {
    "network": (
        *("interval", "time_ms", "slice", "latency_ms", "jitter_ms", "packet_loss_pct"),
        *("throughput_mbps", "edge_load_pct", "offered_mbps", "within_budget_pct"),
        *("prb_util_pct", "jain_index"),
    ),
    "cell": (
        *("interval", "time_ms", "cell", "dl_prb_util_pct", "ul_prb_util_pct", "dl_sinr_db"),
        *("ul_sinr_db", *_RADIO, "ul_iot_db", "sleep_pct", "power_w", "ho_attempts"),
        *("ho_failures", "ho_ping_pongs", "rlf", "dl_throughput_mbps", "ul_throughput_mbps"),
    ),
    "slice": (
        *("interval", "time_ms", "cell", "slice", "users", "dl_prb_util_pct", "ul_prb_util_pct"),
        *_TRAFFIC,
    ),
    "ue": (
        *("interval", "time_ms", "ue", "cell", "x_m", "y_m", "z_m", "speed_mps", "state"),
        *("rsrp_dbm", "dl_sinr_db", "ul_sinr_db", *_RADIO, "dl_tb_count", "ul_tb_count"),
    ),
    "neighbour": ("interval", "time_ms", "ue", "rank", "cell", "rsrp_dbm"),
    "flow": (
        *("interval", "time_ms", "ue", "flow", "direction", *TRAFFIC_NULLS, "within_budget_pct"),
        *("delay_budget_ms", "sent_bits", "delivered_bits", "dropped_radio_bits"),
        *("dropped_transport_bits", "in_flight_bits"),
    ),
    "link": (
        *("interval", "time_ms", "link", "from_node", "to_node", "util_pct", "throughput_mbps"),
        *("delay_ms", "delay_p95_ms", "loss_pct", "queue_packets", "queued_bits", "sent_bits"),
    ),
    "edge": (
        *("interval", "time_ms", "site", "util_pct", "background_pct", "queue_jobs"),
        *("jobs_in_system", "jobs_arrived", "jobs_dropped", "waiting_ms", "service_ms"),
    ),
    "application": (
        *("interval", "time_ms", "application", "jobs_made", "jobs_offloaded", "jobs_finished"),
        *("jobs_lost", "jobs_in_progress", "within_deadline_pct", "latency_ms"),
        *("latency_p95_ms", "radio_ms", "transport_ms", "queue_ms", "compute_ms"),
    ),
    "alarm": (),
}

_FREE_UNITS = ("deg", "dB", "dBm", "m")
"""Units of which negative values make sense."""
_BY_NAME = {
    "interval": (-inf, inf),  # compared with the scenario's
    "rank": (1, 127),
    "fraction": (0, 1),
    "jain_index": (0, 1 + 1e-6),
    "numerology": (0, 6),
    "cqi": (0, 15),
    "dl_mcs": (0, 28),
    "ul_mcs": (0, 28),
    "five_qi": (1, 255),
    "tilt_deg": (-90, 90),
    "rsrp_dbm": (-250, 60),
    "dl_sinr_db": (-150, 150),
    "ul_sinr_db": (-150, 150),
}
_SLACK_PCT = 1e-6
"""Percentages are quotients of sums, whose last digits are not exact."""


def limits(table: str, column: str) -> tuple[float, float]:
    """The least and the greatest value that a column of numbers can have.

    Raises:
        KeyError: no such column.
    """
    unit = UNITS[table][column]
    if column in _BY_NAME:
        return _BY_NAME[column]
    if unit == "%":
        return -_SLACK_PCT, 100 + _SLACK_PCT
    return (-inf, inf) if unit in _FREE_UNITS else (0, inf)


#: By table and column.
UNITS = {table: {c.name: c.unit for c in columns} for table, columns in TABLES.items()}
