# SPDX-License-Identifier: Apache-2.0
"""Search for hyper-parameters with Optuna, which can be ended and gone on with at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration.boosting import BoostingSettings
from calibration.fitting import KindFit, Settings
from calibration.samples import Samples
from ns3_scenarios.errors import UserError

if TYPE_CHECKING:
    import optuna

MAX_ROWS = 20_000
"""Rows of a kind that trials are fitted on, so that one takes seconds."""
SPACE: dict[str, tuple[float, float, bool]] = {
    "max_depth": (3, 9, False),
    "learning_rate": (0.04, 0.4, True),
    "n_rounds": (40, 160, False),
    "min_child_weight": (2.0, 200.0, True),
    "subsample": (0.4, 1.0, False),
    "colsample": (0.3, 1.0, False),
    "reg_lambda": (0.1, 50.0, True),
    "n_sketches": (1, 6, False),
}
"""Least and greatest value of each hyper-parameter, and whether its logarithm is drawn evenly."""

FIRST = b'{"op_code":'
"""With what a log begins."""

OnStep = Callable[[str], None]


def log_of(out: Path) -> Path:
    """Where the trials for a model are kept, beside it."""
    whole = out.absolute()
    return whole.with_name(f"{whole.name}.search.log")


def search(
    samples: Mapping[str, Samples],
    settings: Settings,
    trials: int,
    log: Path,
    on_step: OnStep | None = None,
) -> Settings:
    """The settings with which each kind of element is predicted best on the `stop` split.

    The first trial of a kind is with the settings that are given. Trials in the log count; a trial
    that was going on when a search was killed is made again. Equal data, seeds and numbers of
    trials give equal settings, however often the search was ended.

    Args:
        samples: by kind; the test split and the conformal one are not looked at.
        settings: to begin with.
        trials: of each kind.
        log: file of the trials.
        on_step: told what is being done.

    Raises:
        UserError: Optuna is not installed, or the log is of another search or cannot be used.
    """
    say = on_step or (lambda _: None)
    try:
        import optuna
    except ModuleNotFoundError:
        raise UserError("a search for hyper-parameters needs Optuna: pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    few = replace(settings, max_rows=min(settings.max_rows, MAX_ROWS))
    found = dict(settings.boosting)
    for kind, every in samples.items():
        start = found.get(kind, BoostingSettings())
        study = _study(log, kind, _fingerprint(every, few, start))
        objective = _objective(KindFit(kind, every, few, lambda _: None), start)
        while (done := len(_in_state(study, "COMPLETE"))) < trials:
            if not done and not _in_state(study, "WAITING"):
                study.enqueue_trial({name: getattr(start, name) for name in SPACE})
            # By trial, so that it does not matter where a search was ended.
            seed = settings.seed + done
            study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=False)
            study.optimize(objective, n_trials=1)
            say(f"{kind}: trial {done + 1} of {trials}, least error {study.best_value:.4f}")
        found[kind] = replace(start, **study.best_params)
    return replace(settings, boosting=found)


def _objective(work: KindFit, start: BoostingSettings) -> Callable[[optuna.Trial], float]:
    def error(trial: optuna.Trial) -> float:
        drawn: dict[str, Any] = {}
        for name, (least, greatest, log) in SPACE.items():
            value = getattr(start, name)
            low, high = min(least, value), max(greatest, value)
            if isinstance(value, int):
                drawn[name] = trial.suggest_int(name, int(low), int(high))
            else:
                drawn[name] = trial.suggest_float(name, low, high, log=log)
        return work.error(replace(start, **drawn))

    return error


def _study(log: Path, kind: str, fingerprint: str) -> optuna.Study:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    try:
        _mend(log)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(log)))
        study = optuna.create_study(storage=storage, study_name=kind, load_if_exists=True)
    except OSError as error:
        raise UserError(f"cannot write {log}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{log} is no log of a search; move it away or choose another model"
        ) from None
    if study.user_attrs.setdefault("of", fingerprint) != fingerprint:
        raise UserError(
            f"{log} is of a search on other traces or with other settings; move it away or choose "
            "another model"
        )
    study.set_user_attr("of", fingerprint)
    return study


def _mend(log: Path) -> None:
    """Cut off a line that was being written when a search was killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    data = log.read_bytes() if log.exists() else b""
    if not data.startswith(FIRST[: len(data)]):
        raise ValueError("it begins in another way")
    if not data.endswith(b"\n"):
        with log.open("ab") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _in_state(study: optuna.Study, state: str) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState[state],))


def _fingerprint(samples: Samples, settings: Settings, start: BoostingSettings) -> str:
    """What a trial's error depends on besides its hyper-parameters."""
    parts = (samples.runs, samples.features, settings.max_rows, settings.seed, asdict(start), SPACE)
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(samples.x.tobytes())
    digest.update(samples.y.tobytes())
    return digest.hexdigest()
