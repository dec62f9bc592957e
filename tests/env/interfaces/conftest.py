# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

TOKEN = "a-token-that-nobody-guesses"
CODE = """
import json, sys
from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.interfaces.hosting import Limits
from env.interfaces.mcp_server import serve_mcp
from env.interfaces.mcp_transport import read_token
from ns3_scenarios.library import load_scenario

quickstart = load_scenario("quickstart")
options = json.loads(sys.argv[1])
serve_mcp(
    lambda n: Environment(Ns3Backend(quickstart, 1 + n)),
    limits=Limits(**options.pop("limits")),
    token=read_token(),
    **options,
)
"""


@dataclass(frozen=True)
class HttpServer:
    """An MCP server on live NS-3 in a process of its own."""

    url: str
    token: str
    max_message_bytes: int
    max_sessions: int


def command(limits: dict[str, Any], **options: Any) -> list[str]:
    return [sys.executable, "-c", CODE, json.dumps({"limits": limits, **options})]


@pytest.fixture(scope="session")
def stdio_command() -> list[str]:
    """Starts an MCP server over stdio on live NS-3."""
    return command({"max_message_bytes": 20_000}, intent="Keep every slice within its SLA.")


@pytest.fixture(scope="session")
def http_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    limits = {"max_message_bytes": 20_000, "max_sessions": 2, "max_calls": 500}
    said = tmp_path_factory.mktemp("mcp") / "stderr"
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            command(limits, http=True, port=0),
            env={**os.environ, "SIXG_MCP_TOKEN": TOKEN},
            stderr=stderr,
        ) as process,
    ):
        try:
            while not (url := re.search(r"http://127\.0\.0\.1:\d+/mcp", said.read_text())):
                assert process.poll() is None, said.read_text()
                time.sleep(0.05)
            yield HttpServer(url[0], TOKEN, limits["max_message_bytes"], limits["max_sessions"])
        finally:
            process.terminate()
