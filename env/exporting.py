# SPDX-License-Identifier: Apache-2.0
"""Episodes as Parquet: `export`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from env.episodes import KPIS, Log, read_kpis, read_logs
from env.errors import EnvUserError
from ns3_scenarios.kpi import TABLES

CALLS = pa.schema(
    [
        ("episode", pa.string()),
        ("number", pa.int64()),
        ("agent", pa.string()),
        ("tool", pa.string()),
        ("arguments", pa.string()),
        ("ok", pa.bool_()),
        ("content", pa.string()),
        ("interval", pa.int64()),
        ("served_by", pa.string()),
    ]
)
"""Columns of `calls.parquet`; arguments and content are JSON."""
EPISODES = pa.schema(
    [
        ("episode", pa.string()),
        ("task", pa.string()),
        ("scenario", pa.string()),
        ("seed", pa.int64()),
        ("backend", pa.string()),
        ("model", pa.string()),
        ("agent", pa.string()),
        ("started", pa.string()),
        ("outcome", pa.string()),
        ("intervals", pa.int64()),
    ]
)


def export(folder: str | Path, out: str | Path) -> dict[str, int]:
    """Write the episodes of a folder: `episodes`, `calls`, and the KPI tables.

    Returns:
        Rows of each table.

    Raises:
        EnvUserError: there is no episode, KPIs of one cannot be read, or the files not be written.
    """
    logs, out = list(read_logs(folder)), Path(out)
    if not logs:
        raise EnvUserError(f"{folder} has no episode in it")
    tables = {
        "episodes": pa.Table.from_pylist([_episode(log) for log in logs], EPISODES),
        "calls": pa.Table.from_pylist([row for log in logs for row in _calls(log)], CALLS),
    }
    for name in TABLES:
        parts = []
        for log in logs:
            # Without an end, it may be half a file.
            if log.ending and (log.path / KPIS / f"{name}.parquet").exists():
                table = read_kpis(log.path, name)
                parts.append(table.add_column(0, "episode", pa.array([log.name] * len(table))))
        if parts:
            tables[name] = pa.concat_tables(parts, promote_options="default")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            pq.write_table(table, out / f"{name}.parquet")
    except OSError as error:
        raise EnvUserError(f"cannot write to {out}: {error.strerror}") from None
    return {name: len(table) for name, table in tables.items()}


def _episode(log: Log) -> dict[str, object]:
    header = log.header
    return {
        "episode": log.name,
        "task": header.task.name if header.task else None,
        "scenario": header.scenario.name,
        "seed": header.seed,
        "backend": header.backend,
        "model": header.model,
        "agent": header.agent,
        "started": header.started,
        "outcome": log.ending.outcome if log.ending else None,
        "intervals": log.n_intervals,
    }


def _calls(log: Log) -> list[dict[str, object]]:
    return [
        {
            "episode": log.name,
            "number": number,
            "agent": call.agent,
            "tool": call.tool or None,
            "arguments": json.dumps(call.arguments),
            "ok": call.ok,
            "content": json.dumps(call.content),
            "interval": call.interval,
            "served_by": call.served_by,
        }
        for number, call in enumerate(log.calls)
    ]
