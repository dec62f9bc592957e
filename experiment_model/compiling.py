# SPDX-License-Identifier: Apache-2.0
"""Loops that Numba compiles, once for all processes where it can keep what it made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba

Loop = Callable[..., None]
Compiled = Callable[..., Any]


def compiled(signature: Any) -> Callable[[Loop], Compiled]:
    """A loop as a function.

    Args:
        signature: types of its arguments.
    """
    return lambda loop: _kept(partial(numba.njit, signature, nogil=True), loop)


def vectorized(signature: str, layout: str) -> Callable[[Loop], Compiled]:
    """A loop over the last axes of arrays as a function of numpy's, which adds the others.

    Args:
        signature: types of its arguments, the results last.
        layout: their last axes, as `numpy.vectorize` has them.
    """
    vectorize: Any = numba.guvectorize
    return lambda loop: _kept(partial(vectorize, signature, layout), loop).ufunc


def _kept(compile_: Callable[..., Any], loop: Loop) -> Any:
    try:
        return compile_(cache=True)(loop)
    except RuntimeError:  # no folder can be written to
        return compile_()(loop)
