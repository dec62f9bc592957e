# SPDX-License-Identifier: Apache-2.0
"""A strict reader and a writer of Universal Binary JSON, as much of it as XGBoost uses."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

MAX_DEPTH = 16

_NUMBERS = {
    "i": ">i1",
    "U": ">u1",
    "I": ">i2",
    "l": ">i4",
    "L": ">i8",
    "d": ">f4",
    "D": ">f8",
}
_TOKENS = {kind: token.encode() for token, kind in _NUMBERS.items()}
_SCALARS = {
    token: struct.Struct(f">{code}") for token, code in zip("iUIlLdD", "bBhiqfd", strict=True)
}
_CONSTANTS = {"T": True, "F": False, "Z": None}


def read_ubjson(data: bytes) -> Any:
    """The value that the bytes stand for; arrays of one type become numpy arrays.

    Args:
        data: the whole document.

    Raises:
        ValueError: not such a document, one that ends early or late, or nested too deep.
    """
    reader = _Reader(data)
    value = reader.value(reader.token(), 0)
    if reader.position != len(data):
        raise ValueError("there is more after its end")
    return value


def write_ubjson(value: Any) -> bytes:
    """The document of a value: objects, lists, numpy arrays, texts and whole numbers."""
    if isinstance(value, dict):
        members = (_name(name) + write_ubjson(member) for name, member in value.items())
        return b"{" + b"".join(members) + b"}"
    if isinstance(value, str):
        return b"S" + _name(value)
    if isinstance(value, np.ndarray):
        kind = value.dtype.newbyteorder(">")
        token = _TOKENS[kind.str.replace("|", ">")]
        return b"[$" + token + b"#" + _whole(len(value)) + value.astype(kind).tobytes()
    if isinstance(value, list):
        return b"[#" + _whole(len(value)) + b"".join(write_ubjson(item) for item in value)
    return _whole(value)


def _whole(number: int) -> bytes:
    return b"L" + struct.pack(">q", number)


def _name(text: str) -> bytes:
    data = text.encode()
    return _whole(len(data)) + data


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise ValueError("it ends too early")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def token(self) -> str:
        return self.take(1).decode("latin-1")

    def length(self) -> int:
        token = self.token()
        if token not in ("i", "U", "I", "l", "L"):
            raise ValueError(f"{token!r} is no type of a length")
        count = int(self.number(token))
        if count < 0:
            raise ValueError(f"length {count} is negative")
        return count

    def number(self, token: str) -> int | float:
        form = _SCALARS[token]
        value: int | float = form.unpack(self.take(form.size))[0]
        return value

    def text(self) -> str:
        return self.take(self.length()).decode("utf-8")

    def value(self, token: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        if token in _NUMBERS:
            return self.number(token)
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        match token:
            case "S":
                return self.text()
            case "{":
                return self.object(depth)
            case "[":
                return self.array(depth)
        raise ValueError(f"{token!r} is no type of a value")

    def object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while self.data[self.position : self.position + 1] != b"}":
            name = self.text()
            if name in members:
                raise ValueError(f"{name!r} is there twice")
            members[name] = self.value(self.token(), depth + 1)
        self.take(1)
        return members

    def array(self, depth: int) -> Any:
        token = self.token()
        if token == "$":
            kind = self.token()
            if kind not in _NUMBERS or self.token() != "#":
                raise ValueError(f"an array of type {kind!r} is none of numbers")
            dtype = np.dtype(_NUMBERS[kind])
            raw = self.take(self.length() * dtype.itemsize)
            return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
        if token != "#":
            raise ValueError("an array has no length")
        count = self.length()
        if count > len(self.data) - self.position:
            raise ValueError("it ends too early")
        return [self.value(self.token(), depth + 1) for _ in range(count)]
