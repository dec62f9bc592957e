# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from calibration.samples import Samples
from calibration.targets import TARGETS
from calibration.validation import GatesError, ValidationReport, read_gates, validate
from calibration.validation.gates import DEFAULT_GATES
from experiment_model import Card, Data, ExperimentModel


def judged(model: ExperimentModel, samples: Samples, **more: Any) -> ValidationReport:
    return validate(model, {"network": samples}, baseline_rows=10, **more)


def results(report: ValidationReport) -> dict[str, Any]:
    return {gate.name: gate for gate in report.gates}


def failed(report: ValidationReport) -> set[str]:
    return {gate.name for gate in report.gates if gate.holds is False}


def unjudged(report: ValidationReport) -> set[str]:
    return {gate.name for gate in report.gates if gate.holds is None}


def test_the_gates_ask_for_kpis_that_there_are() -> None:
    for kind, least in read_gates().accuracy.least_r2.items():
        assert set(least) <= {target.name for target in TARGETS[kind]}


def test_a_model_that_is_right_passes(right_model: ExperimentModel, worlds: Any) -> None:
    # Enough rows that chance does not move coverage out of 78 to 82 %.
    report = judged(right_model, worlds.World(seed=3).samples())
    assert failed(report) == set()
    assert report.passed
    names = results(report)
    assert names["accuracy/network/prb_util_pct"].unit == "R²"
    assert names["accuracy/network/jitter_ms"].unit == "x floor"
    kinds = {name.split("/")[0] for name in names}
    assert kinds == {"held_out", "accuracy", "coverage"}
    assert "coverage/network/jitter_ms/hall" in names


def test_a_biased_model_fails_where_it_is_biased(built: Any, world: Samples, worlds: Any) -> None:
    report = judged(built(worlds.ModelPlan(offsets={"prb_util_pct": 1.5})), world)
    assert not report.passed
    wrong = {name for name in results(report) if "/prb_util_pct" in name}
    assert len(wrong) == 4  # accuracy; coverage in all and in two scenarios
    assert wrong & failed(report) == wrong - unjudged(report)
    assert "accuracy/network/prb_util_pct" in failed(report)
    gate = results(report)["accuracy/network/prb_util_pct"]
    assert re.fullmatch(
        r"R² is -\d+\.\d+, 0\.95 is asked for, and RMSE is 1[56]\.\d+ times the noise floor, "
        r"1\.2 would be allowed",
        gate.why,
    )
    assert "accuracy/network/within_budget_pct" not in failed(report)


def test_a_low_r2_is_enough_at_the_noise_floor(built: Any, worlds: Any) -> None:
    # Chance is so large that nothing can reach an R² of 0.95.
    report = judged(built(worlds.ModelPlan(sigma=0.8)), worlds.World(sigma=0.8).samples())
    gate = results(report)["accuracy/network/prb_util_pct"]
    scores = report.kinds["network"].kpis["prb_util_pct"].pooled
    assert scores.r2 is not None
    assert scores.r2 < 0.95
    assert gate.holds
    assert (gate.value, gate.high, gate.low) == (scores.floor.ratio, 1.2, None)
    assert "but RMSE is 1.0" in gate.why


@pytest.mark.parametrize("sigma", [0.08, 0.125])
def test_wrong_intervals_fail(built: Any, world: Samples, worlds: Any, sigma: float) -> None:
    report = judged(built(worlds.ModelPlan(sigma=sigma)), world)
    pooled = {name for name in results(report) if re.fullmatch(r"coverage/network/\w+", name)}
    assert pooled <= failed(report)
    assert len(pooled) == len(TARGETS["network"])
    assert not any(name.startswith("accuracy") for name in failed(report))


def test_a_model_fitted_on_what_it_is_judged_on_fails(
    built: Any, world: Samples, worlds: Any
) -> None:
    card = Card(data=Data(configs=("hall0", "hall1")))
    report = judged(built(worlds.ModelPlan(card=card)), world)
    gate = results(report)["held_out"]
    assert (gate.holds, gate.value) == (False, 1)
    assert gate.why.endswith("1 of the 8 configurations that it is judged on, among them hall0")
    assert report.data.leaked_configs == ("hall0",)


def test_too_few_rows_are_not_judged(right_model: ExperimentModel, world: Samples) -> None:
    few = world.where(world.interval <= 2)
    report = judged(right_model, few)
    gates = results(report)
    assert gates["coverage/network/jitter_ms"].holds is None
    assert gates["coverage/network/jitter_ms"].why == (
        "too few rows to judge: 160, and 1000 are needed"
    )
    assert gates["accuracy/network/jitter_ms"].holds is None
    assert len(report.card_gates()) == 1
    nothing_but_none = report.model_copy(
        update={"gates": tuple(g for g in report.gates if g.holds is None)}
    )
    assert not nothing_but_none.passed


def test_a_kpi_that_never_varies_is_not_judged_by_r2(
    right_model: ExperimentModel, world: Samples
) -> None:
    y = world.y.copy()
    y[:, 0] = 7
    report = judged(right_model, Samples(**{**vars(world), "y": y}))
    gate = results(report)["accuracy/network/throughput_mbps"]
    assert gate.holds is None
    assert gate.why == "all true values are equal; the noise floor is not known"


def test_gates_of_ones_own_decide(right_model: ExperimentModel, world: Samples) -> None:
    data = yaml.safe_load(DEFAULT_GATES.read_text())
    data["accuracy"] |= {"least_r2": {"network": {"jain_index": 0.99999}}, "most_floor_ratio": 0.5}
    strict = type(read_gates()).model_validate(data)
    report = judged(right_model, world, gates=strict)
    assert {f"accuracy/network/{name}" for name in report.kinds["network"].kpis} <= failed(report)


def test_the_card_says_what_became_of_the_gates(
    right_model: ExperimentModel, world: Samples
) -> None:
    report = judged(right_model, world)
    gates = report.card_gates()
    assert {gate.name: gate.passed for gate in gates} == {
        gate.name: gate.holds for gate in report.gates if gate.holds is not None
    }
    r2 = next(gate for gate in gates if gate.name == "accuracy/network/prb_util_pct")
    assert (r2.limit, r2.unit) == (0.95, "R²")
    assert r2.value == report.kinds["network"].kpis["prb_util_pct"].pooled.r2
    assert np.isfinite([gate.value for gate in gates if gate.value is not None]).all()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version: 2", "gates.yaml: version=2 is not allowed; it must be 1"),
        ("version: 1", "gates.yaml: accuracy is missing"),
        ("- 1", "gates.yaml must be a mapping of field names to values, not a list"),
        ("a: [", "gates.yaml is not YAML"),
    ],
)
def test_a_wrong_file_of_gates_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text(text)
    with pytest.raises(GatesError, match=re.escape(sentence)) as caught:
        read_gates(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(GatesError, match=r"cannot read .*: No such file"):
        read_gates(tmp_path / "none.yaml")
