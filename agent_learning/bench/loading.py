# SPDX-License-Identifier: Apache-2.0
"""Frozen tasks: `load_tasks` reads them, `freeze` writes them.

A folder of frozen tasks has a file of JSON lines for each split, compressed, and a manifest with
the version of the benchmark and the SHA-256 of what is in each file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import get_args

from pydantic import Field, ValidationError

from agent_learning.bench.task import BenchTask, Split
from agent_learning.errors import BenchUserError
from ns3_scenarios.library import parse_model
from ns3_scenarios.scenario import Model

FROZEN = Path(__file__).parent / "frozen"
MANIFEST = "manifest.json"
VERSION = 1
"""Of the benchmark: goes up when scores are no longer comparable."""


class FrozenFile(Model):
    """What is known of the file of a split."""

    tasks: int = Field(ge=0)
    sha256: str = Field(description="Of its lines, before they are compressed.")


class Manifest(Model):
    """What is in a folder of frozen tasks."""

    version: int = Field(ge=1)
    provisional: bool = Field(description="Whether the tasks may still change in this version.")
    splits: dict[Split, FrozenFile]


def load_tasks(split: str, folder: Path = FROZEN) -> list[BenchTask]:
    """The frozen tasks of a split, in the order of their ids.

    Raises:
        BenchUserError: there is no such split, or its file is missing or has been changed.
    """
    if split not in get_args(Split):
        raise BenchUserError(
            f"split={split!r} is not allowed; it must be one of {', '.join(get_args(Split))}"
        )
    return list(_loaded(split, folder))


@lru_cache(maxsize=8)
def _loaded(split: Split, folder: Path) -> tuple[BenchTask, ...]:
    known = read_manifest(folder).splits.get(split)
    if known is None:
        raise BenchUserError(f"{folder / MANIFEST}: it has no split {split!r}")
    file = _file(folder, split)
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as error:
        raise BenchUserError(f"cannot read {file}: {error}") from None
    if hashlib.sha256(content).hexdigest() != known.sha256:
        raise BenchUserError(
            f"{file} is not what was frozen: its SHA-256 is not that of {MANIFEST}"
        )
    tasks = []
    for number, line in enumerate(content.decode().splitlines(), 1):
        try:
            task = BenchTask.from_frozen(json.loads(line))
        except (ValueError, ValidationError) as error:
            raise BenchUserError(f"{file}, line {number}: this is no task: {error}") from None
        if not task.id.endswith(task.content_hash[:8]):
            raise BenchUserError(
                f"{file}, line {number}: task {task.id} is not what was frozen; its scenario, or "
                "the form of tasks, has changed since"
            )
        tasks.append(task)
    return tuple(tasks)


def read_manifest(folder: Path = FROZEN) -> Manifest:
    """What is in a folder of frozen tasks.

    Raises:
        BenchUserError: it is missing or unreadable.
    """
    file = folder / MANIFEST
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchUserError(f"cannot read {file}: {error}") from None
    return parse_model(Manifest, data, str(file), BenchUserError)


def freeze(tasks: Sequence[BenchTask], folder: Path, *, provisional: bool) -> Manifest:
    """Write tasks by split; equal tasks give equal files.

    Raises:
        BenchUserError: two tasks have the same id, or the folder cannot be written.
    """
    ids = [task.id for task in tasks]
    if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
        raise BenchUserError(f"task {twice[0]} is there twice")
    splits: dict[Split, FrozenFile] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for split in get_args(Split):
            mine = sorted((t for t in tasks if t.split == split), key=lambda task: task.id)
            lines = [json.dumps(task.as_frozen(), separators=(",", ":")) + "\n" for task in mine]
            content = "".join(lines).encode()
            _file(folder, split).write_bytes(gzip.compress(content, mtime=0))
            digest = hashlib.sha256(content).hexdigest()
            splits[split] = FrozenFile(tasks=len(mine), sha256=digest)
        manifest = Manifest(version=VERSION, provisional=provisional, splits=splits)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise BenchUserError(f"cannot write to {folder}: {error.strerror}") from None
    _loaded.cache_clear()
    return manifest


def _file(folder: Path, split: Split) -> Path:
    return folder / f"{split}.jsonl.gz"
