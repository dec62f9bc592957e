# SPDX-License-Identifier: Apache-2.0
"""Any message arrives as it was sent, and whatever else arrives is a typed error, in time."""

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns3_scenarios.errors import (
    ProtocolError,
    WorkerError,
    WorkerGoneError,
    WorkerTimeoutError,
)
from ns3_scenarios.worker import protocol

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
headers = st.dictionaries(st.text(), json_values).flatmap(
    lambda header: st.text().map(lambda kind: {**header, "kind": kind})
)
unhurried = settings(deadline=None)  # the machine may be busy


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def wire(header: dict[str, Any], payload: bytes) -> bytes:
    """The bytes of a message."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        protocol.send(ours, header, payload, timeout_s=5)
        return theirs.recv(1 << 20)


def received(data: bytes) -> protocol.Message:
    """What is received of some bytes before the end of a connection."""
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(data)
        return protocol.receive(theirs, timeout_s=5)


@unhurried
@given(headers, st.binary())
def test_round_trip(header: dict[str, Any], payload: bytes) -> None:
    message = received(wire(header, payload))
    assert message == protocol.Message(header, payload)
    assert message.kind == header["kind"]


@unhurried
@given(headers, st.binary(), st.data())
def test_a_message_cut_off_anywhere(header: dict[str, Any], payload: bytes, data: Any) -> None:
    whole = wire(header, payload)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(ProtocolError, match="cut off"):
        received(whole[:cut])


@unhurried
@given(headers, st.binary(), st.data())
def test_a_changed_byte_anywhere(header: dict[str, Any], payload: bytes, data: Any) -> None:
    whole = bytearray(wire(header, payload))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        received(bytes(whole))


@unhurried
@given(st.binary(min_size=1))
def test_bytes_that_are_no_message(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        received(data)


def test_the_end_of_a_connection() -> None:
    with pytest.raises(WorkerGoneError):
        received(b"")


def test_a_large_message_in_both_directions(pair: tuple[socket.socket, socket.socket]) -> None:
    payload = os.urandom(8 << 20)
    thread = threading.Thread(
        target=protocol.send, args=(pair[0], {"kind": "x"}, payload), kwargs={"timeout_s": 30}
    )
    thread.start()
    assert protocol.receive(pair[1], timeout_s=30).payload == payload
    thread.join()


def test_no_wait_is_longer_than_allowed(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(WorkerTimeoutError, match=r"0\.05 s"):
        protocol.receive(pair[1], timeout_s=0.05)
    pair[0].send(wire({"kind": "x"}, b"payload")[:-1])
    with pytest.raises(WorkerTimeoutError):
        protocol.receive(pair[1], timeout_s=0.05)
    with pytest.raises(WorkerTimeoutError):
        protocol.send(pair[0], {"kind": "x"}, bytes(8 << 20), timeout_s=0.05)


def test_a_wait_asks_whether_the_other_side_is_alive(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    def dead() -> None:
        raise WorkerGoneError("dead")

    with pytest.raises(WorkerGoneError, match="dead"):
        protocol.receive(pair[1], timeout_s=60, check_alive=dead)


def test_sending_to_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(WorkerGoneError):
        protocol.send(pair[0], {"kind": "x"}, timeout_s=1)


def test_a_message_too_large_is_not_sent_nor_read(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = wire({"kind": "x"}, bytes(101))
    monkeypatch.setattr(protocol, "MAX_PAYLOAD_BYTES", 100)
    with pytest.raises(ProtocolError, match="too large"):
        protocol.send(pair[0], {"kind": "x"}, bytes(101), timeout_s=1)
    with pytest.raises(ProtocolError, match="too large"):
        received(data)


@pytest.mark.parametrize("header", [{}, {"kind": 1}, [], None])
def test_a_header_must_say_its_kind(header: Any) -> None:
    with pytest.raises(ProtocolError, match="kind"):
        received(wire(header, b""))


def test_file_descriptors_come_along(pair: tuple[socket.socket, socket.socket]) -> None:
    reader, writer = os.pipe()
    protocol.send(pair[0], {"kind": "x"}, b"payload", fds=[writer], timeout_s=1)
    protocol.send(pair[0], {"kind": "y"}, timeout_s=1)
    os.close(writer)
    message = protocol.receive(pair[1], timeout_s=1, max_fds=1)
    assert message.payload == b"payload"
    assert protocol.receive(pair[1], timeout_s=1, max_fds=1).fds == ()
    (passed,) = message.fds
    os.write(passed, b"through")
    os.close(passed)
    assert os.read(reader, 100) == b"through"
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_file_descriptors_of_a_bad_message_are_closed(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    reader, writer = os.pipe()
    socket.send_fds(pair[0], [b"nonsense" * 10], [writer])
    os.close(writer)
    with pytest.raises(WorkerError):
        protocol.receive(pair[1], timeout_s=1, max_fds=1)
    assert os.read(reader, 1) == b""
    os.close(reader)
