# SPDX-License-Identifier: Apache-2.0
"""Malformed and adversarial calls: none crashes, hangs or changes state on error."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import anyio.from_thread
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.errors import ErrorCode
from env.interfaces.hosting import Host, Limits
from env.interfaces.mcp_server import mcp_server
from env.tools import TOOLS
from ns3_scenarios.library import load_scenario

CALLS = 40
EXAMPLES = 75
"""Of `CALLS` calls each."""

words = st.one_of(
    st.sampled_from(
        [
            "",
            "c0",
            "embb",
            "../../etc/passwd",
            "file:///etc/passwd",
            "__class__",
            "c0\x00",
            "${jndi:ldap://x}",
            "'; DROP TABLE cells; --",
            "{{7*7}}",
            "*",
            "cells.*",
            "x" * 5000,
        ]
    ),
    st.text(max_size=20),
)
numbers = st.one_of(
    st.integers(-3, 100),
    st.floats(),
    st.sampled_from([1e308, -1e308, 10**40, -(2**63) - 1, 0.1, 60.0000001]),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, words)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=8,
)


def valued(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What an argument of this schema may be, near its bounds and beyond."""
    edges = [schema[k] for k in ("minimum", "maximum", "default") if k in schema]
    near = [e + d for e in edges if isinstance(e, int | float) for d in (-1, -1e-9, 0, 1e-9, 1)]
    known = [*schema.get("enum", []), *near]
    return st.one_of(values, st.sampled_from(known)) if known else values


def arguments(name: str) -> st.SearchStrategy[dict[str, Any]]:
    properties = TOOLS[name].schema["properties"]
    some = st.fixed_dictionaries({}, optional={k: valued(s) for k, s in properties.items()})
    return st.one_of(some, some, st.dictionaries(words, values, max_size=3))


calls = st.one_of(
    st.sampled_from(sorted(TOOLS)).flatmap(lambda n: st.tuples(st.just(n), arguments(n))),
    st.tuples(words, st.dictionaries(words, values, max_size=3)),
)


@dataclass(frozen=True)
class Desk:
    """A client in the middle of an episode, and a look behind the counter."""

    environment: Environment
    call: Any


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    quickstart = load_scenario("quickstart")
    made: list[Environment] = []

    def make(n: int) -> Environment:
        made.append(Environment(Ns3Backend(quickstart, 1 + n), max_calls=10**6))
        return made[-1]

    host = Host(make, Limits(max_calls=10**6))
    with anyio.from_thread.start_blocking_portal() as portal:
        client = portal.call(lambda: _made(host))
        with portal.wrap_async_context_manager(client):

            def call(name: str, given: Any) -> Any:
                return portal.call(client.call_tool, name, given)

            call("list_alarms", {})
            yield Desk(made[0], call)


async def _made(host: Host) -> Client:
    return Client(mcp_server(host), mode="legacy", read_timeout_seconds=60)


def state(environment: Environment) -> tuple[Any, ...]:
    backend = environment.backend
    return (
        backend.state_hash(),
        backend.interval,
        backend.controls.model_dump_json(),
        len(environment.changes),
        len(backend.history),
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(calls, min_size=CALLS, max_size=CALLS))
def test_no_call_crashes_hangs_or_changes_state_on_error(
    desk: Desk, tried: list[tuple[str, Any]]
) -> None:
    for name, given_arguments in tried:
        before = state(desk.environment)
        result = desk.call(name, given_arguments)
        error = (result.structured_content or {}).get("error") if result.is_error else None
        assert result.is_error == (error is not None)
        if error:
            assert error["code"] in get_args(ErrorCode)
            assert error["message"]
        if error or TOOLS[name].read_only:
            assert state(desk.environment) == before
        else:
            assert desk.environment.backend.interval == before[1] + 1
    assert not desk.call("check_network_state", {}).is_error


HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "fuzz", "version": "1"},
}
GARBAGE = [
    b"",
    b"\x00\xff\xfe",
    b"[]",
    b"null",
    b"{",
    b"[" * 15_000,
    b'{"a":' * 3_000,
    b'"id"',
    b'{"jsonrpc":"2.0"}',
    b'{"jsonrpc":"1.0","id":5,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":null,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":{},"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":[]}',
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":7}}',
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"get_topology","arguments":[]}}',
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"list_ues",'
    b'"arguments":{"limit":1e999}}}',
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"list_ues",'
    b'"arguments":{"limit":' + b"9" * 6000 + b"}}}",
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"\\ud800","arguments":{}}}',
    b'{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}',
    b'{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"sixg://../x"}}',
    b'{"jsonrpc":"2.0","id":5,"method":"no/such"}',
    b'{"jsonrpc":"2.0","id":5,"method":"initialize","params":{}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}',
    b'{"jsonrpc":"2.0","id":7,"result":{}}',
    b'[{"jsonrpc":"2.0","id":5,"method":"ping"}]',
    b'{"jsonrpc":"2.0","id":5,"method":"ping","x":"' + b"y" * 30_000 + b'"}',
    b"y" * 200_000,
]


def request(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode()


def test_garbage_on_stdio_leaves_the_episode_as_it_was(stdio_command: list[str]) -> None:
    with subprocess.Popen(
        stdio_command,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin
        assert process.stdout

        def answered(number: int, method: str, **params: Any) -> Any:
            process.stdin.write(request(number, method, **params) + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if message.get("id") == number:
                    return message["result"]
            return pytest.fail("the server has ended")

        answered(100, "initialize", **HELLO)
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        look = {"name": "check_network_state", "arguments": {}}
        before = answered(101, "tools/call", **look)
        assert before["structuredContent"]["interval"] == 2
        for garbage in GARBAGE:
            process.stdin.write(garbage + b"\n")
        assert answered(102, "tools/call", **look) == before
        process.stdin.close()
        assert process.wait(30) == 0


def test_garbage_over_http_is_refused_and_leaves_the_episode_as_it_was(http_server: Any) -> None:
    headers = {
        "Authorization": f"Bearer {http_server.token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }

    def structured(answer: Any) -> Any:
        (line,) = [x for x in answer.text.splitlines() if x.startswith("data: {")]
        return json.loads(line.removeprefix("data: "))["result"]["structuredContent"]

    with httpx2.Client(headers=headers, timeout=30) as http:
        opened = http.post(http_server.url, content=request(1, "initialize", **HELLO))
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        look = request(2, "tools/call", name="check_network_state", arguments={})
        before = structured(http.post(http_server.url, content=look, headers=session))
        assert before["interval"] == 2
        for more in (
            {**session, "MCP-Protocol-Version": "2025-11-25"},
            {"MCP-Protocol-Version": "2026-07-28"},
            {"MCP-Protocol-Version": "\x7f"},
        ):
            for garbage in GARBAGE:
                answer = http.post(http_server.url, content=garbage, headers=more)
                assert answer.status_code < 500
        for path in ("/", "/mcp/../etc/passwd", "/mcp/%2e%2e/x"):
            assert http.get(http_server.url.removesuffix("/mcp") + path).status_code == 404
        after = structured(http.post(http_server.url, content=look, headers=session))
        assert after == before
        http.delete(http_server.url, headers=session)
        assert http.post(http_server.url, content=look, headers=session).status_code == 404


def test_a_protocol_version_without_sessions_is_sent_to_one_that_has_them(
    http_server: Any,
) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    answer = httpx2.post(
        http_server.url,
        content=request(1, "tools/call", name="list_alarms", arguments={}, _meta=meta),
        headers={
            "Authorization": f"Bearer {http_server.token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": "list_alarms",
        },
    )
    error = answer.json()["error"]
    assert "session" in error["message"]
    assert "2025-11-25" in error["data"]["supported"]
