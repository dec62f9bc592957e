# SPDX-License-Identifier: Apache-2.0
"""Spaces and values against bytes that are written by hand from the protocol's description."""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from env.errors import EnvUserError
from env.interfaces.ns3gym.messages import (
    BoxSpace,
    DataContainer,
    DictSpace,
    DiscreteSpace,
    MalformedError,
    SpaceDescription,
    TupleSpace,
    parse,
)
from env.interfaces.ns3gym.spaces import container_of, space_of, value_of

NUMBERS = {
    1: (3, np.int32, b"\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xac\x02", [5, -1, 300]),
    2: (4, np.uint32, b"\x05\xff\xff\xff\xff\x0f\xac\x02", [5, 2**32 - 1, 300]),
    3: (5, np.float32, struct.pack("<3f", 0.5, -2, 1e30), [0.5, -2, np.float32(1e30)]),
    4: (6, np.float64, struct.pack("<3d", 0.5, -2, 1e300), [0.5, -2, 1e300]),
}


@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_of_every_type(dtype: int, by_hand: ModuleType) -> None:
    number, kind, packed, expected = NUMBERS[dtype]
    at = by_hand.field
    space = space_of(parse(SpaceDescription, by_hand.box_space(-np.inf, np.inf, [3, 1], dtype)))
    assert isinstance(space, spaces.Box)
    assert (space.dtype, space.shape) == (kind, (3, 1))
    box = at(1, dtype) + at(2, b"\x03\x01") + at(number, packed)
    frame = at(1, 2) + at(2, by_hand.in_any("BoxDataContainer", box))
    value = value_of(space, parse(DataContainer, frame))
    assert value.tolist() == [[e] for e in expected]
    assert container_of(space, value).SerializeToString() == frame


SPACE = spaces.Dict(
    a=spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2, 2), np.float32)]),
    b=spaces.Box(-5, 5, (), np.int32),
)


@given(st.integers(0, 2), arrays(np.float32, (2, 2), elements=st.floats(-1, 1, width=32)),
       st.integers(-5, 5))  # fmt: skip
def test_values_come_back_as_they_were(n: int, box: Any, whole: int) -> None:
    value = {"a": (np.int64(n), box), "b": np.array(whole, np.int32)}
    back = value_of(SPACE, parse(DataContainer, container_of(SPACE, value).SerializeToString()))
    assert back["a"][0] == n
    np.testing.assert_array_equal(back["a"][1], box)
    assert (back["b"], back["b"].shape) == (whole, ())


@given(st.binary(max_size=60))
def test_noise_is_a_sentence(noise: bytes) -> None:
    for read in (
        lambda: space_of(parse(SpaceDescription, noise)),
        lambda: value_of(SPACE, parse(DataContainer, noise)),
    ):
        with pytest.raises(MalformedError):
            read()


def described(type_: int, inner: Any, name: str = "") -> Any:
    found = SpaceDescription(type=type_, name=name)
    found.space.Pack(inner)
    return found


def nested(depth: int) -> Any:
    inner = described(1, DiscreteSpace(n=2))
    for _ in range(depth):
        inner = described(3, TupleSpace(element=[inner]))
    return inner


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (described(1, DiscreteSpace(n=0)), "n=0 holds nothing"),
        (described(2, BoxSpace(low=2, high=1)), "from 2.0 to 1.0 holds nothing"),
        (described(2, BoxSpace(low=float("nan"))), "holds nothing"),
        (described(2, BoxSpace(shape=[10**6, 10**6])), "too large"),
        (described(2, BoxSpace(shape=[1] * 40)), "too large"),
        (described(2, DiscreteSpace(n=1)), "DiscreteSpace' stands where"),
        (described(4, DictSpace(element=[nested(0)] * 2)), "have one name"),
        (nested(50), "more than 8 deep"),
        (SpaceDescription(), "type 0 is none of the protocol"),
    ],
)
def test_impossible_spaces_are_a_sentence(space: Any, said: str) -> None:
    with pytest.raises(MalformedError, match=said):
        space_of(space)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (spaces.Dict(a=SPACE["a"]), "a dictionary of"),
        (spaces.Dict(a=spaces.Tuple([spaces.Discrete(3)]), b=SPACE["b"]), "a tuple of 1 stands"),
        (spaces.Dict(a=spaces.Discrete(3), b=SPACE["b"]), "type 1 stands where 3 must"),
        (spaces.Discrete(3), "type 1 stands where 4 must"),
    ],
)
def test_values_of_other_spaces_are_a_sentence(sent: spaces.Space[Any], said: str) -> None:
    sent.seed(1)
    with pytest.raises(MalformedError, match=said):
        value_of(SPACE, container_of(sent, sent.sample()))


def test_numbers_out_of_a_discrete_space() -> None:
    ten = container_of(spaces.Discrete(20), np.int64(10))
    with pytest.raises(MalformedError, match="10 is not in a discrete space of n=3"):
        value_of(spaces.Discrete(3), ten)
    with pytest.raises(EnvUserError, match="action=10 is not allowed"):
        container_of(spaces.Discrete(3), 10)
