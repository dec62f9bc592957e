# SPDX-License-Identifier: Apache-2.0
"""Episodes for clients that are not trusted: `Host` counts them, `Session` plays one in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from env.environment import Environment
from env.errors import BackendError, EnvUserError, ToolError
from env.interfaces.limits import check_limits

T = TypeVar("T")
CLOSING_S = 10.0
"""Longest time that a new episode waits for room while another is being closed."""
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What clients may take of a server."""

    max_episodes: int = 1000
    """That the server starts before it has to be started anew."""
    max_sessions: int = 4
    """Episodes at a time; each may be a live simulation."""
    max_calls: int = 1000
    """Of an episode. The task may allow fewer."""
    max_message_bytes: int = 131_072
    """Of a message from a client."""
    call_s: float = 120.0
    """Time of a call; the first one also starts the network."""
    idle_s: float = 600.0
    """Time without a call after which an episode ends."""

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass
class Host:
    """Starts the episodes of a server, within its limits.

    Args:
        make_environment: starts episode n; n counts from 0.
        limits: of the server.
        on_end: is given each episode when it is over, before it is closed.
    """

    make_environment: Callable[[int], Environment]
    limits: Limits = field(default_factory=Limits)
    on_end: Callable[[Environment], None] | None = None
    started: int = field(default=0, init=False)
    """Episodes so far."""
    sessions: set[Session] = field(default_factory=set, init=False)
    """Those that play an episode now."""

    async def admit(self, session: Session) -> int:
        """Number of a new episode for a session.

        Raises:
            ToolError: the server takes no more.
        """
        limits = self.limits
        deadline_s = time.monotonic() + CLOSING_S
        while (
            len(self.sessions) >= limits.max_sessions
            and any(other.over for other in self.sessions)
            and time.monotonic() < deadline_s
        ):
            await asyncio.sleep(0.02)
        session.check()
        if self.started >= limits.max_episodes:
            raise ToolError(
                "limit", f"this server has played all {limits.max_episodes} episodes that it may"
            )
        if len(self.sessions) >= limits.max_sessions:
            raise ToolError(
                "limit", f"this server plays no more than {limits.max_sessions} episodes at a time"
            )
        self.started += 1
        self.sessions.add(session)
        return self.started - 1

    async def end_idle(self) -> None:
        """End episodes without calls, for ever."""
        idle_s = self.limits.idle_s
        while True:
            await asyncio.sleep(min(idle_s / 4, 30))
            for session in tuple(self.sessions):
                if session.idle_s > idle_s:
                    session.end(f"it had no call for {idle_s:g} s")

    def close(self) -> None:
        """End all episodes."""
        for session in tuple(self.sessions):
            session.end("the server has stopped")


class Session:
    """One client's episode, which its first call starts.

    Everything done to the environment is done by one thread of the session's own, in the order of
    the calls. A call that takes too long ends the episode; its environment is closed when the call
    comes back.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._turn = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._environment: Environment | None = None
        self._failure: Exception | None = None
        self.over = ""
        """Why, if it is."""
        self._calls = 0
        self._last_s = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Time since the last call came back; 0 while one runs."""
        return 0.0 if self._turn.locked() else time.monotonic() - self._last_s

    async def call(self, work: Callable[[Environment], T]) -> T:
        """Do something that counts as a call; see `read`."""
        self._calls += 1
        if self._calls > self._host.limits.max_calls:
            raise ToolError(
                "episode_over",
                f"the episode is over: it takes no more than {self._host.limits.max_calls} calls",
            )
        return await self.read(work)

    async def read(self, work: Callable[[Environment], T]) -> T:
        """Do something with the environment, in a thread and in time.

        Raises:
            ToolError: the episode is over or cannot start, the backend has failed, or it takes too
                long.
        """
        async with self._turn:
            self.check()
            if self._thread is None:
                number = await self._host.admit(self)
                self._thread = ThreadPoolExecutor(1, "episode")
                self._thread.submit(self._start, number)
            doing = asyncio.wrap_future(self._thread.submit(self._do, work))
            doing.add_done_callback(_forget)  # nobody may be waiting for it any more
            try:
                return await asyncio.wait_for(asyncio.shield(doing), self._host.limits.call_s)
            except TimeoutError:
                why = f"a call took more than {self._host.limits.call_s:g} s"
                self.end(why)
                raise ToolError("limit", f"{why}, and the episode has ended") from None
            except (BackendError, EnvUserError) as error:
                self.end("the network behind it has failed")
                raise ToolError("backend_failed", str(error)) from error
            finally:
                self._last_s = time.monotonic()

    def check(self) -> None:
        """Raise `ToolError` if the episode is over."""
        if self.over:
            raise ToolError(
                "episode_over", f"the episode is over: {self.over}; a new session starts one"
            )

    def end(self, why: str) -> None:
        """End the episode; the network is closed as soon as it stands still."""
        if self.over:
            return
        self.over = why
        if self._thread:
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)

    def _start(self, number: int) -> None:
        try:
            self._environment = self._host.make_environment(number)
        except Exception as error:
            self._failure = error

    def _do(self, work: Callable[[Environment], T]) -> T:
        if self._environment is None:
            raise BackendError(f"the network does not start: {self._failure}") from self._failure
        return work(self._environment)

    def _close(self) -> None:
        try:
            if self._environment:
                with self._environment as ended:
                    if self._host.on_end:
                        self._host.on_end(ended)
        except Exception:
            _LOGGER.exception("an episode could not be ended as it should")
        finally:
            self._host.sessions.discard(self)


def _forget(done: asyncio.Future[T]) -> None:
    """Take note of what came of a call."""
    if not done.cancelled():
        done.exception()
