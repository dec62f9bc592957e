# SPDX-License-Identifier: Apache-2.0
"""Messages between the worker and its parent: a JSON header, raw bytes, and file descriptors.

On the wire a message is a prefix (magic, length of the header, length of the payload, CRC-32 of
both), the header and the payload. No call waits longer than it is told to.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ns3_scenarios.errors import ProtocolError, WorkerGoneError, WorkerTimeoutError

MAX_HEADER_BYTES = 64 << 20
MAX_PAYLOAD_BYTES = 4 << 30
POLL_S = 0.5
"""How often a wait checks that the other side is alive."""

_MAGIC = b"6GW1"
_PREFIX = struct.Struct("<4sIQI")
_CHUNK_BYTES = 1 << 20
_FLAGS = socket.MSG_DONTWAIT


@dataclass(frozen=True)
class Message:
    """What was received."""

    header: dict[str, Any]
    payload: bytes = b""
    fds: tuple[int, ...] = ()
    """File descriptors that came along; the receiver owns them."""

    @property
    def kind(self) -> str:
        """What the message is."""
        return str(self.header["kind"])


class _Wait:
    """A deadline, and a check that is made while waiting for it."""

    def __init__(self, timeout_s: float, check_alive: Callable[[], None] | None) -> None:
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._check_alive = check_alive

    def until_ready(self, sock: socket.socket, event: int) -> None:
        poll = select.poll()
        poll.register(sock, event)
        while True:
            left = self._deadline - time.monotonic()
            if poll.poll(max(0.0, min(left, POLL_S)) * 1e3):
                return
            if left <= 0:
                raise WorkerTimeoutError(f"no answer within {self._timeout_s:g} s")
            if self._check_alive:
                self._check_alive()


def send(
    sock: socket.socket,
    header: dict[str, Any],
    payload: bytes = b"",
    *,
    fds: Sequence[int] = (),
    timeout_s: float,
    check_alive: Callable[[], None] | None = None,
) -> None:
    """Send one message.

    Args:
        sock: a Unix stream socket.
        header: JSON data with a text under `kind`.
        payload: raw bytes.
        fds: file descriptors to pass; the sender keeps its own.
        timeout_s: longest time that this may take.
        check_alive: called every half second; it may raise.

    Raises:
        ProtocolError: header or payload are too large.
        WorkerGoneError: nobody reads any more.
        WorkerTimeoutError: the other side did not read in time.
    """
    text = json.dumps(header, separators=(",", ":")).encode()
    _check_sizes(len(text), len(payload))
    crc = zlib.crc32(payload, zlib.crc32(text))
    wait = _Wait(timeout_s, check_alive)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    views = [
        memoryview(part)
        for part in (_PREFIX.pack(_MAGIC, len(text), len(payload), crc), text, payload)
    ]
    while views:
        wait.until_ready(sock, select.POLLOUT)
        try:
            sent = sock.sendmsg(views, ancillary, _FLAGS)
        except BlockingIOError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            raise WorkerGoneError("the other side has closed the connection") from None
        ancillary = []  # they travel with the first byte
        while views and sent >= len(views[0]):
            sent -= len(views.pop(0))
        if views:
            views[0] = views[0][sent:]


def wait_for_message(
    sock: socket.socket, *, timeout_s: float, check_alive: Callable[[], None] | None = None
) -> None:
    """Wait until there is something to receive, or the connection ends.

    Raises:
        WorkerTimeoutError: nothing came in time.
    """
    _Wait(timeout_s, check_alive).until_ready(sock, select.POLLIN)


def receive(
    sock: socket.socket,
    *,
    timeout_s: float,
    max_fds: int = 0,
    check_alive: Callable[[], None] | None = None,
) -> Message:
    """Receive one message.

    Args:
        sock: a Unix stream socket.
        timeout_s: longest time that this may take.
        max_fds: file descriptors that may come along.
        check_alive: called every half second; it may raise.

    Raises:
        ProtocolError: the message is cut off, too large or corrupt.
        WorkerGoneError: the connection was closed and there is no message.
        WorkerTimeoutError: no whole message came in time.
    """
    wait = _Wait(timeout_s, check_alive)
    fds: list[int] = []
    try:
        prefix = _read(sock, _PREFIX.size, wait, fds, max_fds)
        if not prefix:
            raise WorkerGoneError("the other side has closed the connection")
        if len(prefix) < _PREFIX.size:
            raise ProtocolError("the message is cut off")
        magic, text_bytes, payload_bytes, crc = _PREFIX.unpack(prefix)
        if magic != _MAGIC:
            raise ProtocolError(f"not a message: it starts with {magic!r}")
        _check_sizes(text_bytes, payload_bytes)
        text = _read(sock, text_bytes, wait)
        payload = _read(sock, payload_bytes, wait)
        if len(text) < text_bytes or len(payload) < payload_bytes:
            raise ProtocolError("the message is cut off")
        if zlib.crc32(payload, zlib.crc32(text)) != crc:
            raise ProtocolError("the message is corrupt")
        return Message(_parse(text), payload, tuple(fds))
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise


def _read(
    sock: socket.socket, size: int, wait: _Wait, fds: list[int] | None = None, max_fds: int = 0
) -> bytes:
    """`size` bytes, fewer only if the connection ends; descriptors that come are added to `fds`."""
    data = bytearray()
    while len(data) < size:
        wait.until_ready(sock, select.POLLIN)
        want = min(size - len(data), _CHUNK_BYTES)
        try:
            if fds is not None and max_fds:
                chunk, more, _, _ = socket.recv_fds(sock, want, max_fds, _FLAGS)
                fds.extend(more)
            else:
                chunk = sock.recv(want, _FLAGS)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _check_sizes(header_bytes: int, payload_bytes: int) -> None:
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise ProtocolError(
            f"a message of {header_bytes} + {payload_bytes} bytes is too large; at most "
            f"{MAX_HEADER_BYTES} + {MAX_PAYLOAD_BYTES} are allowed"
        )


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except ValueError:
        raise ProtocolError("the header of the message is not JSON") from None
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ProtocolError("the header of the message does not say its kind")
    return header
