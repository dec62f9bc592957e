# SPDX-License-Identifier: Apache-2.0
"""One end of the protocol's socket, with limits: `Wire`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Literal, Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from env.errors import EnvError, EnvUserError
from env.interfaces.ns3gym.messages import MalformedError, parse

POLL_MS = 200
"""How often the health of the other end is asked for."""
LINGER_MS = 500
"""For the last message to leave."""
MAX_MESSAGE_BYTES = 1_048_576


class PeerError(EnvError):
    """Raised where the other end is gone or does not answer in time."""


class Wire:
    """A socket that sends and receives by turns; it never waits without end.

    Args:
        role: `simulation` connects and speaks first, `agent` binds and answers.
        host: of the agent.
        port: of the agent; 0 binds a free one.
        max_message_bytes: a longer frame ends the connection.
        health: says why nothing can come any more; nothing while something can.

    Raises:
        EnvUserError: the address cannot be used.
    """

    def __init__(
        self,
        role: Literal["simulation", "agent"],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        health: Callable[[], str] = lambda: "",
    ) -> None:
        self._health = health
        self._peer = "agent" if role == "simulation" else "simulation"
        self._max_message_bytes = max_message_bytes
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REQ if role == "simulation" else zmq.REP)
        self._socket.linger = LINGER_MS
        self._socket.maxmsgsize = max_message_bytes
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_CONNECTED | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
        )
        self._connections: set[int] = set()
        self._met = self._gone = False
        self._n_broken = 0
        try:
            if role == "simulation":
                self._socket.connect(f"tcp://{host}:{port}")
            else:
                self._socket.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            self.close()
            raise EnvUserError(f"tcp://{host}:{port} cannot be used: {error.strerror}") from None
        endpoint = self._socket.last_endpoint
        assert isinstance(endpoint, bytes)
        self.address = endpoint.decode().rstrip("\0")
        """Of the agent."""
        self.port = int(self.address.rpartition(":")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the address. Closing twice is allowed."""
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._context.term()

    def send(self, message: Any, within_s: float) -> None:
        """Send a message.

        Raises:
            PeerError: the other end is not there.
        """
        self._wait(False, within_s, "connected")
        self._meet()
        try:
            self._socket.send(message.SerializeToString(), zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise PeerError(f"nothing can be sent to {self.address}: {error.strerror}") from None

    def receive(self, kind: Any, within_s: float) -> Any:
        """Wait for a message.

        Args:
            kind: class of message.
            within_s: longest time.

        Raises:
            MalformedError: something else came; it counts as received.
            PeerError: nothing came in time, or nothing can come any more.
        """
        self._wait(True, within_s, f"sent {kind.DESCRIPTOR.name}")
        frames = self._socket.recv_multipart()
        self._meet()
        if len(frames) != 1:
            raise MalformedError(f"{len(frames)} frames came where one must")
        return parse(kind, frames[0])

    def _wait(self, to_read: bool, within_s: float, what: str) -> None:
        """Wait for a message to read, or for somebody to send to."""
        deadline_s = time.monotonic() + within_s
        while True:
            self._follow()
            if to_read and self._socket.poll(0):  # what came before the end still counts
                return
            if self._gone:
                time.sleep(POLL_MS * 1e-3)  # a process loses its sockets before it has ended
                raise PeerError(
                    f"the {self._peer} at {self.address} has gone{self._sick()}, or sent more "
                    f"than the {self._max_message_bytes} bytes that are allowed"
                )
            if self._connections and not to_read:
                return
            left_s = deadline_s - time.monotonic()
            if sick := self._sick():
                raise PeerError(f"the {self._peer} of {self.address} has ended{sick}")
            if left_s <= 0:
                broken = (
                    f"; {self._n_broken} connections broke, as messages of more than the "
                    f"{self._max_message_bytes} bytes that are allowed make them"
                )
                raise PeerError(
                    f"no {self._peer} at {self.address} has {what} within {within_s:g} s"
                    f"{broken if self._n_broken else ''}"
                )
            source = self._socket if to_read else self._monitor
            source.poll(min(POLL_MS, math.ceil(1e3 * left_s)))

    def _sick(self) -> str:
        why = self._health()
        return f" ({why})" if why else ""

    def _meet(self) -> None:
        """From now on, losing the last connection is the end."""
        self._follow()
        self._met = True
        self._gone |= not self._connections

    def _follow(self) -> None:
        """Take note of who has come and gone."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)
            if event["event"] == zmq.EVENT_DISCONNECTED:
                self._n_broken += event["value"] in self._connections
                self._connections.discard(event["value"])
                # The socket connects anew by itself, which does not bring the peer's state back.
                self._gone |= self._met and not self._connections
            else:
                self._connections.add(event["value"])
