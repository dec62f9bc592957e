# SPDX-License-Identifier: Apache-2.0
"""The `sixg` command line as a user meets it: results, JSON, and one sentence per mistake."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import sixg

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, str(ROOT / "sixg.py")]
SPEC = """
scenario: quickstart
duration_s: 0.6
vary:
  scenario.users.video.traffic.0.rate_mbps: {min: 2, max: 20}
n_configs: 2
seeds: 1-2
"""


def run(
    *arguments: object, status: int = 0, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def mistake(*arguments: object) -> str:
    """The sentence that a mistake is answered with."""
    ended = run(*arguments, status=2)
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "sweep.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, spec: Path) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "dataset"
    ended = run("sweep", spec, "--out", folder, "--jobs", 2)
    assert "4 of 4 runs" in ended.stderr
    assert "embb" in ended.stdout
    return folder


# Results


def cpu_of_children_s() -> float:
    """Unlike time on the clock, this does not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_comes_at_once() -> None:
    run("--help")  # warms the disk cache
    times = []
    for _ in range(3):
        started = cpu_of_children_s()
        text = run("--help").stdout
        times.append(cpu_of_children_s() - started)
    assert all(c in text for c in ("scenarios", "simulate", "sweep", "traces", "doctor"))
    assert min(times) < 0.5


def test_command_line_starts_without_heavy_libraries() -> None:
    script = (
        "import sys; sys.argv = ['sixg', '--help']\nimport sixg\n"
        "try: sixg.main()\nexcept SystemExit: pass\n"
        "print(sorted({'pyarrow', 'pydantic', 'scipy', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_public_names_are_there() -> None:
    for name in sixg.__all__:
        assert getattr(sixg, name) is not None
    assert set(sixg.__all__) <= set(dir(sixg))
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = sixg.simulat


def test_scenarios_are_listed_and_printed() -> None:
    listed = run("scenarios").stdout
    names = [entry["name"] for entry in json.loads(run("scenarios", "--json").stdout)]
    assert names == sixg.scenario_names()
    assert all(name in listed for name in names)
    printed = run("scenarios", "quickstart").stdout
    assert yaml.safe_load(printed)["name"] == "quickstart"
    full = json.loads(run("scenarios", "quickstart", "--json").stdout)
    assert sixg.ScenarioConfig.model_validate(full) == sixg.load_scenario("quickstart")


def test_printed_scenario_is_one_to_start_from(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        run("scenarios", "quickstart").stdout.replace("bandwidth_mhz: 20", "bandwidth_mhz: 10")
    )
    ended = run("simulate", mine, "--duration", 0.2, "--out", tmp_path / "out", "--json")
    assert json.loads(ended.stdout)["runs"] == 1
    dataset = sixg.Dataset.open(tmp_path / "out")
    assert set(dataset.table("cell")["bandwidth_mhz"].to_pylist()) == {10.0}


def test_simulation_is_the_one_that_the_api_gives(tmp_path: Path) -> None:
    out = tmp_path / "one"
    run("simulate", "quickstart", "--seed", 3, "--duration", 0.4, "--out", out)
    traces = sixg.simulate("quickstart", seed=3, duration_s=0.4)
    stored = sixg.Dataset.open(out)
    for name, table in traces.tables.items():
        assert stored.table(name).drop(["config", "seed"]).to_pylist() == table.to_pylist()
    shown = run("simulate", "quickstart", "--seed", 3, "--duration", 0.4)
    assert "urllc" in shown.stdout


def test_sweep_speaks_json_and_goes_on(spec: Path, dataset: Path) -> None:
    ended = run("sweep", spec, "--out", dataset, "--json")
    summary = json.loads(ended.stdout)
    assert (summary["runs"], summary["planned_runs"], summary["failed_runs"]) == (4, 4, 0)
    assert {s["slice"] for s in summary["slices"]} == {"embb", "urllc", "mmtc"}
    assert [c["cell"] for c in summary["cells"]] == ["c0", "c1", "c2"]
    assert "4 of 4 runs" in ended.stderr


def test_traces_sums_up_verifies_and_draws(dataset: Path, tmp_path: Path) -> None:
    assert "quickstart" in run("traces", dataset, "--verify").stdout
    ended = run("traces", dataset, "--plot", "--out", tmp_path / "plots", "--json")
    plots = [Path(p) for p in json.loads(ended.stdout)["plots"]]
    assert [p.stem for p in plots] == [
        "slices_over_time",
        "cell_load",
        "user_distributions",
        "map",
    ]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in plots)
    run("traces", dataset, "--plot")
    assert (dataset / "plots" / "map.png").stat().st_size > 10_000


def test_traces_are_checked(dataset: Path, tmp_path: Path) -> None:
    ended = run("traces", "check", dataset)
    assert f"{dataset}: 4 runs checked; it can be calibrated on" in ended.stdout
    assert "4 of 4 runs" in ended.stderr
    report = json.loads(run("traces", "check", "--json", dataset).stdout)
    assert (report["ok"], report["runs"], report["findings"]) == (True, 4, [])
    damaged = Path(shutil.copytree(dataset, tmp_path / "damaged"))
    victim = sorted(damaged.glob("cell/*/*/part.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:1000])
    ended = run("traces", "check", damaged, status=1)
    assert "error   a file cannot be read as Parquet, table cell, in 1 run" in ended.stdout
    assert "1 error, 0 warnings" in ended.stdout
    assert "Traceback" not in ended.stderr
    report = json.loads(run("traces", "check", damaged, "--json", status=1).stdout)
    assert [f["rule"] for f in report["findings"]] == ["damaged-file"]
    assert "no such folder" in mistake("traces", "check", tmp_path / "none")
    assert "Missing argument 'DIR'" in run("traces", "check", status=2).stderr


def test_folder_called_check_is_summed_up_and_checked(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "check")
    for arguments in (["check"], ["./check"], ["check", "--verify"], ["--verify", "check"]):
        ended = run("traces", *arguments, "--json", cwd=tmp_path)
        assert "slices" in json.loads(ended.stdout), arguments
    run("traces", "check", "--plot", "--out", "pictures", cwd=tmp_path)
    assert (tmp_path / "pictures" / "map.png").exists()
    for arguments in (["check", "check"], ["check", "--json", "check"], ["check", str(dataset)]):
        ended = run("traces", *arguments, "--json", cwd=tmp_path)
        assert json.loads(ended.stdout)["ok"], arguments


def test_help_tells_of_both_uses_of_traces() -> None:
    text = run("traces", "--help").stdout
    assert "--plot" in text
    assert "traces check DIR" in text
    text = run("traces", "check", "--help").stdout
    assert "sixg.py traces check [OPTIONS]" in text
    assert "--plot" not in text


def test_doctor_finds_this_machine_well() -> None:
    report = json.loads(run("doctor", "--json").stdout)
    names = [finding["name"] for finding in report["findings"]]
    assert report["ok"]
    assert {"Python", "ns-3", "C++ compiler", "RAN model", "worker"} <= set(names)
    assert "ok      worker: warm after" in run("doctor").stdout


def test_doctor_says_what_to_install(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CXX": "no-such-compiler", "COLUMNS": "200"},
    )
    assert ended.returncode == 1
    assert "missing C++ compiler: not found" in ended.stdout
    assert "apt-get install g++" in ended.stdout
    assert "Traceback" not in ended.stderr


# Mistakes


def test_unknown_scenario_is_one_sentence() -> None:
    assert "did you mean 'quickstart'" in mistake("simulate", "quickstrt")
    assert "did you mean 'quickstart'" in mistake("scenarios", "quickstrt", "--json")
    assert "cannot read none.yaml: No such file" in mistake("simulate", "none.yaml")


def test_wrong_unit_is_one_sentence(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    text = run("scenarios", "quickstart").stdout
    mine.write_text(text.replace("frequency_ghz: 3.5", "frequency_hz: 3500000000"))
    said = mistake("simulate", mine)
    assert said.startswith(f"{mine}: carriers.0.frequency_hz is not a field, did you mean")
    mine.write_text(text.replace("frequency_ghz: 3.5", "frequency_ghz: 3500000000"))
    assert "carriers.0.frequency_ghz=3500000000 is not allowed" in mistake("simulate", mine)


def test_impossible_run_is_one_sentence() -> None:
    assert "seed" in mistake("simulate", "quickstart", "--seed", -1)
    assert "duration_s=0.33 must be" in mistake("simulate", "quickstart", "--duration", 0.33)
    assert "duration_s" in mistake("simulate", "quickstart", "--duration", "nan")


def test_impossible_sweep_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SPEC.replace("rate_mbps:", "rate_mbs:"))
    said = mistake("sweep", path, "--out", tmp_path / "out")
    assert said.startswith(f"{path}: vary.scenario.users.video.traffic.0.rate_mbs leads nowhere")
    assert not (tmp_path / "out").exists()


def test_wrong_folder_is_one_sentence(tmp_path: Path, dataset: Path, spec: Path) -> None:
    assert "no such folder" in mistake("traces", tmp_path / "none")
    assert "has no manifest.json" in mistake("traces", tmp_path)
    assert "Not a directory" in mistake("sweep", spec, "--out", spec / "out")
    other = tmp_path / "other.yaml"
    other.write_text(SPEC.replace("max: 20", "max: 30"))
    said = mistake("sweep", other, "--out", dataset)
    assert f"{dataset} holds another dataset (`vary` of the specification differs)" in said


def test_corrupt_file_is_one_sentence(tmp_path: Path, spec: Path) -> None:
    out = tmp_path / "dataset"
    run("sweep", spec, "--out", out, "--jobs", 1)
    victim = sorted(out.glob("network/*/*/part.parquet"))[1]
    victim.write_bytes(victim.read_bytes()[:-40] + bytes(40))
    assert f"cannot read {victim}: it is damaged; delete it" in mistake("traces", out)
    assert f"{victim} is not the file that was written" in mistake("traces", out, "--verify")
    victim.unlink()
    run("sweep", spec, "--out", out, "--jobs", 1)
    run("traces", out, "--verify")


def test_usage_mistakes_are_explained() -> None:
    assert "Missing option '--out'" in run("sweep", "x.yaml", status=2).stderr
    assert "No such command" in run("simulat", status=2).stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt_keeps_what_has_ended(tmp_path: Path, jobs: int) -> None:
    path, out = tmp_path / "sweep.yaml", tmp_path / "out"
    path.write_text(SPEC.replace("seeds: 1-2", "seeds: 1-200"))
    process = subprocess.Popen(
        [*COMMAND, "sweep", str(path), "--out", str(out), "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not (out / "manifest.json").exists() or len(sixg.Dataset.open(out)) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert re.search(r"stopped; what has ended is kept", stderr)
    # What the manifest lists is what is there.
    dataset = sixg.Dataset.open(out)
    assert 2 <= len(dataset) < 400
    dataset.verify()
