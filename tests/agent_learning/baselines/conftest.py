# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

SERVER = Path(__file__).parent / "scripted_endpoint.py"
KEY = "sk-a-secret-of-the-tests"


class Endpoint(NamedTuple):
    """A scripted server, as an agent's name says where it is."""

    url: str
    agent: str
    log: Path

    @property
    def requests(self) -> list[dict[str, Any]]:
        """All it got so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def messages(self) -> list[list[dict[str, Any]]]:
        """Messages of each request."""
        return [request["body"]["messages"] for request in self.requests]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Endpoint]]:
    """Starts a server of a script in a process of its own; settings are those of the model."""
    monkeypatch.setenv("SIXG_TEST_KEY", KEY)
    running = []

    def start(script: list[dict[str, Any]], **settings: Any) -> Endpoint:
        file, log = tmp_path / f"script{len(running)}.json", tmp_path / f"log{len(running)}.jsonl"
        file.write_text(json.dumps(script))
        process = subprocess.Popen(
            [sys.executable, "-I", str(SERVER), str(file), str(log)],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        known = {"model": "scripted", "url": url, "key_env": "SIXG_TEST_KEY", "retries": 2}
        settings_file = tmp_path / f"model{len(running)}.yaml"
        settings_file.write_text(yaml.safe_dump(known | settings))
        return Endpoint(url, f"openai:{settings_file}", log)

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
