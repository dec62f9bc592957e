# SPDX-License-Identifier: GPL-2.0-only
"""What a child of the worker does: one run to its end, or a live simulation order by order."""

from __future__ import annotations

import os
import socket
import traceback
from typing import Any

from ns3_scenarios.errors import UserError, WorkerGoneError, WorkerTimeoutError
from ns3_scenarios.worker import protocol
from ns3_scenarios.worker.inside import forking
from ns3_scenarios.worker.inside.running import SteppedSimulation, Tables, encode, run

SEND_TIMEOUT_S = 300.0
"""A client that reads nothing for so long is not coming back."""


class Answering:
    """Serves one client over the child's own connection."""

    def __init__(self, sock: socket.socket, births: forking.Births, worker: int) -> None:
        self._sock = sock
        self._births = births
        self._worker = worker
        self._latest: tuple[dict[str, int], bytes] = {}, b""
        """The tables of the last interval, encoded."""

    def answer(self, request: dict[str, Any]) -> None:
        """Simulate what is requested until the client has it all, or has gone."""
        try:
            if request["kind"] == "run":
                self._send({"kind": "done", **run(request, self._report)})
            else:
                forking.limit_memory(request["max_memory_mb"])
                self._serve(SteppedSimulation(request), request["idle_timeout_s"])
        except WorkerGoneError:
            return  # the client has lost interest
        except MemoryError as error:
            forking.lift_memory_limit()
            self._send_error("memory", error)
        except Exception as error:
            self._send_error("user" if isinstance(error, UserError) else "bug", error)

    def _serve(self, simulation: SteppedSimulation, idle_timeout_s: float) -> None:
        """Obey until nobody gives orders any more."""
        self._send({"kind": "ready"})
        while True:
            try:
                order = protocol.receive(self._sock, timeout_s=idle_timeout_s, max_fds=2)
            except WorkerTimeoutError:
                self._send({"kind": "idle"})
                return
            try:
                match order.kind:
                    case "observe":
                        self._observe(simulation)
                    case "branch":
                        self._branch(order)
                    case _:
                        for tables in simulation.obey(order.header):
                            self._report(simulation.intervals - 1, 0, tables)
                        if order.kind != "advance":
                            self._send({"kind": "done"})
            except UserError as error:  # nothing has changed
                self._send_error("user", error)

    def _observe(self, simulation: SteppedSimulation) -> None:
        sizes, payload = self._latest
        header = {
            "kind": "observation",
            "intervals": simulation.intervals,
            "controls": simulation.controls.model_dump(mode="json"),
            "tables": sizes,
        }
        self._send(header, payload)

    def _branch(self, order: protocol.Message) -> None:
        connection, stderr = order.fds
        try:
            in_branch = forking.branch(self._births, order.header["child"], self._worker)
            if in_branch:
                self._sock.close()
                self._sock = socket.socket(fileno=os.dup(connection))
                forking.write_to(stderr)
        except OSError as error:
            raise UserError(
                f"the simulation cannot be branched: {error.strerror}; close others first"
            ) from None
        finally:
            os.close(connection)
            os.close(stderr)
        self._send({"kind": "ready"} if in_branch else {"kind": "branched"})

    def _report(self, interval: int, intervals: int, tables: Tables) -> None:
        self._latest = sizes, payload = encode(tables)
        header = {"kind": "interval", "interval": interval, "intervals": intervals}
        self._send({**header, "tables": sizes}, payload)

    def _send_error(self, type_: str, error: Exception) -> None:
        header = {
            "kind": "error",
            "type": type_,
            "name": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }
        self._send(header)

    def _send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        protocol.send(self._sock, header, payload, timeout_s=SEND_TIMEOUT_S)
