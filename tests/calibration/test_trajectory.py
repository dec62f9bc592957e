# SPDX-License-Identifier: Apache-2.0
"""Arrays say of a run what its tables say."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.network import DIRECTIONS, QUEUES, SCHEDULERS, SLEEP_MODES, network_of
from calibration.samples import read_runs
from calibration.trajectory import COLUMNS, trajectory
from ns3_scenarios.checking.elements import KEYS
from ns3_scenarios.dataset import Dataset
from ns3_scenarios.errors import DatasetError


def frame(dataset, identity, table):
    _, config, seed = identity
    return dataset.to_pandas(table, config=config, seed=seed)


def test_controls_are_those_that_ns3_had_in_force(dataset, runs):
    changed = 0
    for identity, run in runs:
        cell, slice_ = frame(dataset, identity, "cell"), frame(dataset, identity, "slice")
        for name in ("tx_power_dbm", "tilt_deg", "bandwidth_mhz", "numerology", "wake_prb_pct",
                     "a3_offset_db", "hysteresis_db", "ttt_ms"):  # fmt: skip
            assert run.controls[name].ravel() == pytest.approx(cell[name].to_numpy(float))
            changed += len(np.unique(run.controls[name])) > 3
        assert 100 * run.controls["target_bler"].ravel() == pytest.approx(cell.target_bler_pct)
        for name, words in (("scheduler", SCHEDULERS), ("sleep_mode", SLEEP_MODES)):
            assert [words[int(i)] for i in run.controls[name].ravel()] == list(cell[name])
        for name in ("dedicated_pct", "min_pct", "max_pct"):
            assert run.controls[name].ravel() == pytest.approx(slice_[name].to_numpy())
        link = frame(dataset, identity, "link")
        assert [QUEUES[int(i)] for i in run.controls["queue"].ravel()] == list(link.queue)
        application = frame(dataset, identity, "application")
        assert run.controls["fraction"].ravel() == pytest.approx(application.fraction)
        sites = [run.network.edge_names[int(i)] for i in run.controls["application_site"].ravel()]
        assert sites == list(application.site)
        flow = frame(dataset, identity, "flow")
        names = np.array(run.network.slice_names)[run.controls["row_slice"]].ravel()
        assert list(names) == list(flow.slice)
    assert changed > 10


def test_flow_rows_are_those_of_the_table(dataset, runs):
    identity, run = runs[0]
    flow, network = frame(dataset, identity, "flow"), run.network
    first = flow[flow.interval == 0]
    assert [network.ue_names[u] for u in network.row_ue] == list(first.ue)
    assert [network.class_names[c].split("/")[1] for c in network.row_class] == list(first.flow)
    assert [DIRECTIONS[d] for d in network.row_direction] == list(first.direction)


def test_faults_hold_when_ns3_says_so(dataset, runs):
    struck = 0
    for identity, run in runs:
        link = frame(dataset, identity, "link")
        up = link.up.to_numpy().reshape(run.outside["link_up"].shape)
        # The table says how it stands at the end of an interval, the array how long it held.
        assert (up[run.outside["link_up"] == 1]).all()
        assert not (up[run.outside["link_up"] == 0]).any()
        background = frame(dataset, identity, "edge").background_pct.to_numpy()
        expected = run.outside["background_pct"].ravel()
        # Foreign jobs come at random, and take what they get.
        assert (background[expected > 50] > 10).all()
        struck += (run.outside["link_up"] < 1).any() or (expected > 0).any()
    assert struck


def test_paths_are_those_that_packets_take(dataset, runs):
    """Links that no flow passes carry nothing, and busy ones are passed by some flow."""
    from calibration.features import Radio, steps_of

    for identity, run in runs[:3]:
        offered = Radio(steps_of(run)).transport.offered_mbps
        link = frame(dataset, identity, "link")
        through = link.throughput_mbps.to_numpy().reshape(run.n_intervals, -1)[1:]
        passed = offered > 0.5
        assert np.corrcoef(offered[passed], through[passed])[0, 1] > 0.7
        assert through[offered == 0].max(initial=0) < 0.2 * through.max()


def test_table_with_other_rows_is_one_clear_error(dataset, tmp_path, monkeypatch):
    original = Dataset.table

    def shortened(self, name, *arguments, **options):
        table = original(self, name, *arguments, **options)
        return table.slice(0, len(table) - 1) if name == "cell" else table

    monkeypatch.setattr(Dataset, "table", shortened)
    with pytest.raises(DatasetError, match=r"run config=\w+ seed=\d+: table cell has 23 rows, but"):
        list(read_runs(dataset))


@pytest.fixture(scope="module")
def tables(dataset):
    """KPI tables of the first run."""
    run = dataset.manifest.runs[0]
    return {name: dataset.table(name, config=run.config, seed=run.seed) for name in COLUMNS}


def arrays_of(dataset, tables):
    run = dataset.manifest.runs[0]
    return trajectory(network_of(dataset.scenario(run.config)), tables, (), run.seed)


def reordered(tables, name, order):
    return tables | {name: tables[name].take(order)}


@pytest.mark.parametrize("table", KEYS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_rows_that_changed_places_are_refused(dataset, tables, table, data):
    rows = list(range(len(tables[table])))
    first, second = data.draw(st.lists(st.sampled_from(rows), min_size=2, max_size=2, unique=True))
    rows[first], rows[second] = second, first
    with pytest.raises(
        DatasetError,
        match=f"^table {table} has its rows in another order: row {min(first, second)} is of",
    ):
        arrays_of(dataset, reordered(tables, table, rows))


def test_order_of_neighbours_tells_nothing(dataset, tables):
    every = np.random.default_rng(0).permutation(len(tables["neighbour"]))
    mixed = arrays_of(dataset, reordered(tables, "neighbour", every)).tables["neighbour"]
    for name, values in arrays_of(dataset, tables).tables["neighbour"].items():
        assert np.array_equal(mixed[name], values)


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("ue", "cell", "elsewhere", "cell 'elsewhere' is not in the scenario"),
        ("neighbour", "cell", "elsewhere", "cell 'elsewhere' is not in the scenario"),
        ("neighbour", "ue", "nobody", "users or intervals that are not in the scenario"),
        ("neighbour", "interval", -1, "users or intervals that are not in the scenario"),
        ("neighbour", "interval", 99, "users or intervals that are not in the scenario"),
        ("link", "from_node", "nowhere", "row 0 is of link access_s0 from_node unknown"),
    ],
)
def test_strangers_are_refused(dataset, tables, table, column, value, says):
    rows = tables[table]
    at = rows.schema.get_field_index(column)
    values = pa.array([value, *rows[column].to_pylist()[1:]])
    values = values.dictionary_encode() if isinstance(value, str) else values
    with pytest.raises(DatasetError, match=says):
        arrays_of(dataset, tables | {table: rows.set_column(at, column, values)})
