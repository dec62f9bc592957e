# SPDX-License-Identifier: Apache-2.0
"""Real clients play episodes on live NS-3 against servers in processes of their own."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from env.tools import TOOLS

POWER = {"cell": "c0", "tx_power_dbm": 30.0}


@asynccontextmanager
async def over_http(server: Any) -> AsyncIterator[Any]:
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(server.url, http_client=http)
        async with Client(transport) as client:
            yield client


async def play(client: Client) -> None:
    """An episode from the first look to the end."""
    listed = (await client.list_tools()).tools
    assert {t.name: t.input_schema for t in listed} == {t.name: t.schema for t in TOOLS.values()}
    seen = await client.call_tool("check_network_state", {})
    assert not seen.is_error
    assert seen.structured_content["interval"] == 2

    changed = await client.call_tool("set_cell_tx_power", POWER)
    assert changed.structured_content["settings"] == [
        {"path": "cells.c0.tx_power_dbm", "before": 38.0, "after": 30.0}
    ]
    assert changed.structured_content["interval"] == 3

    refused = await client.call_tool("set_cell_tx_power", {**POWER, "tx_power_dbm": 61})
    assert refused.is_error
    assert refused.structured_content["error"]["argument"] == "tx_power_dbm"
    assert "60" in refused.structured_content["error"]["allowed"]

    kpis = await client.read_resource("sixg://kpis")
    assert '"interval":2' in kpis.contents[0].text  # the third one; the refused call took none

    undone = await client.call_tool("rollback_change", {"change_id": "c1"})
    assert undone.structured_content["settings"][0]["after"] == 38.0
    assert undone.structured_content["interval"] == 4


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_over_stdio_plays_an_episode(stdio_command: list[str], mode: str) -> None:
    async def main() -> None:
        server = StdioServerParameters(
            command=stdio_command[0], args=stdio_command[1:], env=dict(os.environ)
        )
        async with Client(server, mode=mode) as client:
            await play(client)
            task = await client.read_resource("sixg://task")
            assert task.contents[0].text == '{"intent":"Keep every slice within its SLA."}'
            with pytest.raises(MCPError, match="no more than 20000 bytes"):
                await client.call_tool("get_cell_config", {"cell": "c" * 30_000})
            after = await client.call_tool("get_cell_config", {"cell": "c0"})
            assert not after.is_error

    anyio.run(main)


def test_two_clients_over_http_play_episodes_of_their_own(http_server: Any) -> None:
    async def main() -> None:
        async with over_http(http_server) as first, over_http(http_server) as second:
            await first.call_tool("set_cell_tx_power", {"cell": "c0", "tx_power_dbm": 20.0})
            await play(second)
            found = await first.call_tool("get_cell_config", {"cell": "c0"})
            values = {c["path"]: c["value"] for c in found.structured_content["controls"]}
            assert values["cells.c0.tx_power_dbm"] == 20.0

    anyio.run(main)


def test_no_more_sessions_than_allowed_and_one_that_ends_makes_room(http_server: Any) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "third", "version": "1"},
        },
    }

    async def main() -> None:
        async with over_http(http_server) as first, over_http(http_server):
            assert not (await first.call_tool("list_alarms", {})).is_error
            refused = await anyio.to_thread.run_sync(post, http_server, json.dumps(hello).encode())
            assert refused.status_code == 503
            assert "Too many open sessions" in refused.text
        async with over_http(http_server) as again:
            assert not (await again.call_tool("list_alarms", {})).is_error

    anyio.run(main)


@pytest.mark.parametrize("header", [None, "Bearer wrong-token-of-some-length", "Basic YTpi", "é"])
def test_without_the_right_token_there_is_no_server(http_server: Any, header: str | None) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if header:
        headers["Authorization"] = header
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    answer = httpx2.post(
        http_server.url,
        json=hello,
        headers={k: v.encode() for k, v in headers.items()},
    )
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]


def post(server: Any, content: bytes, **headers: str) -> Any:
    return httpx2.post(
        server.url,
        content=content,
        headers={
            "Authorization": f"Bearer {server.token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **headers,
        },
    )


def test_a_message_that_is_too_long_is_refused(http_server: Any) -> None:
    assert post(http_server, b" " * (http_server.max_message_bytes + 1)).status_code == 413


def test_a_web_page_of_elsewhere_cannot_reach_the_server(http_server: Any) -> None:
    assert post(http_server, b"{}", Host="evil.example").status_code == 421
    assert post(http_server, b"{}", Origin="http://evil.example").status_code == 403
