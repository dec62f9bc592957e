# SPDX-License-Identifier: Apache-2.0
"""Lines that a person types, or that another program writes: `Prompt`."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

try:
    import readline
except ImportError:  # a Python without it reads lines, but completes none
    readline = None  # type: ignore[assignment]

Complete = Callable[[str], list[str]]


class Prompt:
    """Reads lines, with completion where there is a terminal.

    As long as it is open, an interrupt from the keyboard ends a line that is being typed and
    nothing else; `interrupted` tells of one that came while no line was.

    Args:
        complete: what may stand in place of the last word of a line.
    """

    def __init__(self, complete: Complete) -> None:
        self.is_terminal = sys.stdin.isatty()
        self.interrupted = False
        self._complete = complete
        self._is_reading = False
        self._found: list[str] = []

    def __enter__(self) -> Self:
        self._handler = signal.signal(signal.SIGINT, self._on_interrupt)
        if self.is_terminal and readline:
            self._completer = readline.get_completer(), readline.get_completer_delims()
            readline.set_completer(self._completion)
            readline.set_completer_delims(" \t")
            is_editline = "libedit" in (readline.__doc__ or "")
            readline.parse_and_bind("bind ^I rl_complete" if is_editline else "tab: complete")
        elif isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_terminal and readline:
            completer, delimiters = self._completer
            readline.set_completer(completer)
            readline.set_completer_delims(delimiters)
        signal.signal(signal.SIGINT, self._handler)

    def read(self, prompt: str) -> str | None:
        """The next line, without its end; empty where it was interrupted, None after the last."""
        self.interrupted = False
        try:
            self._is_reading = True
            try:
                if self.is_terminal:
                    return input(prompt)
                line = sys.stdin.readline()
            finally:
                self._is_reading = False
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            print()
            return "" if self.is_terminal else None
        return line.rstrip("\r\n") if line else None

    def _on_interrupt(self, number: int, frame: FrameType | None) -> Any:
        if self._is_reading:
            raise KeyboardInterrupt
        self.interrupted = True

    def _completion(self, word: str, number: int) -> str | None:
        if number == 0:
            self._found = self._complete(readline.get_line_buffer()[: readline.get_endidx()])
        return self._found[number] if number < len(self._found) else None
