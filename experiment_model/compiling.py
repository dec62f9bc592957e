# SPDX-License-Identifier: Apache-2.0
"""Loops that Numba compiles, once for all processes where it can keep what it made."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba

Loop = Callable[..., None]
Compiled = Callable[..., Any]


def compiled(signature: Any) -> Callable[[Loop], Compiled]:
    """A loop as a function.

    Args:
        signature: types of its arguments.
    """
    return lambda loop: _kept(lambda **cache: numba.njit(signature, nogil=True, **cache)(loop))


def vectorized(signature: str, layout: str) -> Callable[[Loop], Compiled]:
    """A loop over the last axes of arrays as a function of numpy's, which adds the others.

    Args:
        signature: types of its arguments, the results last.
        layout: their last axes, as `numpy.vectorize` has them.
    """
    vectorize: Any = numba.guvectorize
    return lambda loop: _kept(lambda **cache: vectorize(signature, layout, **cache)(loop).ufunc)


def _kept(compile_: Callable[..., Compiled]) -> Compiled:
    """What is compiled, kept for later processes where a folder can be written to."""
    with _alone():
        try:
            return compile_(cache=True)
        except RuntimeError:
            return compile_()


@contextmanager
def _alone() -> Iterator[None]:
    """Let no other process of the user compile meanwhile.

    Numba keeps a vectorized loop in two files; those of two processes do not fit together, and
    calls of what is made of both end in a segmentation fault.
    """
    path = Path(tempfile.gettempdir(), f"sixg-compiling-{os.getuid()}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
