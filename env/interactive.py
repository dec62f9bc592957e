# SPDX-License-Identifier: Apache-2.0
"""An episode that a person plays in a terminal: `play`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from env.dashboard import dashboard
from env.environment import Answer
from env.errors import BackendError, EnvUserError, ToolError
from env.kpis import Kpis
from env.narrating import settings_told, told
from env.playing import Begun, Played
from env.prompt import Prompt
from env.tools import TOOLS
from env.tools.base import Tool, bounds
from env.tools.configuration.rollback import standing_changes
from env.typed_calls import completions, parse_arguments
from env.view import Scope, View

AGENT = "human"
MOST_INTERVALS = 1000
"""Of one `wait`."""
AT_ONCE = 5
"""Intervals that pass before an interrupt is looked for."""
MOST_NAMES = 12
"""That a refusal lists."""


def play(begun: Begun, console: Console) -> Played:
    """Let a person play an episode, by lines of standard input until their end.

    Args:
        begun: the episode, which is ended and closed.
        console: where all is shown.
    """
    with begun.environment:
        session = _Session(begun, console)
        try:
            session.run()
        except BackendError as error:
            return begun.end(str(error))
        return begun.end()


class _Command(NamedTuple):
    run: Callable[[str], None]
    usage: str
    text: str


class _Session:
    """One episode and the lines typed in it."""

    def __init__(self, begun: Begun, console: Console) -> None:
        self.environment, self.attempt = begun.environment, begun.attempt
        self.console = console
        self.scope = self.attempt.task.scope if self.attempt else Scope()
        self.shown: Kpis | None = None
        """KPIs of the map that was printed last."""
        self.is_left = False
        self.was_over = ""
        self.commands = {
            "tools": _Command(self.tools, "tools", "list the tools"),
            "help": _Command(self.help, "help [TOOL]", "say what can be typed, or all of a tool"),
            "wait": _Command(self.wait, "wait [N]", "let N reporting intervals pass"),
            "map": _Command(self.map, "map", "show the network as it is"),
            "png": _Command(self.png, "png FILE", "write the map as a picture"),
            "undo": _Command(self.undo, "undo", "roll the last change back"),
            "log": _Command(self.log, "log", "list all calls so far"),
            "quit": _Command(self.quit, "quit", "end and keep the episode, as Ctrl-D does"),
        }
        self.prompt = Prompt(lambda line: completions(line, self.view, tuple(self.commands)))

    @property
    def view(self) -> View:
        return self.environment.view(self.scope)

    def run(self) -> None:
        """Do what lines say until they end."""
        if self.attempt:
            self.say(self.attempt.task.intent, "bold")
        self.say("`help` says what can be typed.")
        self.map("")
        name = self.environment.backend.scenario.name
        with self.prompt:
            while not self.is_left:
                prompt = f"{name}[{self.environment.backend.interval}]> "
                line = self.prompt.read(prompt)
                if line is None:
                    return
                if not self.prompt.is_terminal:
                    self.say(f"{prompt}{line}")
                try:
                    self.do(line)
                except (EnvUserError, ToolError) as error:
                    self.refuse(error)
                if self.prompt.interrupted and not self.prompt.is_terminal:
                    return

    def do(self, line: str) -> None:
        """Do what a line says."""
        name, *rest = line.split(maxsplit=1)[:2] or [""]
        text = rest[0].strip() if rest else ""
        if not name:
            return
        if name in self.commands:
            if text and self.commands[name].usage == name:
                raise EnvUserError(f"{name} stands alone, without {text!r}")
            self.commands[name].run(text)
            return
        tool = self.tool(name)
        self.call(name, parse_arguments(tool, text))

    def tool(self, name: str) -> Tool:
        """A tool that may be called."""
        mine = [n for n in TOOLS if self.scope.has_tool(n)]
        if name in mine:
            return TOOLS[name]
        if name in TOOLS:
            raise EnvUserError(f"the task does not allow {name}; it allows {', '.join(mine)}")
        close = difflib.get_close_matches(name, [*self.commands, *mine], n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "`tools` lists them"
        raise EnvUserError(f"there is no tool or command {name[:80]!r}; {hint}")

    def call(self, name: str, arguments: dict[str, Any]) -> None:
        """Call a tool and show its answer; after a change, the network."""
        self.check_going_on()
        answer = self.environment.call(name, arguments, agent=AGENT, scope=self.scope)
        if not answer.ok:
            self.say(_sentence(answer.content), "red")
        elif TOOLS[name].read_only:
            said = yaml.safe_dump(
                answer.content, sort_keys=False, default_flow_style=None, allow_unicode=True
            )
            self.say(said.rstrip())
        else:
            self.show_change(answer)
        self.tell_end()

    def show_change(self, answer: Answer) -> None:
        """What a change has set, and the network after it."""
        self.map("")
        content = answer.content
        self.say(f"{content['change_id']}: {settings_told(content)}", "bold")

    def check_going_on(self) -> None:
        """Refuse what takes time or calls when the episode is over."""
        if self.environment.over:
            raise EnvUserError(f"the episode is over: {self.environment.over}; `quit` keeps it")

    def tell_end(self) -> None:
        """Say once that the episode is over."""
        if self.environment.over and not self.was_over:
            self.was_over = self.environment.over
            succeeded = self.attempt is not None and self.attempt.status == "success"
            self.say(f"{self.was_over}; `quit` keeps the episode",
                     "bold green" if succeeded else "bold red")  # fmt: skip

    def tools(self, _: str) -> None:
        table = Table(box=None, pad_edge=False)
        for column in ("tool", "effect", "what it does"):
            table.add_column(column)
        for one in TOOLS.values():
            if self.scope.has_tool(one.name):
                table.add_row(one.name, one.effect, one.description.splitlines()[0])
        self.console.print(table)

    def help(self, text: str) -> None:
        if text and text not in self.commands:
            self.describe(self.tool(text))
            return
        for name, command in self.commands.items():
            if text in ("", name):
                self.say(f"{command.usage:12} {command.text}")
        if not text:
            self.say(
                "Or call a tool: NAME ARGUMENT=VALUE ..., or NAME {JSON}; the tab key completes "
                "names of tools, arguments and elements."
            )

    def describe(self, tool: Tool) -> None:
        """All about one tool."""
        required = tool.schema.get("required", ())
        usage = " ".join([tool.name, *(f"{name}=..." for name in required)])
        self.say(f"{usage}  ({tool.effect})", "bold")
        self.say(tool.description)
        table = Table(box=None, pad_edge=False)
        for column in ("argument", "allowed", "default", "meaning"):
            table.add_column(column)
        for name, schema in tool.schema["properties"].items():
            allowed = bounds(tool.schema, (name,))
            words = allowed if isinstance(allowed, str) else ", ".join(allowed)
            default = schema.get("default")
            given = "required" if name in required else "–" if default is None else str(default)
            cells = (name, words, given, schema.get("description", ""))
            table.add_row(*(Text(cell) for cell in cells))
        if table.rows:
            self.console.print(table)

    def wait(self, text: str) -> None:
        try:
            n = int(text or 1)
        except ValueError:
            n = 0
        if not 1 <= n <= MOST_INTERVALS:
            raise EnvUserError(
                f"wait {text[:80]} is not allowed; N is a whole number from 1 to {MOST_INTERVALS}"
            )
        self.check_going_on()
        backend = self.environment.backend
        first, last = backend.interval, backend.interval + n
        while backend.interval < last and not (self.environment.over or self.prompt.interrupted):
            self.environment.run_on(min(AT_ONCE, last - backend.interval))
        self.map("")
        if backend.interval < last:
            self.say(f"{backend.interval - first} of {n} intervals have passed")
        self.tell_end()

    def map(self, _: str) -> None:
        view = self.view
        width = self.console.width
        shown = dashboard(view, width, before=self.shown, attempt=self.attempt)
        self.console.print(shown)
        self.shown = view.now

    def png(self, text: str) -> None:
        from env.drawing import draw

        if not text:
            raise EnvUserError("png needs the name of a file")
        try:
            draw(self.view).savefig(text, format="png")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise EnvUserError(f"cannot write {text}: {why}") from None
        self.say(f"written to {text}")

    def undo(self, _: str) -> None:
        standing = standing_changes(self.environment.changes)
        if not standing:
            raise EnvUserError("there is no change to undo")
        self.tool("rollback_change")
        self.call("rollback_change", {"change_id": standing[-1].change_id})

    def log(self, _: str) -> None:
        if not self.environment.events:
            self.say("nothing was called yet")
        for number, event in enumerate(self.environment.events):
            answer = event.answer
            line = told(event.tool, event.arguments, answer.ok, answer.content, answer.interval)
            self.say(f"{number:3} {line}")

    def quit(self, _: str) -> None:
        self.is_left = True

    def refuse(self, error: Exception) -> None:
        """Say in a sentence why a line is not done."""
        self.say(_sentence(error.answer()) if isinstance(error, ToolError) else str(error), "red")

    def say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False, soft_wrap=True)


def _sentence(refusal: dict[str, Any]) -> str:
    """Why a call is refused and what is allowed, in one sentence."""
    message, allowed = str(refusal["message"]), refusal.get("allowed", "")
    if isinstance(allowed, list):
        more = len(allowed) - MOST_NAMES
        names = ", ".join(allowed[:MOST_NAMES])
        allowed = f"{names} and {more} more" if more > 0 else names
    return f"{message} (allowed: {allowed})" if allowed else message
