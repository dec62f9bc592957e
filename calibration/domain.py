# SPDX-License-Identifier: Apache-2.0
"""Where the rows of training lie, so that others can be told from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.network import Floats
from calibration.samples import Samples
from experiment_model import Domain

COMPONENTS = 24
"""Principal components that decide whether a row is in distribution."""
CLIP = 5.0
"""Features count no farther from the middle than this many deviations."""
THRESHOLD, MARGIN = 0.01, 0.1
ANYWHERE = 1e30
"""Bounds and scale of a column that may be anything."""


def domain_of(samples: Samples, calibration: Samples, hidden: Sequence[int] = ()) -> Domain:
    """The region of the rows of `samples`; those of `calibration` say which distances are usual.

    Args:
        samples: that a model is fitted on.
        calibration: others of the same networks.
        hidden: columns that do not matter, since trees do not see them.
    """
    x = samples.x.astype(float)
    missing = ~np.isfinite(x)
    absent = missing.all(axis=0)
    x[:, absent] = 0
    centre = np.nanmedian(x, axis=0)
    spread = np.nanpercentile(x, 90, axis=0) - np.nanpercentile(x, 10, axis=0)
    deviation = np.nanstd(x, axis=0)
    scale = np.where(spread > 0, spread / 2.56, deviation)
    scale = np.where(scale > 0, scale, 1.0)
    low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
    at = list(hidden)
    scale[at], low[at], high[at] = ANYWHERE, -ANYWHERE, ANYWHERE

    def standard(values: Any) -> Floats:
        return np.asarray(np.nan_to_num(np.clip((values - centre) / scale, -CLIP, CLIP)))

    u = standard(x)
    variances, vectors = np.linalg.eigh(np.cov(u.T) + 1e-9 * np.eye(u.shape[1]))
    most = np.argsort(variances)[::-1][: min(COMPONENTS, u.shape[1])]
    whitening = (vectors[:, most] / np.sqrt(np.maximum(variances[most], 1e-6))).T
    distances = ((standard(calibration.x) @ whitening.T) ** 2).sum(axis=1)
    shares = np.linspace(0, 1, 201)
    return Domain(
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        low=tuple(None if a else float(v) for v, a in zip(low, absent, strict=True)),
        high=tuple(None if a else float(v) for v, a in zip(high, absent, strict=True)),
        was_missing=tuple(bool(v) for v in missing.any(axis=0)),
        clip=CLIP,
        whitening=tuple(map(tuple, whitening.tolist())),
        distances=tuple(np.quantile(distances, shares).tolist()),
        shares=tuple(shares.tolist()),
        threshold=THRESHOLD,
        margin=MARGIN,
    )
