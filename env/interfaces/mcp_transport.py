# SPDX-License-Identifier: Apache-2.0
"""What carries MCP messages: stdio with lines of bounded length, HTTP with a bearer token."""

from __future__ import annotations

import hmac
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO, cast

import anyio
import anyio.from_thread
import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from env.errors import EnvUserError
from env.interfaces.hosting import Limits

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LEAST_TOKEN = 16
"""Characters of a token that nobody guesses."""
_ID = re.compile(rb'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,100}")')
_HEAD = 4096
"""Bytes of a message in which its id is looked for."""


def read_token(variable: str = "SIXG_MCP_TOKEN", file: Path | None = None) -> str:
    """The token that the operator has set, in a file or else in an environment variable.

    Returns:
        The token; empty if the variable is not set.

    Raises:
        EnvUserError: the file cannot be read, or is empty.
    """
    if file is None:
        return os.environ.get(variable, "").strip()
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvUserError(f"the token file {file} cannot be read: {error}") from None
    if not token:
        raise EnvUserError(f"the token file {file} is empty")
    return token


def check_address(host: str, token: str) -> None:
    """Refuse to listen to the world without a token.

    Raises:
        EnvUserError: the token is missing or too short.
    """
    if not token and host not in LOOPBACK:
        raise EnvUserError(
            f"host={host!r} needs a token: others than this machine can reach it; without one, it "
            f"must be one of {', '.join(LOOPBACK)}"
        )
    if token and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable()):
        raise EnvUserError(
            f"the token has {len(token)} characters; it must have {LEAST_TOKEN} or more, all of "
            "them printable ASCII"
        )


def http_app(server: Server[Any], host: str, token: str, limits: Limits) -> Starlette:
    """The server as an ASGI application at `/mcp`."""
    nobody = AnyHttpUrl("http://localhost")  # no server gives tokens out: the operator does
    return server.streamable_http_app(
        host=host,
        max_request_body_size=limits.max_message_bytes,
        session_idle_timeout=limits.idle_s,
        max_sessions=limits.max_sessions,
        auth=AuthSettings(issuer_url=nobody, resource_server_url=None) if token else None,
        token_verifier=_OneToken(token) if token else None,
    )


def serve_http(server: Server[Any], host: str, port: int, token: str, limits: Limits) -> None:
    """Serve over HTTP until interrupted.

    Raises:
        EnvUserError: the address is not free, or the token does not do.
    """
    check_address(host, token)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise EnvUserError(f"cannot listen at host={host!r}, port={port}: {error}") from None
    config = uvicorn.Config(
        http_app(server, host, token, limits),
        log_level="warning",
        limit_concurrency=16 + 8 * limits.max_sessions,
        timeout_graceful_shutdown=2,
    )
    with listening:
        name = f"[{host}]" if ":" in host else host
        print(f"MCP at http://{name}:{listening.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
        uvicorn.Server(config).run(sockets=[listening])


class _OneToken:
    """The one token that is right."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Compare in constant time."""
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            return None
        return AccessToken(token=token, client_id="operator", scopes=[])


@asynccontextmanager
async def bounded_stdio(stdin: TextIO, max_bytes: int) -> AsyncIterator[tuple[Any, Any]]:
    """MCP's streams over stdin and stdout; what is printed meanwhile goes to stderr."""
    wire = os.fdopen(os.dup(stdin.fileno()), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, stdin.fileno())  # for whatever else reads it, children too
    os.close(nothing)
    lines = _BoundedLines(wire, max_bytes)
    async with stdio_server(stdin=anyio.wrap_file(cast(TextIO, lines))) as (read, write):
        lines.refuse = write.send
        yield read, write


class _BoundedLines:
    """Lines of text; those that are too long are refused and left out."""

    refuse: Callable[[SessionMessage], Coroutine[Any, Any, None]]
    """Sends an answer to the peer."""

    def __init__(self, wire: Any, max_bytes: int) -> None:
        self._wire = wire
        self._max_bytes = max_bytes

    def readline(self) -> str:
        """The next line; empty at the end."""
        while True:
            line = self._wire.readline(self._max_bytes + 2)
            if len(line.rstrip(b"\r\n")) <= self._max_bytes:
                return str(line.decode("utf-8", "replace"))
            asked = _ID.search(line[:_HEAD])
            while line and not line.endswith(b"\n"):
                line = self._wire.readline(self._max_bytes)
            why = f"a message may have no more than {self._max_bytes} bytes"
            answer = types.JSONRPCError(
                jsonrpc="2.0",
                id=json.loads(asked[1]) if asked else None,
                error=types.ErrorData(code=types.INVALID_REQUEST, message=why),
            )
            anyio.from_thread.run(self.refuse, SessionMessage(answer))
