# SPDX-License-Identifier: Apache-2.0
"""Spaces and values of the protocol as those of Gymnasium, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from env.errors import EnvUserError
from env.interfaces.ns3gym.messages import (
    BOX,
    BOX_DTYPES,
    DICT,
    DISCRETE,
    FLOAT,
    TUPLE,
    BoxSpace,
    DataContainer,
    DictDataContainer,
    DictSpace,
    DiscreteDataContainer,
    DiscreteSpace,
    MalformedError,
    TupleDataContainer,
    TupleSpace,
    box_container,
    box_values,
    unpack,
)

MAX_NUMBERS = 1_000_000
"""Of a space: a description of a few bytes can promise any number."""
MAX_DEPTH = 8


def space_of(description: Any, depth: int = 0) -> spaces.Space[Any]:
    """The space that a message SpaceDescription means.

    Raises:
        MalformedError: it means none, or one that is too large.
    """
    if depth > MAX_DEPTH:
        raise MalformedError(f"a space is nested more than {MAX_DEPTH} deep")
    if description.type == DISCRETE:
        n = unpack(DiscreteSpace, description.space).n
        if n < 1:
            raise MalformedError(f"a discrete space of n={n} holds nothing")
        return spaces.Discrete(n)
    if description.type == BOX:
        return _box_of(unpack(BoxSpace, description.space))
    if description.type == TUPLE:
        parts = unpack(TupleSpace, description.space).element
        return spaces.Tuple([space_of(part, depth + 1) for part in parts])
    if description.type == DICT:
        parts = unpack(DictSpace, description.space).element
        names = [part.name for part in parts]
        if len(set(names)) != len(names):
            raise MalformedError(f"two parts of a dictionary have one name: {names}")
        return spaces.Dict(
            [(name, space_of(part, depth + 1)) for name, part in zip(names, parts, strict=True)]
        )
    raise MalformedError(f"a space of type {description.type} is none of the protocol")


def value_of(space: spaces.Space[Any], container: Any) -> Any:
    """The value that a message DataContainer holds, as one of a space.

    Numbers keep what the peer says, also outside the bounds of the space.

    Raises:
        MalformedError: it holds no value of such a space.
    """
    if isinstance(space, spaces.Box):
        values = box_values(container, math.prod(space.shape))
        return values.astype(space.dtype).reshape(space.shape)
    kind = _KINDS[type(space)]
    if container.type != kind:
        raise MalformedError(f"a container of type {container.type} stands where {kind} must")
    if isinstance(space, spaces.Discrete):
        number = unpack(DiscreteDataContainer, container.data).data
        if not 0 <= number < space.n:
            raise MalformedError(f"{number} is not in a discrete space of n={space.n}")
        return np.int64(number)
    if isinstance(space, spaces.Tuple):
        parts = unpack(TupleDataContainer, container.data).element
        if len(parts) != len(space.spaces):
            raise MalformedError(f"a tuple of {len(parts)} stands where {len(space.spaces)} must")
        return tuple(value_of(own, part) for own, part in zip(space.spaces, parts, strict=True))
    assert isinstance(space, spaces.Dict)
    found = {part.name: part for part in unpack(DictDataContainer, container.data).element}
    if found.keys() != space.spaces.keys():
        raise MalformedError(f"a dictionary of {sorted(found)} stands where {list(space)} must")
    return {name: value_of(own, found[name]) for name, own in space.items()}


def container_of(space: spaces.Space[Any], value: Any, name: str = "") -> Any:
    """The message DataContainer of a value of a space.

    Args:
        space: of `space_of`.
        value: that the space contains.
        name: key, within a dictionary.

    Raises:
        EnvUserError: the space does not contain it.
    """
    if not space.contains(value):
        raise EnvUserError(f"action={str(value)[:200]} is not allowed; it must be in {space}")
    if isinstance(space, spaces.Box):
        dtype = next(d for d, own in BOX_DTYPES.items() if own == space.dtype)
        return box_container(np.asarray(value), dtype, name)
    container = DataContainer(type=_KINDS[type(space)], name=name)
    if isinstance(space, spaces.Discrete):
        container.data.Pack(DiscreteDataContainer(data=int(value)))
    elif isinstance(space, spaces.Tuple):
        parts = [container_of(own, v) for own, v in zip(space.spaces, value, strict=True)]
        container.data.Pack(TupleDataContainer(element=parts))
    else:
        assert isinstance(space, spaces.Dict)
        parts = [container_of(own, value[key], key) for key, own in space.items()]
        container.data.Pack(DictDataContainer(element=parts))
    return container


def _box_of(box: Any) -> spaces.Box:
    shape, n = tuple(box.shape), math.prod(box.shape)
    if n > MAX_NUMBERS or len(shape) > MAX_DEPTH:
        raise MalformedError(f"a box of shape {shape[:MAX_DEPTH]} is too large")
    if not box.low <= box.high:
        raise MalformedError(f"a box from {box.low} to {box.high} holds nothing")
    # As peers do: what is no other type is read as float.
    dtype = BOX_DTYPES.get(box.dtype, BOX_DTYPES[FLOAT])
    low, high = box.low, box.high
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)  # type: ignore[type-var]
        low, high = (int(min(max(v, limits.min), limits.max)) for v in (low, high))
    return spaces.Box(low, high, shape, dtype)  # type: ignore[arg-type]


_KINDS: dict[type[spaces.Space[Any]], int] = {
    spaces.Discrete: DISCRETE,
    spaces.Tuple: TUPLE,
    spaces.Dict: DICT,
}
