# SPDX-License-Identifier: Apache-2.0
"""Simple models that an Experiment Model must be better than.

- persistence: an element's KPI stays what it last was in this run;
- first guess: the physical estimate that the trees correct (`Target.base`);
- ridge regression, k-nearest neighbours and a random forest on the same features.

The last three predict each KPI in its own unit, on which they are compared, from features whose
missing values are replaced by medians and which are standardised. They are fitted on a part of the
fit split drawn at random, the size of which the report says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration.samples import Samples
from calibration.targets import Target
from calibration.validation.report import Baselines
from calibration.validation.scores import r_squared

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

XGBOOST = "xgboost"
PERSISTENCE, FIRST_GUESS = "persistence", "first_guess"
RIDGE, NEIGHBOURS, FOREST = "ridge", "nearest_neighbours", "random_forest"
N_NEIGHBOURS = 10
N_TREES = 60
LEAST_FIT_ROWS = 50


def chosen_rows(n: int, most: int, rng: np.random.Generator) -> Indices:
    """At most some of n rows, drawn without replacement, in order."""
    return np.sort(rng.permutation(n)[:most])


def compare(
    fit: Samples,
    test: Samples,
    targets: Mapping[int, Target],
    predicted: Mapping[int, Floats],
    most: int,
    rng: np.random.Generator,
) -> dict[int, Baselines]:
    """Compare a model with simple ones, KPI by KPI.

    Args:
        fit: rows that simple models are fitted on; with too few, those of them are left out.
        test: rows to compare on.
        targets: by column of `y`.
        predicted: what the model says of the test rows, by column of `y`, shape (rows,) each.
        most: rows of the fit split, and of the test split, that are used of each KPI.
        rng: draws them.

    Returns:
        By column of `y`.
    """
    last = last_known(test)
    found = {}
    for k, target in targets.items():
        known = np.flatnonzero(np.isfinite(test.y[:, k]))
        at = known[chosen_rows(len(known), most, rng)]
        if not len(at):
            continue
        guess = first_guess(test, target)
        answers = {
            XGBOOST: predicted[k][at],
            PERSISTENCE: np.where(np.isnan(last[at, k]), guess[at], last[at, k]),
            FIRST_GUESS: guess[at],
        }
        taught = np.flatnonzero(np.isfinite(fit.y[:, k]))
        taught = taught[chosen_rows(len(taught), most, rng)]
        if len(taught) >= LEAST_FIT_ROWS:
            y = fit.y[taught, k].astype(float)
            for name, make in REGRESSORS.items():
                regressor = make().fit(fit.x[taught], y)
                answer = np.asarray(regressor.predict(test.x[at]), float)
                answers[name] = np.clip(answer, target.lower, target.upper)
        found[k] = _compared(answers, test.y[at, k].astype(float), len(taught))
    return found


def _compared(answers: Mapping[str, Floats], true: Floats, fitted_on: int) -> Baselines:
    rmse = {name: float(np.sqrt(np.mean((a - true) ** 2))) for name, a in answers.items()}
    r2 = {name: r_squared(true, a) for name, a in answers.items()}
    best = min(rmse, key=lambda name: rmse[name])
    return Baselines(
        rows=len(true),
        fitted_on=fitted_on,
        rmse=dict(rmse),
        r2=r2,
        winner=best if r2[best] is not None else None,
    )


def first_guess(samples: Samples, target: Target) -> Floats:
    """The physical estimate of a KPI, 0 where there is none; shape (rows,)."""
    if target.base is None:
        return np.zeros(len(samples))
    guess = samples.x[:, samples.features.index(target.base)].astype(float)
    return np.asarray(np.clip(np.nan_to_num(guess), target.lower, target.upper))


def last_known(samples: Samples) -> Floats:
    """The last value of each KPI before each row's interval, in the same run and element.

    Returns:
        Shape (rows, KPIs); NaN where there was none yet.
    """
    frame = pd.DataFrame(samples.y.astype(float))
    frame["run"], frame["element"] = samples.run, samples.element
    order = np.argsort(samples.interval, kind="stable")
    columns = list(range(samples.y.shape[1]))
    keys = ["run", "element"]
    ordered = frame.iloc[order]
    ordered[columns] = ordered.groupby(keys)[columns].shift(1)
    filled = ordered.groupby(keys)[columns].ffill()
    return filled.sort_index().to_numpy()


def _pipeline(regressor: Any) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), regressor)


def _ridge() -> Any:
    from sklearn.linear_model import Ridge

    return _pipeline(Ridge(alpha=10.0))


def _neighbours() -> Any:
    from sklearn.neighbors import KNeighborsRegressor

    return _pipeline(KNeighborsRegressor(N_NEIGHBOURS, weights="distance"))


def _forest() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return _pipeline(
        RandomForestRegressor(N_TREES, max_features=1 / 3, min_samples_leaf=2, random_state=0)
    )


REGRESSORS: Mapping[str, Callable[[], Any]] = {
    RIDGE: _ridge,
    NEIGHBOURS: _neighbours,
    FOREST: _forest,
}
"""Simple models that are fitted."""
