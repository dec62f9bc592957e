# SPDX-License-Identifier: Apache-2.0
"""The KPI tables: what one reporting interval says of the network, with units and 3GPP names.

Tables: `network` (a row per slice: the headline state), `cell`, `slice` (a row per cell and slice),
`ue`, `neighbour` (the strongest other cells that a user hears), `flow` (a row per flow and
direction), `link` (a row per transport link and direction), `edge` (a row per edge site),
`application` and `alarm` (a row per alarm that is active, or was cleared in the interval).
`time_ms` is the end of the interval; rates and shares are averages over the interval. Values that
do not exist, such as the latency of no packets, are null.

In `cell`, `slice` and `ue` bits are counted at the RLC service access point (whole IP packets; in
full buffer, transport block payload): for every user, offered = delivered + dropped + change of
queued, exactly. In `flow` and `network` they are counted between a user and the core or edge
site at the other end: sent = delivered + dropped by the radio + dropped by transport + change of
what is on its way, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

KPI_SCHEMA_VERSION = 2

TableName = Literal[
    "network",
    "cell",
    "slice",
    "ue",
    "neighbour",
    "flow",
    "link",
    "edge",
    "application",
    "alarm",
]


@dataclass(frozen=True)
class Column:
    """One column of a KPI table."""

    name: str
    type: pa.DataType
    unit: str
    description: str
    ts28552: str = ""
    """Measurement of TS 28.552 or 28.554 that the column is, if it is one."""

    def field(self) -> pa.Field:
        """The Arrow field, with unit, description and 3GPP name as metadata."""
        metadata = {"unit": self.unit, "description": self.description}
        if self.ts28552:
            metadata["ts28552"] = self.ts28552
        return pa.field(self.name, self.type, metadata=metadata)


_F = pa.float64()
_I = pa.int64()
_NAME = pa.dictionary(pa.int16(), pa.string())


def _c(name: str, type_: pa.DataType, unit: str, text: str, ts28552: str = "") -> Column:
    return Column(name, type_, unit, text, ts28552)


_TIME = (
    _c("interval", pa.int32(), "1", "Index of the reporting interval, from 0."),
    _c("time_ms", _F, "ms", "End of the interval in simulated time."),
)


def _traffic(direction: str, ts: dict[str, str]) -> tuple[Column, ...]:
    d, word = direction, {"dl": "downlink", "ul": "uplink"}[direction]
    return (
        _c(f"{d}_throughput_mbps", _F, "Mbit/s", f"Delivered {word}.", ts.get("thp", "")),
        _c(f"{d}_offered_mbps", _F, "Mbit/s", f"Arrived at the {word} RLC queues."),
        _c(f"{d}_latency_ms", _F, "ms", f"Mean {word} packet delay.", ts.get("delay", "")),
        _c(f"{d}_latency_p95_ms", _F, "ms", f"95th percentile of {word} packet delay."),
        _c(f"{d}_jitter_ms", _F, "ms", f"Mean change of delay between packets, {word}."),
        _c(
            f"{d}_loss_pct",
            _F,
            "%",
            f"Lost {word} bits: dropped over dropped plus delivered.",
            ts.get("loss", ""),
        ),
        _c(f"{d}_offered_bits", _I, "bit", f"Arrived at the {word} RLC queues."),
        _c(f"{d}_delivered_bits", _I, "bit", f"Handed to the {word} receiver.", ts.get("vol", "")),
        _c(f"{d}_dropped_bits", _I, "bit", f"Dropped by a queue or given up by HARQ, {word}."),
        _c(f"{d}_queued_bits", _I, "bit", f"Queued or in the air at the interval's end, {word}."),
    )


_DL = {
    "thp": "DRB.UEThpDl",
    "delay": "DRB.AirIfDelayDl",
    "loss": "DRB.PacketLossRateDl",
    "vol": "DRB.PdcpSduVolumeDL",
}
_UL = {
    "thp": "DRB.UEThpUl",
    "delay": "DRB.AirIfDelayUl",
    "loss": "DRB.PacketLossRateUl",
    "vol": "DRB.PdcpSduVolumeUL",
}

_RADIO = (
    _c("dl_sinr_db", _F, "dB", "Mean effective SINR of downlink transport blocks."),
    _c("ul_sinr_db", _F, "dB", "Mean effective SINR of uplink transport blocks."),
    _c("dl_mcs", _F, "1", "Mean MCS index of downlink first transmissions.", "CARR.PDSCHMCSDist"),
    _c("ul_mcs", _F, "1", "Mean MCS index of uplink first transmissions.", "CARR.PUSCHMCSDist"),
    _c("dl_bler_pct", _F, "%", "Errors of downlink first transmissions."),
    _c("ul_bler_pct", _F, "%", "Errors of uplink first transmissions."),
    _c("dl_tb_count", _I, "1", "Downlink first transmissions.", "TB.TotNbrDlInitial"),
    _c("ul_tb_count", _I, "1", "Uplink first transmissions.", "TB.TotNbrUlInit"),
    _c(
        "dl_residual_bler_pct",
        _F,
        "%",
        "Downlink blocks given up, of those finished.",
        "TB.ResidualErrNbrDl",
    ),
)
_PRB = (
    _c("dl_prb_util_pct", _F, "%", "Downlink resource blocks used.", "RRU.PrbTotDl"),
    _c("ul_prb_util_pct", _F, "%", "Uplink resource blocks used.", "RRU.PrbTotUl"),
)
_CELL = _c("cell", _NAME, "", "Name of the (primary) cell.")
_SLICE = _c("slice", _NAME, "", "Name of the slice.")

_HANDOVER_SETTINGS = (
    _c("a3_offset_db", _F, "dB", "Setting in force."),
    _c("hysteresis_db", _F, "dB", "Setting in force."),
    _c("ttt_ms", _F, "ms", "Setting in force."),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "network": (
        *_TIME,
        _SLICE,
        _c("users", pa.int32(), "1", "Users in the slice."),
        _c("latency_ms", _F, "ms", "Mean packet delay from end to end, both directions."),
        _c("jitter_ms", _F, "ms", "Mean change of delay between packets of a flow, both ways."),
        _c("packet_loss_pct", _F, "%", "Lost bits from end to end, both directions."),
        _c("throughput_mbps", _F, "Mbit/s", "Delivered from end to end, both directions."),
        _c("edge_load_pct", _F, "%", "Compute in use at the edge sites of its applications."),
        _c("offered_mbps", _F, "Mbit/s", "Sent by the applications, both directions."),
        _c("within_budget_pct", _F, "%", "Packets delivered within their delay budget."),
        _c("degradation", _NAME, "", "Setting in force."),
        _c("prb_util_pct", _F, "%", "Share of the network's downlink resource blocks used."),
        _c("jain_index", _F, "1", "Jain's fairness index of the users' downlink throughput."),
    ),
    "cell": (
        *_TIME,
        _CELL,
        _c("users", pa.int32(), "1", "Users whose primary cell this is.", "RRC.ConnMean"),
        _c("tx_power_dbm", _F, "dBm", "Setting in force."),
        _c("tilt_deg", _F, "deg", "Setting in force."),
        _c("bandwidth_mhz", _F, "MHz", "Setting in force."),
        _c("numerology", pa.int8(), "1", "Setting in force."),
        _c("scheduler", _NAME, "", "Setting in force."),
        _c("target_bler_pct", _F, "%", "Setting in force."),
        *_PRB,
        *_RADIO,
        _c("ul_iot_db", _F, "dB", "Uplink interference over thermal noise."),
        _c("sleep_mode", _NAME, "", "Setting in force."),
        _c("wake_prb_pct", _F, "%", "Setting in force."),
        _c("state", _NAME, "", "on, light, deep, waking, off or outage, at the interval's end."),
        _c("sleep_pct", _F, "%", "Share of time in micro, light or deep sleep, or off."),
        _c("wakes", _I, "1", "Times that it woke up from light or deep sleep."),
        _c("power_w", _F, "W", "Mean power (TR 38.864).", "PEE.AvgPower"),
        _c("energy_j", _F, "J", "Energy.", "PEE.Energy"),
        _c("energy_per_bit_nj", _F, "nJ/bit", "Energy over delivered bits, both directions."),
        *_HANDOVER_SETTINGS,
        _c("ho_attempts", _I, "1", "Handovers commanded from this cell.", "MM.HoExeInterReq"),
        _c("ho_successes", _I, "1", "Handovers from this cell completed.", "MM.HoExeInterSucc"),
        _c("ho_failures", _I, "1", "Handovers from this cell that failed.", "MM.HoExeInterFail"),
        _c("ho_ping_pongs", _I, "1", "Users handed straight back to where they came from."),
        _c("rlf", _I, "1", "Radio link failures of users of this cell."),
        *_traffic("dl", _DL),
        *_traffic("ul", _UL),
    ),
    "slice": (
        *_TIME,
        _CELL,
        _SLICE,
        _c("users", pa.int32(), "1", "Users of the slice whose primary cell this is."),
        _c("dedicated_pct", _F, "%", "Setting in force."),
        _c("min_pct", _F, "%", "Setting in force."),
        _c("max_pct", _F, "%", "Setting in force."),
        *_PRB,
        *_traffic("dl", _DL),
        *_traffic("ul", _UL),
    ),
    "ue": (
        *_TIME,
        _c("ue", _NAME, "", "Name of the user."),
        _CELL,
        _SLICE,
        _c("x_m", _F, "m", "Position."),
        _c("y_m", _F, "m", "Position."),
        _c("z_m", _F, "m", "Height."),
        _c("speed_mps", _F, "m/s", "Speed."),
        _c("battery_pct", _F, "%", "Charge of a UAV."),
        _c("state", _NAME, "", "connected, preparing, handover or lost, at the interval's end."),
        _c("handovers", _I, "1", "Handovers completed."),
        _c("rsrp_dbm", _F, "dBm", "Of the primary cell, per resource element.", "L1M.SS-RSRP"),
        _c("cqi", pa.int8(), "1", "Latest reported CQI of the primary cell."),
        *_PRB,
        *_RADIO,
        *_traffic("dl", _DL),
        *_traffic("ul", _UL),
    ),
    "neighbour": (
        *_TIME,
        _c("ue", _NAME, "", "Name of the user."),
        _c("rank", pa.int8(), "1", "1 is the strongest."),
        _c("cell", _NAME, "", "Name of a cell other than the serving one."),
        _c("rsrp_dbm", _F, "dBm", "As measured, filtered at layer 3.", "L1M.SS-RSRP"),
    ),
    "flow": (
        *_TIME,
        _c("ue", _NAME, "", "Name of the user."),
        _c("flow", _NAME, "", "Name of the flow: of its traffic, or of its application."),
        _c("direction", _NAME, "", "dl or ul."),
        _SLICE,
        _c("five_qi", pa.int16(), "1", "5QI (TS 23.501 Table 5.7.4-1)."),
        _c("delay_budget_ms", _F, "ms", "Promised."),
        _c("guaranteed_mbps", _F, "Mbit/s", "Promised."),
        _c("throughput_mbps", _F, "Mbit/s", "Delivered."),
        _c("latency_ms", _F, "ms", "Mean packet delay from end to end."),
        _c("latency_p95_ms", _F, "ms", "95th percentile of packet delay."),
        _c("jitter_ms", _F, "ms", "Mean change of delay between packets."),
        _c("loss_pct", _F, "%", "Lost bits: dropped over dropped plus delivered."),
        _c("within_budget_pct", _F, "%", "Packets delivered within the delay budget."),
        _c("reordered_packets", _I, "1", "Arrived after one sent later (RFC 4737)."),
        _c("sent_bits", _I, "bit", "Sent by the application."),
        _c("delivered_bits", _I, "bit", "Arrived at the other end."),
        _c("dropped_radio_bits", _I, "bit", "Dropped by a radio queue or given up by HARQ."),
        _c("dropped_transport_bits", _I, "bit", "Dropped or lost between site and core or edge."),
        _c("in_flight_bits", _I, "bit", "On their way at the interval's end."),
    ),
    "link": (
        *_TIME,
        _c("link", _NAME, "", "Name of the link."),
        _c("from_node", _NAME, "", "Where it starts, in this direction."),
        _c("to_node", _NAME, "", "Where it ends, in this direction."),
        _c("up", pa.bool_(), "", "Whether it carries anything, at the interval's end."),
        _c("rate_mbps", _F, "Mbit/s", "Rate in force."),
        _c("propagation_ms", _F, "ms", "Propagation delay in force."),
        _c("queue", _NAME, "", "Queue discipline in force."),
        _c("util_pct", _F, "%", "Share of time that it transmits."),
        _c("throughput_mbps", _F, "Mbit/s", "Arrived at the other end, with all headers."),
        _c("delay_ms", _F, "ms", "Mean time from the queue to the other end."),
        _c("delay_p95_ms", _F, "ms", "95th percentile of it."),
        _c("loss_pct", _F, "%", "Lost packets: dropped by the queue or lost on the wire."),
        _c("queue_packets", _F, "1", "Mean length of the queue."),
        _c("queued_bits", _I, "bit", "In the queue at the interval's end."),
        _c("sent_bits", _I, "bit", "Handed to the link."),
        _c("delivered_bits", _I, "bit", "Arrived at the other end."),
        _c("dropped_bits", _I, "bit", "Dropped by the queue."),
        _c("lost_bits", _I, "bit", "Lost on the wire."),
    ),
    "edge": (
        *_TIME,
        _c("site", _NAME, "", "Name of the edge site."),
        _c("applications", _NAME, "", "Applications placed there, with a comma between."),
        _c("util_pct", _F, "%", "Share of its compute in use."),
        _c("background_pct", _F, "%", "Share of its compute used by foreign jobs."),
        _c("queue_jobs", _F, "1", "Mean number of jobs that wait."),
        _c("jobs_in_system", _I, "1", "Jobs that wait or are computed at the interval's end."),
        _c("jobs_arrived", _I, "1", "Jobs that came."),
        _c("jobs_completed", _I, "1", "Jobs that were computed."),
        _c("jobs_dropped", _I, "1", "Jobs that found the queue full."),
        _c("waiting_ms", _F, "ms", "Mean wait of jobs before they are computed."),
        _c("service_ms", _F, "ms", "Mean time of computing a job."),
    ),
    "application": (
        *_TIME,
        _c("application", _NAME, "", "Name of the application."),
        _SLICE,
        _c("site", _NAME, "", "Setting in force."),
        _c("fraction", _F, "1", "Setting in force."),
        _c("jobs_made", _I, "1", "Jobs made by its users."),
        _c("jobs_offloaded", _I, "1", "Of them sent to an edge site."),
        _c("jobs_finished", _I, "1", "Jobs whose result has come."),
        _c("jobs_lost", _I, "1", "Jobs given up: dropped, or no answer in time."),
        _c("jobs_in_progress", _I, "1", "Jobs that neither finished nor are lost, at the end."),
        _c("within_deadline_pct", _F, "%", "Of the jobs that finished or were lost."),
        _c("latency_ms", _F, "ms", "Mean time from a job to its result."),
        _c("latency_p95_ms", _F, "ms", "95th percentile of it."),
        _c("radio_ms", _F, "ms", "Part of the mean latency: radio, both ways."),
        _c("transport_ms", _F, "ms", "Part of the mean latency: transport, both ways."),
        _c("queue_ms", _F, "ms", "Part of the mean latency: wait for a processor."),
        _c("compute_ms", _F, "ms", "Part of the mean latency: computing."),
    ),
    "alarm": (
        *_TIME,
        _c("alarm", _NAME, "", "Name of the alarm, the same from its raising to its clearing."),
        _c("element", _NAME, "", "What it is about: a cell, link, edge site, slice or user."),
        _c("cause", _NAME, "", "Probable cause."),
        _c("severity", _NAME, "", "critical, major, minor or warning (ITU-T X.733)."),
        _c("raised_ms", _F, "ms", "When it was raised."),
        _c("cleared_ms", _F, "ms", "When it was cleared; null while it is active."),
    ),
}


def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a KPI table.

    Raises:
        KeyError: no such table.
    """
    return pa.schema(
        [column.field() for column in TABLES[table]],
        metadata={"table": table, "kpi_schema_version": str(KPI_SCHEMA_VERSION)},
    )
