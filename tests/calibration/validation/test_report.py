# SPDX-License-Identifier: Apache-2.0
import dataclasses
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.boosting import BoostingSettings, boost
from calibration.samples import Samples
from calibration.validation import (
    GateResult,
    Line,
    Plot,
    ReportError,
    Section,
    Table,
    ValidationReport,
    page,
    validate,
    write_page,
)
from calibration.validation.plots import number
from experiment_model import ExperimentModel, ModelError, Transforms
from ns3_scenarios.errors import DatasetError

ROLLOUT = Section(
    key="rollout",
    title="Errors of a roll-out",
    text="Of ten steps.",
    tables=(Table(columns=("KPI", "ratio"), rows=(("jitter_ms", 1.25), ("jain_index", None))),),
    plots=(
        Plot(
            title="RMSE over steps",
            x_label="step",
            y_label="RMSE",
            lines=(
                Line(name="model", x=(1, 2, 3), y=(1, None, 3)),
                Line(name="NS-3", x=(1, 2), y=(0.5, 0.6)),
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def report(right_model: ExperimentModel, world: Samples) -> ValidationReport:
    return validate(right_model, {"network": world}, baseline_rows=200)


def settings() -> BoostingSettings:
    return BoostingSettings(n_rounds=40, max_depth=4)


@pytest.mark.parametrize(("scrambled", "low", "high"), [(False, 0.9, 1), (True, -0.1, 0.05)])
def test_scrambled_labels_teach_nothing(
    built: Any, world: Samples, worlds: Any, scrambled: bool, low: float, high: float
) -> None:
    if scrambled:
        order = np.random.default_rng(0).permutation(len(world))
        world = dataclasses.replace(world, y=world.y[order])
    fit, stop = world.in_split("fit", "conformal"), world.in_split("stop")

    transforms = Transforms([target.kpi() for target in worlds.KPIS], world.features)

    def wanted(samples: Samples) -> Any:
        return (transforms.to_z(samples.y) - transforms.base_z(samples.x)).astype(np.float32)

    assert len(stop)
    booster = boost(fit.x, wanted(fit), stop.x, wanted(stop), settings(), threads=1)
    model = built(worlds.ModelPlan(booster=booster))
    found = validate(model, {"network": world}, baseline_rows=400).kinds["network"].kpis
    r2 = found["prb_util_pct"].pooled.r2
    assert r2 is not None
    assert low <= r2 <= high
    baselines = found["prb_util_pct"].baselines
    assert baselines
    for name in ("ridge", "random_forest"):
        value = baselines.r2[name]
        assert value is not None
        assert (value > 0.8) != scrambled


def test_json_is_read_back_as_it_was(report: ValidationReport, tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.json"
    report.write(path)
    assert ValidationReport.read(path) == report
    data = json.loads(path.read_text())
    assert set(data) == {
        "passed",
        "format",
        "schema_version",
        "created_with",
        "model",
        "data",
        "kinds",
        "gates",
        "sections",
    }
    assert data["passed"] is report.passed
    scores = data["kinds"]["network"]["kpis"]["jitter_ms"]["pooled"]
    assert set(scores) == {
        "rows",
        "r2",
        "nrmse",
        "range",
        "rmse",
        "mae",
        "bias",
        "wasserstein",
        "mae_error",
        "coverage_pct",
        "coverage_error_pct",
        "plain_coverage_pct",
        "width",
        "floor",
    }
    longer = report.extended(ROLLOUT)
    assert ValidationReport.from_json(longer.to_json()) == longer


def test_the_report_says_what_it_is_of(report: ValidationReport, world: Samples) -> None:
    test = world.in_split("test")
    data = report.data
    assert data.scenarios == ("hall", "street")
    assert (data.configs, data.runs, data.seeds) == (8, 16, (51, 52))
    assert data.rows == {"network": len(test)}
    assert report.model.name == "made up"
    assert report.kinds["network"].in_distribution_pct == 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "report is not JSON: "),
        ("[]", "report is not a validation report of this project"),
        ('{"format": "sixg-dataset"}', "report is not a validation report of this project"),
        (
            '{"format": "sixg-validation-report", "schema_version": 2}',
            "report: schema_version is 2, but this version reads 1; validate the model again",
        ),
        (
            '{"format": "sixg-validation-report", "schema_version": 1}',
            "report: created_with is missing",
        ),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ReportError, match=f"^{re.escape(sentence)}"):
        ValidationReport.from_json(text)


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"^cannot read .*none\.json: No such file or directory$"):
        ValidationReport.read(tmp_path / "none.json")


def test_the_page_needs_nothing_else_and_has_every_kpi(
    report: ValidationReport, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    write_page(report, path)
    text = path.read_text(encoding="utf-8")
    assert "http" not in text
    assert "<script" not in text
    assert "@import" not in text
    assert "url(" not in text
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(s.startswith(("data:image/png;base64,iVBOR", "#")) for s in sources)
    anchors = {s[1:] for s in sources if s.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]*)"', text))
    for name in report.kinds["network"].kpis:
        rows = re.findall(rf"<tr><td>(?:network )?{name}</td>", text)
        assert len(rows) >= 3, name  # errors, heat map, simple models
    for scenario in report.data.scenarios:
        assert f"<th>{scenario}<wbr></th>" in text
    assert ("PASSED" in text, "FAILED" in text) == (report.passed, not report.passed)


def test_the_page_shows_the_figures_of_the_report(report: ValidationReport) -> None:
    scores = report.kinds["network"].kpis["prb_util_pct"].pooled
    row = re.search(r"<tr><td>prb_util_pct</td>.*?</tr>", page(report), re.DOTALL)
    assert row
    cells = [re.sub(r"<[^>]*>", "", c).strip() for c in re.findall(r"<td.*?</td>", row[0])]
    assert cells[2] == f"{scores.rows:,}"
    assert cells[3] == f"{scores.r2:.3f}"
    assert cells[5:8] == [f"{scores.rmse:.2f}", f"{scores.floor.rmse:.2f}", cells[7]]
    assert cells[7] in (f"{scores.floor.ratio:.2f}", f"{scores.floor.ratio:.3f}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (78.0, "78"),
        (-1234.0, "−1,234"),
        (9.996, "10.0"),
        (0.01234, "0.0123"),
        (-12.34, "−12.3"),
        (123456.7, "1.2e5"),
        (0.00001234, "1.2e−5"),
    ],
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_names_are_escaped(report: ValidationReport) -> None:
    evil = '<script src="x">&'
    card = report.model.model_copy(update={"name": evil, "limits": (evil,)})
    section = Section(key="k", title=evil, text=evil)
    gate = GateResult(name=evil, holds=False, why=evil)
    text = page(report.model_copy(update={"model": card}).extended(section, [gate]))
    assert "<script" not in text
    assert html.unescape(text).count(evil) >= 8


def test_sections_appear_only_when_given(report: ValidationReport) -> None:
    assert "roll-out" not in page(report)
    gate = GateResult(name="rollout/jitter_ms", value=2.5, high=2, holds=False, why="too much")
    longer = report.extended(ROLLOUT, [gate])
    text = page(longer)
    assert '<section id="rollout">' in text
    assert "<td>jitter_ms</td><td>1.25</td>" in text
    assert 'alt="RMSE over steps"' in text
    assert "too much" in text
    assert not longer.passed
    assert longer.gates[:-1] == report.gates


def test_the_verdict_stands_at_the_head(report: ValidationReport) -> None:
    good = report.model_copy(update={"gates": (GateResult(name="a", holds=True, why="b"),)})
    none = report.model_copy(update={"gates": (GateResult(name="a", holds=None, why="b"),)})
    assert (good.passed, none.passed) == (True, False)
    assert "1 of 1 gates hold." in page(good)
    assert "0 of 0 gates hold; 1 more have too little data to judge." in page(none)


def test_without_rows_of_the_test_split_nothing_is_judged(
    right_model: ExperimentModel, world: Samples
) -> None:
    with pytest.raises(DatasetError, match=r"^there are no rows of network with seeds of the test"):
        validate(right_model, {"network": world.in_split("fit")})
    with pytest.raises(
        DatasetError, match=r"^the model knows network, and there are only rows of "
    ):
        validate(right_model, {"edge": dataclasses.replace(world, kind="edge")})


def test_a_configuration_on_both_sides_is_refused(
    right_model: ExperimentModel, world: Samples
) -> None:
    runs = tuple(
        (scenario, config.replace("hall1", "hall0"), s) for scenario, config, s in world.runs
    )
    with pytest.raises(DatasetError, match="configuration hall0 has seeds of training"):
        validate(right_model, {"network": dataclasses.replace(world, runs=runs)})


def test_rows_with_other_features_are_refused(right_model: ExperimentModel, world: Samples) -> None:
    names = ("nonsense", *world.features[1:])
    with pytest.raises(ModelError, match=f"rows of network lack the feature {world.features[0]!r}"):
        validate(right_model, {"network": dataclasses.replace(world, features=names)})


def test_the_order_of_features_does_not_matter(
    right_model: ExperimentModel, world: Samples, report: ValidationReport
) -> None:
    turned = dataclasses.replace(
        world, features=world.features[::-1], x=np.ascontiguousarray(world.x[:, ::-1])
    )
    found = validate(right_model, {"network": turned}, baseline_rows=200)
    for name, kpi in found.kinds["network"].kpis.items():
        assert kpi.pooled == report.kinds["network"].kpis[name].pooled
