# SPDX-License-Identifier: Apache-2.0
"""The KPI tables: what one reporting interval says of the network, with units and 3GPP names.

Tables: `network` (a row per slice: the headline state), `cell`, `slice` (a row per cell and slice)
and `ue`. `time_ms` is the end of the interval; rates and shares are averages over the interval.
Values that do not exist, such as the latency of no packets, are null.

Bits are counted at the RLC service access point (whole IP packets; in full buffer, transport block
payload): in every row, offered = delivered + dropped + change of queued, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

KPI_SCHEMA_VERSION = 1

TableName = Literal["network", "cell", "slice", "ue"]


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

TABLES: dict[str, tuple[Column, ...]] = {
    "network": (
        *_TIME,
        _SLICE,
        _c("users", pa.int32(), "1", "Users in the slice."),
        _c("latency_ms", _F, "ms", "Mean packet delay, both directions."),
        _c("jitter_ms", _F, "ms", "Mean change of delay between packets, both directions."),
        _c("packet_loss_pct", _F, "%", "Lost bits, both directions."),
        _c("throughput_mbps", _F, "Mbit/s", "Delivered, both directions."),
        _c("offered_mbps", _F, "Mbit/s", "Arrived at the queues, both directions."),
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
        _c("rsrp_dbm", _F, "dBm", "Of the primary cell, per resource element.", "L1M.SS-RSRP"),
        _c("cqi", pa.int8(), "1", "Latest reported CQI of the primary cell."),
        *_PRB,
        *_RADIO,
        *_traffic("dl", _DL),
        *_traffic("ul", _UL),
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
