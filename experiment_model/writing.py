# SPDX-License-Identifier: Apache-2.0
"""Writing a model so that no reader ever sees half of it, whenever the writer is killed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import xgboost

from experiment_model.errors import ModelError
from experiment_model.model import ExperimentModel
from experiment_model.schema import FileEntry, ModelSpec
from experiment_model.storage import MODEL_FILE, hidden, present, read_spec
from experiment_model.ubjson import read_ubjson, write_ubjson

Booster = xgboost.Booster | bytes


def write_model(
    path: str | os.PathLike[str], spec: ModelSpec, boosters: Mapping[str, Booster]
) -> None:
    """Write a model whole, or leave what was there; equal models give equal bytes.

    A model that is there already is replaced.

    Args:
        path: folder of the model; its parents are made.
        spec: what the model says; `files` is filled in.
        boosters: every booster that the spec names, or its UBJSON, by name of the file. All trees
            of a booster count, also those after its best iteration.

    Raises:
        ModelError: boosters are missing, too many or do not fit the spec; or the folder holds
            something else, or cannot be written.
    """
    folder = Path(path)
    contents = _contents(spec, boosters)
    new, old = hidden(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder.parent):
            _clean_up(folder)
            check_replaceable(folder)
            try:
                new.mkdir()
                for name, data in contents.items():
                    (new / name).write_bytes(data)
                ExperimentModel.load(new)
                _put_in_place(new, folder, old)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"cannot write {folder}: {error.strerror}") from None


@contextmanager
def _alone_in(parent: Path) -> Iterator[None]:
    """Wait for others that write models into a folder; file systems that cannot lock do not."""
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clean_up(folder: Path) -> None:
    """End what a writer began that was killed."""
    new, old = hidden(folder)
    if present(folder) == new:
        new.rename(folder)
    for leftover in (old, new):  # in this order, so that both are there only in _put_in_place
        shutil.rmtree(leftover, ignore_errors=True)


def _contents(spec: ModelSpec, boosters: Mapping[str, Booster]) -> dict[str, bytes]:
    """All files of a model."""
    odd = sorted(set(spec.booster_files) ^ set(boosters))
    if odd:
        where = "is not given" if odd[0] in spec.booster_files else "is named by no kind"
        raise ModelError(f"booster {odd[0]!r} {where}")
    contents = {name: booster_bytes(boosters[name]) for name in sorted(boosters)}
    files = {
        name: FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in contents.items()
    }
    complete = spec.model_copy(update={"files": files})
    return {MODEL_FILE: complete.model_dump_json().encode() + b"\n", **contents}


def booster_bytes(booster: Booster) -> bytes:
    """The file of a booster, which XGBoost can read as well; bytes are a file already.

    Of trees with vector leaves, XGBoost also keeps the weights that nodes had while their splits
    were found, and reads them for nothing: zeros stand in their place, one per node.
    """
    if isinstance(booster, bytes):
        return booster
    document = read_ubjson(bytes(booster.save_raw("ubj")))
    for tree in document["learner"]["gradient_booster"].get("model", {}).get("trees", ()):
        if "leaf_weights" in tree:
            tree["base_weights"] = np.zeros(len(tree["left_children"]), np.float32)
    return write_ubjson(document)


def check_replaceable(folder: Path) -> None:
    """Make sure that a model may be written to a folder: nothing, or a model and nothing else.

    Raises:
        ModelError: there is something else.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise ModelError(f"{folder} is not a folder, and is not replaced by a model")
    found = {entry.name for entry in folder.iterdir()}
    if not found:
        return
    try:
        known = {MODEL_FILE, *read_spec(folder).files}
    except (ModelError, OSError):
        raise ModelError(
            f"{folder} holds something else than a model, and is not replaced"
        ) from None
    if found - known:
        raise ModelError(
            f"{folder} holds {min(found - known)!r}, which is no part of its model, "
            "and is not replaced"
        )


def _put_in_place(new: Path, folder: Path, old: Path) -> None:
    """Let a whole new model take the place of another; `present` says what counts meanwhile."""
    if not folder.exists():
        new.rename(folder)
        return
    try:
        folder.replace(old)
        new.rename(folder)
    finally:
        if not folder.exists():
            old.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
