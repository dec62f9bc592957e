# SPDX-License-Identifier: Apache-2.0
"""The ns3-gym protocol from its description alone: no code of the project, no protobuf.

Run as a program, it is an agent in a process of its own. It prints its port, then a line of JSON
for each state.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Sequence
from typing import Any

import zmq

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Fields = dict[int, list[Any]]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number: int, value: int | float | bytes) -> bytes:
    """A field: a varint, a 32-bit float, or bytes."""
    if isinstance(value, bytes):
        return varint(number << 3 | BYTES) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | FIXED32) + struct.pack("<f", value)
    return varint(number << 3 | VARINT) + varint(value)


def fields(frame: bytes) -> Fields:
    """What a message holds, by number of the field."""
    found: Fields = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = frame[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(frame):
        key = number()
        value: Any
        if key & 7 == VARINT:
            value = number()
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(key & 7) or number()
            value = frame[at : at + size]
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def in_any(name: str, message: bytes) -> bytes:
    return field(1, f"type.googleapis.com/ns3opengym.{name}".encode()) + field(2, message)


def out_of_any(name: str, message: bytes) -> Fields:
    held = fields(message)
    assert held[1] == [f"type.googleapis.com/ns3opengym.{name}".encode()]
    return fields(held.get(2, [b""])[0])


def floats(packed: bytes) -> list[float]:
    return [value for (value,) in struct.iter_unpack("<f", packed)]


def box_space(low: float, high: float, shape: Sequence[int], dtype: int = 3) -> bytes:
    """A SpaceDescription."""
    packed = b"".join(varint(n) for n in shape)
    box = field(1, float(low)) + field(2, float(high)) + field(3, dtype) + field(4, packed)
    return field(1, 2) + field(2, in_any("BoxSpace", box))


def box_data(values: Sequence[float], *, shape: Sequence[int] = ()) -> bytes:
    """A DataContainer of 32-bit floats."""
    packed = b"".join(varint(n) for n in shape or [len(values)])
    numbers = struct.pack(f"<{len(values)}f", *values)
    box = field(1, 3) + field(2, packed) + field(5, numbers)
    return field(1, 2) + field(2, in_any("BoxDataContainer", box))


def read_box_space(description: bytes) -> tuple[float, float, int, tuple[int, ...]]:
    """Low, high, dtype and shape."""
    space = fields(description)
    assert space[1] == [2]
    box = out_of_any("BoxSpace", space[2][0])
    shape = tuple(box[4][0])  # of one byte each, below 128
    if len(shape) > 1:  # one number of two bytes
        shape = (shape[0] & 0x7F | shape[1] << 7,)
    low, high = (floats(box[n][0])[0] for n in (1, 2))
    return low, high, box[3][0], shape


def read_box_data(container: bytes) -> list[float]:
    data = fields(container)
    assert data[1] == [2]
    box = out_of_any("BoxDataContainer", data[2][0])
    assert box[1] == [3]
    return floats(box[5][0])


class Agent:
    """Binds a port, and answers a simulation."""

    def __init__(self, port: int = 0, patience_s: float = 60) -> None:
        self._patience_s = patience_s
        self.port = port
        self.bind()

    def bind(self) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.REP)
        self.socket.linger = 1000
        self.socket.rcvtimeo = int(1e3 * self._patience_s)
        self.socket.bind(f"tcp://*:{self.port or '*'}")
        endpoint = self.socket.last_endpoint
        assert isinstance(endpoint, bytes)
        self.port = int(endpoint.decode().rpartition(":")[2].rstrip("\0"))

    def rebind(self) -> None:
        """As agents do to reset."""
        self.close()
        self.bind()

    def close(self) -> None:
        self.socket.close()
        self._context.term()

    def begin(self) -> None:
        """Learn the spaces, and acknowledge."""
        said = fields(self.socket.recv())
        self.process = said[1][0]
        self.observation_space = read_box_space(said[3][0])
        self.action_space = read_box_space(said[4][0])
        self.socket.send(field(1, 1))

    def state(self) -> dict[str, Any]:
        """The next state; a terminal one is answered at once."""
        said = fields(self.socket.recv())
        found = {
            "observation": read_box_data(said[1][0]),
            "reward": floats(said[2][0])[0] if 2 in said else 0.0,
            "over": said.get(3, [0])[0],
            "reason": said.get(4, [0])[0],
            "info": json.loads(said[5][0]),
        }
        if "actions" in found["info"]:
            names = found["info"]["observations"]
            self._settings = [names.index(a["name"]) for a in found["info"]["actions"]]
        if found["over"]:
            self.stop()
        return found

    def act(self, values: Sequence[float]) -> None:
        self.socket.send(field(1, box_data(values)))

    def stop(self) -> None:
        self.socket.send(field(2, 1))

    def hold(self, state: dict[str, Any]) -> list[float]:
        """The action that changes nothing: the controls in force."""
        return [2 * state["observation"][at] - 1 for at in self._settings]


def main(n_episodes: int, first: float, port: int = 0) -> None:
    """Hold all controls but the first, which is set.

    Args:
        n_episodes: to play.
        first: value of the first control.
        port: to bind.
    """
    agent = Agent(port)
    print(agent.port, flush=True)
    for number in range(n_episodes):
        if number:
            agent.rebind()
        agent.begin()
        state = agent.state()
        while True:
            print(json.dumps({"episode": number, **state}), flush=True)
            if state["over"]:
                break
            agent.act([first, *agent.hold(state)[1:]])
            state = agent.state()
    agent.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), *map(int, sys.argv[3:]))
