# SPDX-License-Identifier: Apache-2.0
"""How a model lies on disk: a folder of `model.json` and one UBJSON file per booster.

A model may come from a stranger: what is read is bounded in size, named by plain names within the
folder, compared with the hashes in `model.json`, and checked before it is used.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from experiment_model.errors import ModelError
from experiment_model.schema import FORMAT, SCHEMA_VERSION, ModelSpec

MODEL_FILE = "model.json"
MAX_JSON_BYTES = 64 << 20
MAX_BOOSTER_BYTES = 256 << 20
MAX_MODEL_BYTES = 1 << 30


class _Head(BaseModel):
    """What tells whether the rest can be read."""

    format: str = ""
    schema_version: int = 0


def hidden(folder: Path) -> tuple[Path, Path]:
    """Beside a model: where its successor is written, and where it goes when that takes its place.

    Both are there, and the model is not, only between the two renames of a replacement; the
    successor is whole then.
    """
    whole = folder.absolute()
    return whole.with_name(f".{whole.name}.new"), whole.with_name(f".{whole.name}.old")


def present(folder: Path) -> Path:
    """Where a model lies: in its folder, or beside it if its writer was killed at the last step."""
    new, old = hidden(folder)
    return new if not folder.exists() and new.is_dir() and old.is_dir() else folder


def read_model(folder: Path) -> tuple[ModelSpec, dict[str, bytes]]:
    """What a model says, and the bytes of its boosters by name of the file.

    Raises:
        ModelError: no such folder, no model, one of another version, or not as it was written.
    """
    folder = present(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}")
    if not (folder / MODEL_FILE).is_file():
        raise ModelError(f"{folder} is not a model: it has no {MODEL_FILE}")
    spec = read_spec(folder)
    total = sum(entry.bytes for entry in spec.files.values())
    if total > MAX_MODEL_BYTES:
        raise ModelError(
            f"{folder}: the boosters have {total} bytes; {MAX_MODEL_BYTES} at most are read"
        )
    files = {}
    for name in spec.booster_files:
        entry = spec.files.get(name)
        if entry is None:
            raise ModelError(f"{folder / MODEL_FILE}: files lacks {name!r}, which a kind names")
        if not (folder / name).is_file():
            raise ModelError(f"{folder} is incomplete: {name} is missing")
        data = _read(folder / name, MAX_BOOSTER_BYTES)
        if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ModelError(
                f"{folder / name} is not the file that the model was written with: "
                "its SHA-256 differs"
            )
        files[name] = data
    return spec, files


def read_spec(folder: Path) -> ModelSpec:
    """What a model says, without looking for its boosters.

    Raises:
        ModelError: no model, or one of another version.
    """
    file = folder / MODEL_FILE
    data = _read(file, MAX_JSON_BYTES)
    try:
        head = _Head.model_validate_json(data)
    except ValidationError:
        raise ModelError(f"{folder} is not a model: {MODEL_FILE} is not JSON of a model") from None
    if head.format != FORMAT:
        raise ModelError(
            f"{folder} is not a model: {MODEL_FILE} has format={head.format!r}; "
            f"it must be {FORMAT!r}"
        )
    if head.schema_version != SCHEMA_VERSION:
        raise ModelError(
            f"{folder} has schema_version {head.schema_version}; this release reads "
            f"{SCHEMA_VERSION}"
        )
    try:
        return ModelSpec.model_validate_json(data)
    except ValidationError as error:
        raise ModelError(f"{file}: {_sentence(error)}") from None


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from None
    if len(data) > limit:
        raise ModelError(f"{file} has more than {limit} bytes, the most that are read")
    return data


def _sentence(error: ValidationError) -> str:
    """The first mistake that pydantic found."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{path}: {text}" if path else text
    if first["type"] == "missing":
        return f"{path} is missing"
    if first["type"] == "extra_forbidden":
        return f"{path} is not a field"
    shown = repr(first["input"])
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    return f"{path}={shown} is not allowed: {text[0].lower()}{text[1:]}"
