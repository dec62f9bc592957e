# SPDX-License-Identifier: Apache-2.0
"""Reading a dataset: KPI tables of many runs, with the configuration and seed of each row.

pandas, DuckDB and polars read the same files without this module, for example
`duckdb.sql("from read_parquet('DIR/cell/**/*.parquet', hive_partitioning=true)")`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from ns3_scenarios.errors import DatasetError
from ns3_scenarios.kpi import TABLES, arrow_schema
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import ScenarioConfig
from ns3_scenarios.storage import RUNS, Manifest, RunEntry, part_path, read_json, read_manifest

if TYPE_CHECKING:
    import pandas as pd

PARTITIONS = pa.schema([("config", pa.string()), ("seed", pa.int64())])


class Dataset:
    """A dataset folder, opened for reading.

    Attributes:
        path: the folder.
        manifest: what it holds and where it came from.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Open a dataset, as far as its runs are complete.

        Raises:
            DatasetError: the folder is no dataset, or one of another version.
        """
        folder = Path(path)
        if not folder.is_dir():
            what = "it is a file" if folder.exists() else "there is no such folder"
            raise DatasetError(f"{folder} is not a dataset: {what}")
        return cls(folder, read_manifest(folder))

    def __repr__(self) -> str:
        done, planned = len(self.manifest.runs), self.manifest.planned_runs
        return f"Dataset({str(self.path)!r}: {self.manifest.scenario}, {done} of {planned} runs)"

    def __len__(self) -> int:
        """The number of complete runs."""
        return len(self.manifest.runs)

    @property
    def is_complete(self) -> bool:
        """Whether every planned run is there."""
        return len(self) == self.manifest.planned_runs

    @property
    def runs(self) -> pa.Table:
        """One row per run: configuration, seed, varied fields, schedule."""
        return self.table(RUNS)

    def scenario(self, config: str) -> ScenarioConfig:
        """The scenario of a configuration.

        Raises:
            DatasetError: there is no such configuration.
        """
        if config not in {run.config for run in self.manifest.runs}:
            raise DatasetError(f"{self.path} has no run of configuration {config!r}")
        path = self.path / "scenarios" / f"{config}.json"
        return parse_model(ScenarioConfig, read_json(path), str(path), DatasetError)

    def table(
        self,
        name: str,
        config: str | Iterable[str] | None = None,
        seed: int | Iterable[int] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pa.Table:
        """A KPI table, or `runs`, with the columns `config` and `seed` in front.

        Rows are in the order of configuration, seed and interval. Only the files of the runs that
        are asked for are read.

        Args:
            name: of the table.
            config: only these configurations.
            seed: only these seeds.
            columns: only these columns of the table.

        Raises:
            DatasetError: no such table, configuration, seed or column, or a file is missing or
                corrupt; the message names it.
        """
        if name not in (*TABLES, RUNS):
            known = ", ".join((*TABLES, RUNS))
            raise DatasetError(f"there is no table {name!r}; allowed are {known}")
        runs = self._select(config, seed)
        files = [self.path / part_path(name, *run.id) for run in runs]
        schema = self._schema(name, files)
        wanted = list(schema.names if columns is None else columns)
        if missing := [column for column in wanted if column not in schema.names]:
            known = ", ".join(schema.names)
            raise DatasetError(f"table {name} has no column {missing[0]!r}; allowed are {known}")
        full = pa.schema([*PARTITIONS, *schema], metadata=schema.metadata)
        try:
            source = pads.dataset(
                [str(f) for f in files],
                schema=full,
                format=pads.ParquetFileFormat(
                    dictionary_columns=[
                        field.name for field in schema if pa.types.is_dictionary(field.type)
                    ]
                ),
                partitioning=pads.HivePartitioning(PARTITIONS),
                partition_base_dir=str(self.path / name),
            )
            table = source.to_table(columns=["config", "seed", *wanted])
        except (OSError, ValueError, pa.ArrowException) as error:
            self._blame(files)
            raise DatasetError(f"cannot read table {name} of {self.path}: {error}") from None
        return table.unify_dictionaries()

    def to_pandas(
        self,
        name: str,
        config: str | Iterable[str] | None = None,
        seed: int | Iterable[int] | None = None,
        columns: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """The same as `table`, as a pandas data frame."""
        frame: pd.DataFrame = self.table(name, config, seed, columns).to_pandas()
        return frame

    def verify(self) -> None:
        """Compare every file with its hash in the manifest.

        Raises:
            DatasetError: a file is missing or not what was written; the message names it.
        """
        for run in self.manifest.runs:
            for table, entry in run.files.items():
                path = self.path / part_path(table, *run.id)
                try:
                    data = path.read_bytes()
                except OSError as error:
                    raise DatasetError(f"cannot read {path}: {error.strerror}") from None
                if hashlib.sha256(data).hexdigest() != entry.sha256:
                    raise DatasetError(
                        f"{path} is not the file that was written; delete it and run the sweep "
                        "again to remake it"
                    )

    def _select(
        self, config: str | Iterable[str] | None, seed: int | Iterable[int] | None
    ) -> list[RunEntry]:
        configs = {config} if isinstance(config, str) else config and set(config)
        seeds = {seed} if isinstance(seed, int) else seed and set(seed)
        there = self.manifest.runs
        for what, wanted, known in (
            ("configuration", configs, {run.config for run in there}),
            ("seed", seeds, {run.seed for run in there}),
        ):
            if wanted and (missing := sorted(set(wanted) - known, key=str)):
                raise DatasetError(f"{self.path} has no run of {what} {missing[0]!r}")
        return [
            run
            for run in there
            if (configs is None or run.config in configs) and (seeds is None or run.seed in seeds)
        ]

    def _schema(self, name: str, files: list[Path]) -> pa.Schema:
        if name in TABLES:
            return arrow_schema(name)
        if not files:
            return pa.schema([])
        try:
            schema: pa.Schema = pq.read_schema(files[0])
        except (OSError, pa.ArrowException):
            self._blame(files)
            raise
        metadata: dict[Any, Any] = {**(schema.metadata or {})}
        metadata.pop(b"provenance", None)
        return schema.with_metadata(metadata)

    def _blame(self, files: list[Path]) -> None:
        """Find the file that cannot be read."""
        for path in files:
            try:
                pq.read_table(pa.BufferReader(path.read_bytes()))
            except OSError as error:
                what = error.strerror or "it is damaged"
            except pa.ArrowException:
                what = "it is damaged"
            else:
                continue
            raise DatasetError(
                f"cannot read {path}: {what}; delete it and run the sweep again to remake it"
            ) from None
