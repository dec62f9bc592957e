# SPDX-License-Identifier: Apache-2.0
"""`sixg play` as a person and a script meet it: real processes, at a pipe and at a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from env.episodes import Log, read_log

COMMAND = [sys.executable, str(Path(__file__).resolve().parents[2] / "sixg.py")]
SESSION = """\
help
help set_cell_tx_power
set_cell_tx_power cell=c0 tx_power_dbm=30

get_cell_config {"cell": "c1"}
set_cell_tx_power cell=c0 tx_power_dbm=300
set_cell_tx_power cell=c0 tx_power_dbm="loud"
set_cell_tx_power c0 30
set_cell_tx_power cell="c0
set_cell_tx_power cell=c0 cell=c1
set_cell_tx_power {"cell": "c0",
set_cell_powr cell=c0
get_cell_config cell=c9
wait x
wait 0
map now
png
png /nowhere/map.png
undo
undo
wait 2
png map.png
graceful_degradation slice=embb level=none
check_network_state
wait
log
quit
tools
"""
CONTROL_C, CONTROL_D = "\x03", "\x04"


def play(*arguments: object, typed: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "play", *map(str, arguments), "--out", str(at / "episodes")],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=at,
        env={**os.environ, "COLUMNS": "100"},
    )


def episode(at: Path) -> Log:
    (folder,) = (at / "episodes").iterdir()
    return read_log(folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """Where a session was, and what it said to each of its lines; the same line again is added."""
    at = tmp_path_factory.mktemp("played")
    ended = play("end_degradation", typed=SESSION, at=at)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    said: dict[str, list[str]] = {"": []}
    line = ""
    for text in ended.stdout.splitlines():
        if match := re.match(r"quickstart\[\d+\]> (.*)", text):
            line = match[1]
            said.setdefault(line, [])
        else:
            said[line].append(text)
    return at, said


def test_session_reaches_the_goal_and_is_kept(played: tuple[Path, dict[str, list[str]]]) -> None:
    at, said = played
    log = episode(at)
    assert log.ending is not None
    assert (log.ending.outcome, log.ending.reason) == ("success", "the goal is reached")
    assert log.header.agent == "human"
    assert [(c.tool, c.ok) for c in log.calls] == [
        ("set_cell_tx_power", True),
        ("get_cell_config", True),
        ("get_cell_config", False),
        ("rollback_change", True),
        ("", True),
        ("graceful_degradation", True),
    ]
    assert log.calls[4].arguments == {"intervals": 2}
    assert said["quit"][-1].startswith("success: the goal is reached; 5 calls, 3 changes")
    assert "tools" not in said


def test_kept_episode_replays_alike(
    played: tuple[Path, dict[str, list[str]]], tmp_path: Path
) -> None:
    log = episode(played[0])
    again = subprocess.run(
        [*COMMAND, "episodes", "replay", str(log.path), "--out", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    other = read_log(json.loads(again.stdout)["path"])
    assert other.calls == log.calls
    assert other.ending == log.ending
    tables = [pq.read_table(each.path / "kpis" / "network.parquet") for each in (log, other)]
    assert tables[0].equals(tables[1])


def test_map_slices_alarms_and_goal_change(played: tuple[Path, dict[str, list[str]]]) -> None:
    _, said = played
    first = "\n".join(said[""])
    assert "Let the embb slice carry 25 Mbit/s" in first
    assert "✗ goal: network throughput_mbps of slice=embb over 3 intervals >= 25" in first
    assert "0 of 5 changes, 0 of 60 calls used" in first
    assert "active alarms: 0" in first
    after = said["set_cell_tx_power cell=c0 tx_power_dbm=30"]
    assert after[-1] == "c1: cells.c0.tx_power_dbm: 38.0 -> 30.0"
    assert "held 0 of 2 intervals; 1 of 5 changes, 1 of 60 calls used" in after[-2]
    shades = ("░", "▒", "▓")
    quiet, loud = (sum(line.count(s) for line in part for s in shades) for part in (after, [first]))
    assert quiet < loud  # the sector is drawn smaller with less power
    for name in ("c0", "c1", "c2"):
        assert re.search(rf" {name} \d+% ", first)
    end = said["graceful_degradation slice=embb level=none"]
    assert any(re.match(r"embb\s+[\d.]+↑", line) for line in end)
    assert any("✓ goal" in line for line in end)
    assert end[-1] == "the goal is reached; `quit` keeps the episode"


def test_help_says_what_a_tool_takes(played: tuple[Path, dict[str, list[str]]]) -> None:
    _, said = played
    for command in ("tools", "help", "wait", "map", "png", "undo", "log", "quit"):
        assert any(line.startswith(command) for line in said["help"])
    text = " ".join(" ".join(said["help set_cell_tx_power"]).split())
    assert "set_cell_tx_power cell=... tx_power_dbm=... (configuration)" in text
    assert "number, at least -30 and at" in text
    assert "required" in text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("set_cell_tx_power cell=c0 tx_power_dbm=300", "at least -30 and at most 60"),
        ('set_cell_tx_power cell=c0 tx_power_dbm="loud"', "tx_power_dbm='loud': "),
        ("set_cell_tx_power c0 30", "'c0' is no argument; write cell=..., tx_power_dbm=..."),
        ('set_cell_tx_power cell="c0', 'cell="c0 is not JSON'),
        ("set_cell_tx_power cell=c0 cell=c1", "the argument 'cell' is given twice"),
        ('set_cell_tx_power {"cell": "c0",', "the arguments are not JSON"),
        ("set_cell_powr cell=c0", "did you mean set_cell_tx_power"),
        ("get_cell_config cell=c9", "no cell of this network"),
        ("wait x", "a whole number from 1 to 1000"),
        ("wait 0", "a whole number from 1 to 1000"),
        ("map now", "map stands alone"),
        ("png", "needs the name of a file"),
        ("png /nowhere/map.png", "cannot write /nowhere/map.png: No such file"),
        ("check_network_state", "the episode is over: the goal is reached"),
        ("wait", "the episode is over: the goal is reached"),
    ],
)
def test_wrong_input_gets_one_sentence(
    line: str, why: str, played: tuple[Path, dict[str, list[str]]]
) -> None:
    (sentence,) = played[1][line]
    assert why in sentence


def test_changes_are_undone_until_none_is_left(played: tuple[Path, dict[str, list[str]]]) -> None:
    undone = played[1]["undo"]
    assert undone[-2:] == ["c2: cells.c0.tx_power_dbm: 30.0 -> 38.0", "there is no change to undo"]


def test_log_and_picture(played: tuple[Path, dict[str, list[str]]]) -> None:
    at, said = played
    assert len(said["log"]) == len(episode(at).calls)
    assert "cells.c0.tx_power_dbm: 38.0 -> 30.0" in said["log"][0]
    assert (at / "map.png").read_bytes().startswith(b"\x89PNG")


def test_lists_failures_and_uavs(tmp_path: Path) -> None:
    typed = (
        'predict_kpis horizon=1 changes=[{"tool": "set_cell_sleep", "arguments": {"cell": "c1", '
        '"mode": "off"}}]\n'
        "set_cell_sleep cell=c1 mode=off\n"
        "request_handover ue=u3 target_cell=c2\nundo\n\udcff"
    )
    ended = subprocess.run(
        [*COMMAND, "play", "uav_corridor", "--out", str(tmp_path / "episodes")],
        input=typed.encode(errors="surrogateescape"),
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "COLUMNS": "180"},
    )
    said = ended.stdout.decode()
    assert ended.returncode == 0, ended.stderr
    assert " c1 off " in said
    assert "^ UAV" in said
    assert "lowest battery" in said
    assert "(request_handover) cannot be undone" in said
    assert "there is no tool or command '�'" in said
    calls = episode(tmp_path).calls
    assert calls[0].ok
    assert calls[0].arguments["changes"][0]["arguments"] == {"cell": "c1", "mode": "off"}
    assert episode(tmp_path).ending is not None


class Terminal:
    """`sixg play quickstart` at a terminal of its own."""

    def __init__(self, at: Path) -> None:
        command = [*COMMAND, "play", "quickstart", "--out", str(at / "episodes")]
        environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
        self.process, self.fd = pty.fork()
        if self.process == 0:
            os.execve(sys.executable, command, environment)
        self._said = ""

    def until(self, text: str, timeout_s: float = 60) -> str:
        """What is said until some text, which must come."""
        end_s = time.monotonic() + timeout_s
        while text not in self._said:
            left_s = end_s - time.monotonic()
            ready = left_s > 0 and select.select([self.fd], [], [], left_s)[0]
            assert ready, f"{text!r} did not come: {self._said}"
            self._said += os.read(self.fd, 65_536).decode(errors="replace")
        found, _, self._said = self._said.partition(text)
        return found

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def interrupt(self) -> None:
        """Type Ctrl-C, as a person does: not in the moment in which the last key is dealt with."""
        time.sleep(0.2)
        self.type(CONTROL_C)

    def status(self) -> int:
        """How it exits, all that it still says being read."""
        try:
            while os.read(self.fd, 65_536):
                pass
        except OSError:
            pass  # on Linux, the end of a terminal is an error
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.process = 0
        return status

    def close(self) -> None:
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def test_terminal_completes_and_survives_interrupts(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("quickstart[2]> ")
    terminal.type("set_cell_tx\t")
    terminal.until("set_cell_tx_power ")
    terminal.type("ce\tc1\ttx\t30")
    terminal.until("cell=c1 tx_power_dbm=30")
    terminal.interrupt()
    terminal.until("quickstart[2]> ")
    terminal.type("graceful_degradation slice=em\tlev\tess\t\r")
    terminal.until("slices.embb.degradation: none -> essential_only")
    terminal.until("quickstart[3]> ")
    terminal.type("wait 1000\r")
    terminal.interrupt()
    terminal.until("of 1000 intervals have passed")
    terminal.until("]> ")
    terminal.type('reroute_flow slice=embb path=["s\t')
    terminal.until('path=["s0"')
    terminal.interrupt()
    terminal.until("]> ")
    terminal.type(CONTROL_D)
    terminal.until("kept in")
    assert terminal.status() == 0
    log = episode(tmp_path)
    assert [c.tool for c in log.calls if c.tool] == ["graceful_degradation"]
    assert log.ending is not None
    assert log.ending.outcome == "ended"
    assert 3 <= log.ending.intervals < 1003
