# SPDX-License-Identifier: Apache-2.0
"""Inspect AI runs episodes on live NS-3; the model is one of Inspect that says what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from env.backends.ns3 import Ns3Backend
from env.environment import Environment
from env.tools import TOOLS
from ns3_scenarios.library import load_scenario

inspect_ai = pytest.importorskip("inspect_ai", reason="needs the extra `inspect`")

from inspect_ai import eval as inspect_eval  # noqa: E402
from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402

from env.interfaces.inspect_task import Record, inspect_task  # noqa: E402

ROW = {"intent": "Bring c0 down to 30 dBm.", "id": "power", "scenario": "quickstart", "seed": 3}
POWER = {"cell": "c0", "tx_power_dbm": 30}
made: list[Environment] = []


def make(row: Mapping[str, Any]) -> Environment:
    made.append(Environment(Ns3Backend(load_scenario(row["scenario"]), row["seed"])))
    return made[-1]


def is_low(environment: Environment) -> bool:
    return environment.backend.controls.get("cells.c0.tx_power_dbm") == 30


def says(*turns: Any) -> Any:
    """A model that makes these calls, or says these words, one after the other."""
    outputs = [
        ModelOutput.from_content("mockllm/model", turn)
        if isinstance(turn, str)
        else ModelOutput.for_tool_call("mockllm/model", *turn)
        for turn in turns
    ]
    for output in outputs:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return get_model("mockllm/model", custom_outputs=outputs)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    def run_sample(*turns: Any, make_environment: Any = make) -> Any:
        (log,) = inspect_eval(
            inspect_task(make_environment, [ROW], is_low),
            model=says(*turns),
            log_dir=str(tmp_path),
            display="none",
        )
        return log

    return run_sample


def test_the_network_decides_the_score_and_not_the_words(run: Any) -> None:
    done = run(("set_cell_tx_power", POWER), "I could not do it.")
    assert done.status == "success"
    assert done.results.scores[0].metrics["accuracy"].value == 1
    claimed = run("Done: c0 is at 30 dBm.")
    assert claimed.results.scores[0].metrics["accuracy"].value == 0
    with pytest.raises(Exception, match="closed"):
        made[-1].backend.advance()


def test_mistakes_are_told_to_the_model_and_kept_in_the_record(run: Any) -> None:
    log = run(
        ("set_cell_tx_power", {**POWER, "tx_power_dbm": 99}),
        ("set_cell_tx_power", {"cell": "c9", "tx_power_dbm": 30}),
        ("set_cell_tx_power", POWER),
        "Done.",
    )
    (sample,) = log.samples
    first, second, third = [m for m in sample.messages if m.role == "tool"]
    assert "60" in first.error.message
    assert "no_such_element" in second.error.message
    assert third.error is None
    assert '"interval":3' in third.text
    record = Record(store=_store(sample))
    assert record.interval == 3
    assert [call["ok"] for call in record.calls][-2:] == [False, True]
    assert sample.scores["network"].value == "C"


def test_a_network_that_fails_is_an_error_of_the_sample(run: Any) -> None:
    class Failing(Ns3Backend):
        def apply(self, changes: Any) -> None:
            from env.errors import BackendError

            raise BackendError("the simulator has died")

    def make_failing(row: Mapping[str, Any]) -> Environment:
        return Environment(Failing(load_scenario(row["scenario"]), row["seed"]))

    log = run(("set_cell_tx_power", POWER), "Done.", make_environment=make_failing)
    assert log.status == "error"
    assert "the simulator has died" in log.samples[0].error.message


def test_the_model_sees_every_tool_with_the_bounds_that_inspect_knows() -> None:
    from inspect_ai.tool import ToolParams
    from inspect_ai.util import JSONSchema

    known = set(JSONSchema.model_fields) | set(ToolParams.model_fields)

    def kept(schema: Any, names: bool = False) -> Any:
        if isinstance(schema, list):
            return [kept(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        return {
            key: kept(value, key in ("properties", "default"))
            for key, value in schema.items()
            if (names or key in known) and value is not None
        }

    for tool in TOOLS.values():
        seen = ToolParams.model_validate(tool.schema).model_dump(exclude_none=True)
        if "required" not in tool.schema:
            assert seen.pop("required") == []
        assert seen == kept(tool.schema)


def _store(sample: Any) -> Any:
    from inspect_ai.util import Store

    return Store(sample.store)
