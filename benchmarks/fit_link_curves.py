# SPDX-License-Identifier: Apache-2.0
"""Fit the constants of the C++ class RanErrorModel to a reference simulator.

The model (``ns3_scenarios/ran/model/ran-error-model.cc``) puts the SINR at
which a transport block has a given block error rate at the BICM limit of its
modulation and code rate, plus an implementation loss, plus the width of the
error curve times a quantile. The loss is fitted here: it is linear in twelve
constants, which this script prints together with the error of every row. The
width and the loss of short blocks are chosen, not fitted, and have to be the
same here and in the C++ file.

Run it as::

    python benchmarks/fit_link_curves.py --reference reference_mcs_sinr.csv
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.stats import norm

BLER = 0.1
WIDTH_FACTOR = 1.2
WIDTH_EXTRA_BITS = 600.0
SHORT_BLOCK_BITS, SHORT_BLOCK_OCTAVES = 360.0, 1.3
SHORT_BLOCK_LOSS, SHORT_BLOCK_LOSS_QPSK = 0.68, 0.25
HIGH_RATE_BEGIN, HIGH_RATE_END = 910 / 1024, 948 / 1024

NAMES = (
    *(f"{m}QAM {c}" for m in (4, 16, 64, 256) for c in ("atHalf", "slope")),
    "4QAM curvature",
    "repetition share",
    "64QAM high rate loss",
    "64QAM high rate loss per octave",
)

_ROWS_64 = {
    2: (120, 157, 193, 251, 308, 379, 449, 526, 602, 679),
    4: (340, 378, 434, 490, 553, 616, 658),
    6: (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948),
}
_ROWS_256 = {
    2: (120, 193, 308, 449, 602),
    4: (378, 434, 490, 553, 616, 658),
    6: (466, 517, 567, 616, 666, 719, 772, 822, 873),
    8: (682.5, 711, 754, 797, 841, 885, 916.5, 948),
}
MCS = {
    table: [(q, r / 1024) for q, rates in rows.items() for r in rates]
    for table, rows in ((1, _ROWS_64), (2, _ROWS_256))
}
"""(modulation order, code rate) by MCS: TS 38.214 Tables 5.1.3.1-1 and -2."""


def mutual_information(bits: int, snr: float) -> float:
    """Mutual information per bit of Gray-mapped PAM with ``bits`` bits (BICM).

    Args:
        bits: Coded bits per real symbol.
        snr: Signal to noise power ratio, not in dB.

    Returns:
        Mutual information per coded bit, 0 to 1.
    """
    levels = np.arange(2**bits)
    spacing = math.sqrt(12 * snr / (4**bits - 1))
    x = spacing * (levels - levels.mean())
    node, weight = np.polynomial.hermite_e.hermegauss(64)
    y = x[:, None] + node
    likelihood = np.exp((node[:, None] ** 2 - (y[..., None] - x) ** 2) / 2)
    label = levels ^ (levels >> 1)
    lost = 0.0
    for b in range(bits):
        bit = (label >> b) & 1
        same = (likelihood * (bit[:, None] == bit)[:, None, :]).sum(-1)
        lost += (np.log2(likelihood.sum(-1) / same) @ weight).mean() / weight.sum()
    return 1 - lost / bits


class InverseMutualInformation:
    """SINR in dB at which a modulation has a given mutual information per bit."""

    def __init__(self) -> None:
        self._db = np.arange(-30, 40, 0.1)
        self._mi = {
            q: np.array([mutual_information(q // 2, 10 ** (v / 10)) for v in self._db])
            for q in (2, 4, 6, 8)
        }

    def __call__(self, modulation_order: int, mi: float) -> float:
        table = self._mi[modulation_order]
        unsaturated = table < 1 - 1e-9
        return float(np.interp(mi, table[unsaturated], self._db[unsaturated]))


def segment(tb_bits: int, code_rate: float) -> tuple[int, int, int]:
    """Base graph, number of code blocks and bits per block: TS 38.212 5.2.2, 7.2.2."""
    graph2 = tb_bits <= 292 or (tb_bits <= 3824 and code_rate <= 0.67) or code_rate <= 0.25
    limit = 3840 if graph2 else 8448
    bits = tb_bits + (24 if tb_bits > 3824 else 16)
    if bits <= limit:
        return (2 if graph2 else 1), 1, bits
    count = math.ceil(bits / (limit - 24))
    return (2 if graph2 else 1), count, math.ceil(bits / count) + 24


def design(reference: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Split the model's SINR at ``BLER`` into a known part and a linear one.

    Args:
        reference: Rows with ``mcs_table``, ``mcs`` and ``tb_bytes``.

    Returns:
        The SINR in dB without losses, shape (rows,), and the matrix that
        multiplies the constants, shape (rows, 12).
    """
    inverse = InverseMutualInformation()
    base, matrix = [], []
    for row in reference.itertuples():
        q, nominal = MCS[row.mcs_table][row.mcs]
        graph, count, info_bits = segment(row.tb_bytes * 8, nominal)
        mother = 1 / 3 if graph == 1 else 1 / 5
        rate = max(nominal, mother)
        gamma = 2 ** (q * rate) - 1
        symbols = (info_bits + WIDTH_EXTRA_BITS) / (q * rate)
        width = WIDTH_FACTOR * 10 / math.log(10) * math.sqrt((gamma + 2) / (gamma * symbols))
        octaves = min(max(math.log2(SHORT_BLOCK_BITS / info_bits), 0.0), SHORT_BLOCK_OCTAVES)
        short = octaves * (SHORT_BLOCK_LOSS_QPSK if q == 2 else SHORT_BLOCK_LOSS)
        base.append(inverse(q, rate) + short + width * norm.isf(1 - (1 - BLER) ** (1 / count)))
        line = np.zeros(len(NAMES))
        line[q - 2 : q] = 1, rate - 0.5
        line[8] = (rate - 0.5) ** 2 if q == 2 else 0
        line[9] = -10 * math.log10(rate / nominal)
        if q == 6:
            high = max(0.0, (rate - HIGH_RATE_BEGIN) / (HIGH_RATE_END - HIGH_RATE_BEGIN))
            line[10:] = high, high * math.log2(count)
        matrix.append(line)
    return np.array(base), np.array(matrix)


def main() -> None:
    """Fit, and print the constants and the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="CSV of SINR at 10 %% BLER by MCS")
    reference = pd.read_csv(parser.parse_args().reference)

    base, matrix = design(reference)
    target = reference["sinr_db_for_bler_10pct"].to_numpy()
    fit = least_squares(lambda c: base + matrix @ c - target, np.zeros(len(NAMES)))

    table = reference.assign(
        model_db=base + matrix @ fit.x, error_db=base + matrix @ fit.x - target
    )
    print(table.round(3).to_string(index=False))
    print()
    for name, value in zip(NAMES, fit.x, strict=True):
        print(f"{name:32} {value:8.3f}")
    error = table["error_db"].abs()
    print(f"\n{len(error)} rows: max |error| {error.max():.3f} dB, median {error.median():.3f} dB")


if __name__ == "__main__":
    main()
