# SPDX-License-Identifier: Apache-2.0
"""Transport block sizes and block error rates against the standard and quoted figures."""

import itertools
import json
import subprocess
import sys

import pytest

from ns3_scenarios.ran.build import ensure_built


@pytest.fixture(scope="module")
def model():
    """Evaluates an expression with the compiled model, in a process of its own."""

    def evaluate(expression):
        code = f"import json, _ran; print(json.dumps({expression}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(ensure_built().parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return evaluate


@pytest.mark.parametrize(
    ("table", "mcs", "resource_elements", "bits"),
    [
        # Worked by hand from TS 38.214 5.1.3.2.
        ("qam256", 1, 7579, 2856),  # N_info = 2857, so step 3 and Table 5.1.3.2-1
        ("qam256", 27, 7579, 56368),  # N_info = 56132, step 4, seven code blocks
        ("qam64", 0, 12, 24),  # the smallest entry
    ],
)
def test_transport_block_size_is_that_of_ts_38_214(model, table, mcs, resource_elements, bits):
    call = f"_ran.transport_block_bits(_ran.McsTable.{table}, {mcs}, {resource_elements})"
    assert model(call) == bits


def test_mutual_information_of_known_points(model):
    grid = [10 ** (db / 10) for db in range(-30, 50)]
    for order in (2, 4, 6, 8, 10):
        values = model(f"[_ran.mutual_information({order}, x) for x in {grid}]")
        assert values == sorted(values)
        assert values[0] < 0.01
        assert values[-1] > 0.999
    # QPSK carries one of its two bits at 0.19 dB (Caire, Taricco and Biglieri 1998, Fig. 1).
    assert model(f"_ran.mutual_information(2, {10**0.0187})") == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize(
    ("table", "mcs", "tb_bytes", "sinr_db"),
    [
        # SINR at 10 % errors of 5G-LENA nr v4.0 on ns-3.44, 53 resource blocks, 13 symbols.
        ("qam256", 1, 357, 0.26),
        ("qam256", 5, 1399, 7.04),
        ("qam256", 11, 2608, 12.28),
        ("qam256", 19, 4819, 19.98),
        ("qam256", 27, 7030, 27.52),
        ("qam64", 9, 1247, 5.94),
        ("qam64", 20, 3120, 14.26),
    ],
)
def test_error_curves_are_near_quoted_figures(model, table, mcs, tb_bytes, sinr_db):
    call = f"_ran.sinr_db_for_bler(_ran.McsTable.{table}, {mcs}, {8 * tb_bytes}, 0.1, False)"
    assert model(call) == pytest.approx(sinr_db, abs=0.5)


def test_higher_schemes_and_fewer_errors_need_more_sinr(model):
    for table, count in (("qam64", 29), ("qam256", 28), ("qam1024", 27)):
        calls = ", ".join(
            f"_ran.sinr_db_for_bler(_ran.McsTable.{table}, {m}, 8000, {b}, True)"
            for m in range(count)
            for b in (0.5, 0.1, 0.01)
        )
        values = model(f"[{calls}]")
        triples = [values[i : i + 3] for i in range(0, len(values), 3)]
        assert all(a < b < c for a, b, c in triples)
        by_mcs = [t[1] for t in triples]
        # Neighbouring schemes of different modulation but nearly equal efficiency may swap.
        assert all(later > earlier - 0.5 for earlier, later in itertools.pairwise(by_mcs))
