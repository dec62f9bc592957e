# SPDX-License-Identifier: Apache-2.0
"""A dataset in figures: a summary as plain values, and the same as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ns3_scenarios.dataset import Dataset
from ns3_scenarios.storage import FAILURES, read_json

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

MOST_CELLS = 24
"""Cells that a terminal table shows; of more, the most loaded ones."""

WIDE = 110
"""Columns of a terminal that also has room for the spread of a mean."""

SLICE_COLUMNS = (
    "offered_mbps",
    "throughput_mbps",
    "latency_ms",
    "jitter_ms",
    "packet_loss_pct",
    "prb_util_pct",
    "jain_index",
)
CELL_COLUMNS = (
    "users",
    "dl_prb_util_pct",
    "ul_prb_util_pct",
    "dl_throughput_mbps",
    "ul_throughput_mbps",
    "dl_sinr_db",
    "dl_mcs",
    "dl_bler_pct",
)


def summarize(dataset: Dataset) -> dict[str, Any]:
    """A dataset's provenance and, by slice and cell, the mean and spread of its KPIs.

    A KPI is averaged over the intervals of each run; `mean`, `p5` and `p95` are over the runs, and
    null where no run has a value.

    Raises:
        DatasetError: a file cannot be read.
    """
    manifest = dataset.manifest
    failures = dataset.path / FAILURES
    rows: dict[str, int] = {}
    for run in manifest.runs:
        for table, entry in run.files.items():
            rows[table] = rows.get(table, 0) + entry.rows
    summary = {
        "dataset": str(dataset.path),
        "scenario": manifest.scenario,
        "runs": len(dataset),
        "planned_runs": manifest.planned_runs,
        "failed_runs": len(read_json(failures)) if failures.exists() else 0,
        "configs": len(manifest.configs),
        "seeds": len(manifest.seeds),
        "parameters": list(manifest.parameters),
        "rows": rows,
        "bytes": sum(entry.bytes for run in manifest.runs for entry in run.files.values()),
        "code_version": manifest.code_version,
        "ran_hash": manifest.ran_hash,
        "ns3_version": manifest.ns3_version,
        "kpi_schema_version": manifest.kpi_schema_version,
        "slices": [],
        "cells": [],
    }
    if len(dataset):
        summary["slices"] = _by_element(dataset, "network", "slice", ("users", *SLICE_COLUMNS))
        summary["cells"] = _by_element(dataset, "cell", "cell", CELL_COLUMNS)
    return summary


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """Show what `summarize` found."""
    from rich.table import Table

    done, planned = summary["runs"], summary["planned_runs"]
    state = (
        f"{done} run{'s' * (done != 1)}"
        if done == planned
        else f"[yellow]{done} of {planned} runs[/]"
    )
    if summary["failed_runs"]:
        state += f", [red]{summary['failed_runs']} failed[/]"
    where = f"[bold]{summary['dataset']}[/]: " if summary["dataset"] else ""
    console.print(
        f"{where}scenario [bold]{summary['scenario']}[/], {state} "
        f"({summary['configs']} configurations, {summary['seeds']} seeds), "
        f"{sum(summary['rows'].values()):,} rows, {summary['bytes'] / 1e6:.1f} MB",
        soft_wrap=True,
    )
    origin = (
        f"RAN model {summary['ran_hash']}, ns-3 {summary['ns3_version']}"
        if summary["ns3_version"]
        else "recorded elsewhere, not by ns-3"
    )
    console.print(f"version {summary['code_version']}, {origin}", style="dim")
    if summary["parameters"]:
        console.print("varied: " + ", ".join(summary["parameters"]), style="dim", markup=False)
    if not done:
        return
    wide = console.width >= WIDE
    spread = " (5th to 95th percentile of runs)" if wide else ""
    slices = Table(title=f"Slices: mean over runs{spread}")
    slices.add_column("slice")
    slices.add_column("users", justify="right")
    shown = {
        "offered_mbps": "offered\nMbit/s",
        "throughput_mbps": "throughput\nMbit/s",
        "latency_ms": "latency\nms",
        "jitter_ms": "jitter\nms",
        "packet_loss_pct": "loss\n%",
        "prb_util_pct": "PRB use\n%",
    }
    for title in shown.values():
        slices.add_column(title, justify="right")
    for row in summary["slices"]:
        slices.add_row(
            row["slice"],
            _number(row["users"]["mean"]),
            *(_spread(row[name]) if wide else _number(row[name]["mean"]) for name in shown),
        )
    console.print(slices)
    cells = summary["cells"]
    title = "Cells: mean over runs"
    if len(cells) > MOST_CELLS:
        cells = sorted(cells, key=lambda c: -(c["dl_prb_util_pct"]["mean"] or 0))[:MOST_CELLS]
        title = f"The {MOST_CELLS} most loaded of {len(summary['cells'])} cells: mean over runs"
    table = Table(title=title)
    table.add_column("cell")
    headings = {
        "users": "users",
        "dl_prb_util_pct": "PRB use\ndown %",
        "ul_prb_util_pct": "PRB use\nup %",
        "dl_throughput_mbps": "down\nMbit/s",
        "ul_throughput_mbps": "up\nMbit/s",
        "dl_sinr_db": "SINR\ndB",
        "dl_mcs": "MCS",
        "dl_bler_pct": "BLER\n%",
    }
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for row in cells:
        table.add_row(row["cell"], *(_number(row[name]["mean"]) for name in headings))
    console.print(table)


def _by_element(
    dataset: Dataset, table: str, element: str, columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Mean and spread over runs, for each slice or cell."""
    frame = dataset.to_pandas(table, columns=[element, *columns])
    frame[element] = frame[element].astype(str)
    keys = ["config", "seed", element]
    per_run = frame.groupby(keys, sort=False)[list(columns)].mean().reset_index()
    rows = []
    for name in frame[element].unique():
        of_name = per_run[per_run[element] == name]
        rows.append({element: name} | {column: _statistics(of_name[column]) for column in columns})
    return rows


def _statistics(values: pd.Series[float]) -> dict[str, float | None]:
    values = values.dropna()
    if values.empty:
        return {"mean": None, "p5": None, "p95": None}
    return {
        "mean": float(values.mean()),
        "p5": float(values.quantile(0.05)),
        "p95": float(values.quantile(0.95)),
    }


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def _spread(statistics: dict[str, float | None]) -> str:
    mean, low, high = (_number(statistics[name]) for name in ("mean", "p5", "p95"))
    return mean if low == high else f"{mean} ({low}…{high})"
