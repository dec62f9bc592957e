# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_learning.bench.leakage import leaking, rouge_l, words_of

WORDS = st.lists(st.sampled_from(["give", "c0", "20", "dBm", "a"]), max_size=8)
TEXTS = st.lists(WORDS.map(" ".join), min_size=1, max_size=4)


def by_definition(one: str, other: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004, eq. 2 to 4)."""
    a, b = words_of(one), words_of(other)
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longest[i + 1][j + 1] = (
                longest[i][j] + 1 if x == y else max(longest[i][j + 1], longest[i + 1][j])
            )
    return 2 * longest[-1][-1] / (len(a) + len(b)) if a or b else 1.0


@given(TEXTS, TEXTS)
def test_rouge_l_is_what_it_is_defined_as(ones: list[str], others: list[str]) -> None:
    found = rouge_l(ones, others)
    assert found.shape == (len(ones), len(others))
    for i, one in enumerate(ones):
        for j, other in enumerate(others):
            assert found[i, j] == pytest.approx(by_definition(one, other), abs=1e-6)


def test_case_and_punctuation_do_not_count() -> None:
    assert rouge_l(["Wake cell c1, now!"], ["wake CELL c1 now"])[0, 0] == 1


def test_intents_leak_from_seven_tenths_on() -> None:
    evaluation = ["a b c d e f g h i j"]
    assert leaking(["a b c d e f g x y z", "a b c d e f x y z w"], evaluation).tolist() == [
        True,
        False,
    ]
    assert leaking(["anything"], []).tolist() == [False]
