# SPDX-License-Identifier: Apache-2.0
"""Agents that break the protocol get a sentence, and the network does not change."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from env.interfaces.ns3gym.messages import EnvActMsg, MalformedError, box_values, parse


@dataclass
class Episode:
    """One that goes on; `state` is the last one."""

    agent: Any
    state: dict[str, Any]
    hold: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.hold = self.agent.hold(self.state)

    def answer(self, *frames: bytes) -> str:
        """What is said of an answer; the network must not change."""
        before = self.state
        self.agent.socket.send_multipart(frames)
        self.state = self.agent.state()
        assert self.state["observation"] == before["observation"]
        assert self.state["info"]["interval"] == before["info"]["interval"]
        assert (self.state["reward"], self.state["over"]) == (0, 0)
        error: str = self.state["info"]["error"]
        assert error
        assert "\n" not in error
        return error


@pytest.fixture(scope="module")
def episode(by_hand: ModuleType, server: Any) -> Iterator[Episode]:
    agent = by_hand.Agent(server.port)
    agent.begin()
    yield Episode(agent, agent.state())
    agent.close()


def in_action(by_hand: ModuleType, container: bytes) -> bytes:
    action: bytes = by_hand.field(1, container)
    return action


def test_sentences(episode: Episode, by_hand: ModuleType) -> None:
    box, any_, at = by_hand.box_data, by_hand.in_any, by_hand.field
    n = len(episode.hold)
    say = episode.answer
    assert say(b"\xff" * 9) == "9 bytes are no EnvActMsg"
    assert say(b"") == "a container of type 0 stands where a box must, 2"
    assert say(at(1, 1)) == "a container of type 0 stands where a box must, 2"  # SimInitAck
    assert say(b"", b"", b"") == "3 frames came where one must"
    short = say(in_action(by_hand, box(episode.hold[:-1])))
    assert short == f"a box of {n - 1} numbers in floatData stands where {n} must"
    wrong = at(1, 2) + at(2, any_("DiscreteDataContainer", at(1, 1)))
    assert "'type.googleapis.com/ns3opengym.DiscreteDataContainer' stands where" in say(
        in_action(by_hand, wrong)
    )
    assert "nothing' stands where" in say(in_action(by_hand, at(1, 2)))
    broken = at(1, 2) + at(2, any_("BoxDataContainer", b"\x2a\x05\x00"))
    assert say(in_action(by_hand, broken)) == "3 bytes are no BoxDataContainer"
    for value, written in ((1.1, "1.1"), (float("nan"), "nan"), (float("-inf"), "-inf")):
        said = say(in_action(by_hand, box([value, *episode.hold[1:]])))
        assert said == f"cells.c0.tx_power_dbm={written} is not allowed; it must be from -1 to 1"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_bytes_change_a_network(episode: Episode, by_hand: ModuleType, data: Any) -> None:
    """Over the socket: noise, cut and flipped actions, and boxes of any numbers."""
    good = in_action(by_hand, by_hand.box_data(episode.hold))
    kind = data.draw(st.sampled_from(["noise", "cut", "flip", "numbers"]))
    if kind == "noise":
        frame = data.draw(st.binary(max_size=200))
    elif kind == "cut":
        frame = good[: data.draw(st.integers(0, len(good) - 1))]
    elif kind == "flip":
        at = data.draw(st.integers(0, len(good) - 1))
        frame = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    else:
        numbers = data.draw(st.lists(st.floats(width=32), max_size=80))
        frame = in_action(by_hand, by_hand.box_data(numbers))
    if not _may_be_used(frame, len(episode.hold)):
        episode.answer(frame)


def _may_be_used(frame: bytes, n: int) -> bool:
    """Whether it stops the episode, or holds so many numbers from -1 to 1."""
    try:
        action = parse(EnvActMsg, frame)
        return action.stopSimReq or bool((abs(box_values(action.actData, n)) <= 1.000001).all())
    except MalformedError:
        return False


def test_good_action_still_counts(episode: Episode) -> None:
    """After all of the above."""
    before = episode.state["info"]["interval"]
    episode.agent.act(episode.hold)
    episode.state = episode.agent.state()
    assert (episode.state["info"]["interval"], episode.state["info"]["error"]) == (before + 1, "")


def test_other_episodes(by_hand: ModuleType, episode: Episode, server: Any) -> None:
    """Each with an agent of its own, when the one above is over."""
    agent = episode.agent
    agent.rebind()
    agent.begin()
    for _ in range(server.max_refused):
        assert agent.state()["over"] == 0
        agent.socket.send(b"\xff")
    last = agent.state()
    assert (last["over"], last["reason"]) == (1, 0)
    assert last["info"]["over"] == f"{server.max_refused} actions could not be used"

    agent.rebind()
    agent.begin()
    agent.state()
    agent.socket.send(struct.pack("5001x"))
    assert server.has_said("sent more than the 5000 bytes that are allowed")

    agent.rebind()
    for answer in (b"\xff", b""):
        agent.socket.recv()
        agent.socket.send(answer)
    agent.begin()
    assert agent.state()["info"]["interval"] == 2
    assert server.has_said("turned away: 1 bytes are no SimInitAck")
    assert server.has_said("turned away: the agent's SimInitAck is not done")
