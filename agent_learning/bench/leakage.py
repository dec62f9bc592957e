# SPDX-License-Identifier: Apache-2.0
"""Whether training gives evaluation away: ROUGE-L between intents.

ROUGE-L (Lin 2004) is the F1 of the longest common subsequence of two texts' words: twice its length
over the sum of both lengths. That is the normalised indel similarity of their sequences of words,
which rapidfuzz computes for all pairs at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LIMIT = 0.7
"""ROUGE-L at which an intent counts as known from another one."""


def rouge_l(ones: Sequence[str], others: Sequence[str]) -> NDArray[np.float32]:
    """ROUGE-L of each text with each other one, from 0 to 1; shape (ones, others).

    Words are runs of letters and digits in lower case, as in the reference implementation.
    """
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    numbers: dict[str, int] = {}
    sequences = [
        [[numbers.setdefault(word, len(numbers)) for word in words_of(text)] for text in texts]
        for texts in (ones, others)
    ]
    if not ones or not others:
        return np.zeros((len(ones), len(others)), np.float32)
    found = cdist(*sequences, scorer=Indel.normalized_similarity, dtype=np.float32)
    return np.asarray(found, np.float32)


def words_of(text: str) -> list[str]:
    """The words that count."""
    return re.findall(r"[a-z0-9]+", text.lower())


def leaking(intents: Sequence[str], evaluation: Sequence[str]) -> NDArray[np.bool_]:
    """Which intents are too close to one of the evaluation; shape (intents,)."""
    distinct = sorted(set(intents))
    closest = rouge_l(distinct, sorted(set(evaluation))).max(axis=1, initial=0.0)
    known = dict(zip(distinct, closest >= LIMIT, strict=True))
    return np.array([known[intent] for intent in intents], bool)
