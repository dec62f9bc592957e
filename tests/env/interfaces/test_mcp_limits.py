# SPDX-License-Identifier: Apache-2.0
"""What clients may take of an MCP server, and what it tells them; over the protocol, in memory."""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from mcp import Client

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.errors import EnvUserError
from env.interfaces.hosting import Host, Limits
from env.interfaces.mcp_server import mcp_server, serve_mcp
from env.interfaces.mcp_transport import check_address, read_token
from env.interfaces.resources import RESOURCES
from env.tools import TOOLS
from env.view import Scope
from ns3_scenarios.library import load_scenario
from ns3_scenarios.simulate import shared_worker

POWER = {"cell": "c0", "tx_power_dbm": 30.0}


class Slow(Ns3Backend):
    """Live NS-3 that takes its time."""

    wait_s = 0.0

    def advance(self, n: int = 1) -> None:
        time.sleep(self.wait_s)
        super().advance(n)


@pytest.fixture
def start() -> Callable[[int], Environment]:
    quickstart = load_scenario("quickstart")
    return lambda n: Environment(Slow(quickstart, 1 + n))


def talk(
    host: Host,
    *conversations: Callable[[Client], Awaitable[Any]],
    mode: str = "legacy",
    **options: Any,
) -> list[Any]:
    """What comes of conversations with one server, one client after the other."""

    async def main() -> list[Any]:
        found = []
        for each in conversations:
            async with Client(mcp_server(host, **options), mode=mode) as client:
                found.append(await each(client))
        return found

    return anyio.run(main)


async def called(client: Client, name: str = "list_alarms", arguments: Any = None) -> Any:
    return await client.call_tool(name, arguments or {})


def code(result: Any) -> str:
    assert result.is_error
    return str(result.structured_content["error"]["code"])


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_tools_are_listed_with_their_schemas_and_effects(mode: str) -> None:
    async def listed(client: Client) -> Any:
        return (await client.list_tools()).tools

    (tools,) = talk(Host(lambda _: pytest.fail("listing starts no episode")), listed, mode=mode)
    assert [t.name for t in tools] == list(TOOLS)
    for found in tools:
        tool = TOOLS[found.name]
        assert found.input_schema == tool.schema
        assert found.description == tool.description
        assert found.meta == {"effect": tool.effect}
        assert found.annotations
        assert found.annotations.model_dump(by_alias=True, exclude_none=True) == {
            "readOnlyHint": tool.effect != "configuration",
            "destructiveHint": tool.effect == "configuration",
            "idempotentHint": tool.effect != "configuration",
            "openWorldHint": False,
        }


def test_scope_holds_for_the_list_and_for_calls(start: Any) -> None:
    async def tries(client: Client) -> Any:
        names = [t.name for t in (await client.list_tools()).tools]
        return names, await called(client, "set_cell_tx_power", POWER)

    ((names, result),) = talk(Host(start), tries, scope=Scope(tools=frozenset({"list_alarms"})))
    assert names == ["list_alarms"]
    assert code(result) == "unknown_tool"


def test_resources_show_the_last_interval(live: Environment) -> None:
    live.call("set_cell_tx_power", POWER)
    before = live.backend.state_hash()
    found = {uri: content(live.view()) for uri, (_, _, content) in RESOURCES.items()}
    assert found["sixg://topology"] == live.call("get_topology", {"scope": "all"}).content
    kpis = found["sixg://kpis"]
    assert kpis["interval"] == live.backend.history[-1].interval
    rows = live.backend.history[-1].rows("cell")
    assert kpis["tables"]["cell"]["tx_power_dbm"] == [row["tx_power_dbm"] for row in rows]
    assert live.backend.state_hash() == before
    hidden = RESOURCES["sixg://kpis"][2](live.view(Scope(elements=frozenset({"c0"}))))
    assert hidden["tables"] == {}


def test_an_episode_takes_so_many_calls(start: Any) -> None:
    async def three(client: Client) -> Any:
        return [await called(client) for _ in range(3)]

    ((first, second, third),) = talk(Host(start, Limits(max_calls=2)), three)
    assert not first.is_error
    assert not second.is_error
    assert code(third) == "episode_over"
    assert "2 calls" in third.structured_content["error"]["message"]


def test_a_server_plays_so_many_episodes_each_with_its_own_number(start: Any) -> None:
    ended: list[Environment] = []
    host = Host(start, Limits(max_episodes=2), ended.append)
    first, second, third = talk(host, called, called, called)
    assert (first.is_error, second.is_error) == (False, False)
    assert code(third) == "limit"
    assert "2 episodes" in third.structured_content["error"]["message"]
    assert [each.backend.seed for each in ended] == [1, 2]


def test_episodes_at_a_time_are_counted_until_the_network_is_closed(start: Any) -> None:
    host = Host(start, Limits(max_sessions=1))

    async def second_at_the_same_time(client: Client) -> Any:
        await called(client)
        async with Client(mcp_server(host), mode="legacy") as other:
            return await called(other)

    (result,) = talk(host, second_at_the_same_time)
    assert code(result) == "limit"
    assert not talk(host, called)[0].is_error


def test_a_call_that_takes_too_long_ends_the_episode(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Environment] = []
    host = Host(start, on_end=ended.append)

    async def slow(client: Client) -> Any:
        await called(client)
        monkeypatch.setattr(Slow, "wait_s", 1.5)
        host.limits = Limits(call_s=0.5)
        began = time.monotonic()
        late = await called(client, "set_cell_tx_power", POWER)
        took = time.monotonic() - began
        return late, took, await called(client)

    ((late, took, after),) = talk(host, slow)
    assert code(late) == "limit"
    assert "0.5 s" in late.structured_content["error"]["message"]
    assert took < 1.4
    assert code(after) == "episode_over"
    deadline = time.monotonic() + 10
    while host.sessions and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not host.sessions
    with pytest.raises(Exception, match="closed"):
        ended[0].backend.advance()


def test_an_episode_without_calls_ends(start: Any) -> None:
    host = Host(start, Limits(idle_s=0.4))

    async def waits(client: Client) -> Any:
        first = await called(client)
        await anyio.sleep(0.8)
        return first, await called(client)

    ((first, later),) = talk(host, waits)
    assert not first.is_error
    assert code(later) == "episode_over"
    assert "0.4 s" in later.structured_content["error"]["message"]


def test_a_network_that_dies_is_not_the_agents_fault() -> None:
    scenario = load_scenario("quickstart")
    ended: list[Environment] = []
    host = Host(lambda n: Environment(Ns3Backend(scenario, n)), on_end=ended.append)

    async def outlives(client: Client) -> Any:
        await called(client)
        worker = psutil.Process(shared_worker().start().pid)
        max(worker.children(recursive=True), key=psutil.Process.create_time).kill()
        return await called(client, "set_cell_tx_power", POWER), await called(client)

    ((failed, after),) = talk(host, outlives)
    assert code(failed) == "backend_failed"
    assert code(after) == "episode_over"


def test_a_network_that_does_not_start_is_told_and_makes_room() -> None:
    def broken(_: int) -> Environment:
        raise EnvUserError("there is no such network")

    host = Host(broken, Limits(max_sessions=1))
    first, second = talk(host, called, called)
    assert code(first) == code(second) == "backend_failed"
    assert "there is no such network" in second.structured_content["error"]["message"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_the_world_needs_a_token(host: str) -> None:
    with pytest.raises(EnvUserError, match=r"needs a token.*127\.0\.0\.1, localhost, ::1"):
        serve_mcp(lambda _: pytest.fail("nothing is started"), http=True, host=host, port=0)
    check_address(host, "a-token-of-enough-length")


@pytest.mark.parametrize("token", ["short", "not ascii but long énough"])
def test_a_weak_token_is_refused(token: str) -> None:
    with pytest.raises(EnvUserError, match="16 or more"):
        serve_mcp(lambda _: pytest.fail("nothing is started"), http=True, token=token)


def test_the_token_comes_from_a_file_or_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANY_NAME", " secret-of-the-variable\n")
    assert read_token("ANY_NAME") == "secret-of-the-variable"
    assert read_token("NO_SUCH_NAME") == ""
    file = tmp_path / "token"
    file.write_text("secret-of-the-file\n")
    assert read_token("ANY_NAME", file) == "secret-of-the-file"
    file.write_text("\n")
    with pytest.raises(EnvUserError, match="is empty"):
        read_token("ANY_NAME", file)
    with pytest.raises(EnvUserError, match="cannot be read"):
        read_token("ANY_NAME", tmp_path / "none")


def test_a_taken_port_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvUserError, match=f"cannot listen at host='127.0.0.1', port={port}"):
            serve_mcp(lambda _: pytest.fail("nothing is started"), http=True, port=port)


@pytest.mark.parametrize("name", ["max_episodes", "max_calls", "call_s", "idle_s"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_is_none_is_refused(name: str, value: float) -> None:
    with pytest.raises(EnvUserError, match=f"{name}=.* more than 0 and finite"):
        Limits(**{name: value})
