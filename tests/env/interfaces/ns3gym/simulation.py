# SPDX-License-Identifier: Apache-2.0
"""A simulation of ns3-gym in a process of its own, from the description of the protocol alone.

A queue: each step, an action lets up to `limit` packets go, and as many as the seed draws arrive.
The game is over when the queue runs over; the simulation ends after 5 steps.

Arguments: a mode, then --openGymPort and --simSeed as agents pass them.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import zmq
from by_hand import box_data, box_space, field, fields, in_any, read_box_data

MODE = sys.argv[1]
OPTIONS = dict(argument.removeprefix("--").split("=") for argument in sys.argv[2:])
PLACES, END = 20, 5


def discrete(n: int) -> bytes:
    return field(1, 1) + field(2, in_any("DiscreteSpace", field(1, n)))


def tuple_of(kind: str, parts: list[bytes], type_: int) -> bytes:
    return field(1, type_) + field(2, in_any(kind, b"".join(field(1, p) for p in parts)))


def named(part: bytes, name: str) -> bytes:
    return part + field(3, name.encode())


def state(queue: int, arrived: int, reward: float, *, over: int = 0, reason: int = 0) -> bytes:
    seen = box_data([queue, arrived] * 2, shape=[2, 2])
    count = field(1, 1) + field(2, in_any("DiscreteDataContainer", field(1, queue)))
    both = [named(seen, "seen"), named(count, "count")]
    return (
        field(1, tuple_of("DictDataContainer", both, 4))
        + field(2, float(reward))
        + field(3, over)
        + field(4, reason)
        + field(5, f"queue={queue}".encode())
    )


if MODE == "crash at once":
    sys.exit("no such topology")
if MODE == "silent":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    with open(OPTIONS["told"], "w") as told:
        told.write(str(child.pid))
    time.sleep(600)

random_ = random.Random(int(OPTIONS["simSeed"]))
socket = zmq.Context().socket(zmq.REQ)
socket.connect(f"tcp://localhost:{OPTIONS['openGymPort']}")
if MODE == "garbage":
    socket.send(b"\xff" * 50)
    socket.recv()
if MODE == "huge":
    socket.send(b"\0" * 3_000_000)
    socket.recv()
observed = tuple_of(
    "DictSpace",
    [named(box_space(0, PLACES, [2, 2]), "seen"), named(discrete(PLACES + 1), "count")],
    4,
)
acted = tuple_of(
    "TupleSpace",
    [box_space(0, 10, [1]), tuple_of("TupleSpace", [discrete(3)], 3)],
    3,
)
if MODE == "vast":
    acted = box_space(0, 1, [2**16, 2**16])
socket.send(field(1, os.getpid()) + field(2, os.getppid()) + field(3, observed) + field(4, acted))
ack = fields(socket.recv())
assert ack[1] == [1], ack
if MODE == "wrong order":
    socket.send(field(1, os.getpid()) + field(3, observed) + field(4, acted))
    socket.recv()
queue, arrived, reward = 5, 0, 0.0
for step in range(END + 1):
    over = queue > PLACES
    end = step == END
    if MODE == "killed" and step == 2:
        os.kill(os.getpid(), 9)
    if MODE == "hung" and step == 2:
        time.sleep(600)
    seen = min(queue, PLACES)
    socket.send(state(seen, arrived, reward, over=int(over or end), reason=int(over)))
    answer = fields(socket.recv())
    if answer.get(2) == [1]:
        break
    action = fields(answer[1][0])
    assert action[1] == [3]
    parts = fields(fields(action[2][0])[2][0])[1]
    (limit,) = read_box_data(parts[0])
    (inner,) = fields(fields(fields(parts[1])[2][0])[2][0])[1]
    choice = fields(fields(fields(inner)[2][0]).get(2, [b""])[0]).get(1, [0])[0]
    arrived = random_.randint(0, 6)
    queue = max(0, queue - int(limit)) + arrived + 10 * choice
    reward = -queue
else:
    sys.exit("the agent never stopped the simulation")
