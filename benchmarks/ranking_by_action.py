# SPDX-License-Identifier: Apache-2.0
"""Prints of which kind the actions are that a model ranks otherwise than NS-3.

Pairs of actions that NS-3 tells apart are counted with the action that has the larger effect in
NS-3. Per objective: pairs, Kendall's tau, and the median of what the model makes of the difference,
in parts of NS-3's.

    python benchmarks/ranking_by_action.py default build/traces/* --what-ifs 3
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from joblib import Parallel, delayed

from calibration.validation.ranking import DISTINCT, HORIZON, Pair, Ranking, situations
from calibration.whatifs import OBJECTIVES, Outcome, what_if
from experiment_model import ExperimentModel
from ns3_scenarios.controls import Schedule


def kind_of(action: Schedule) -> str:
    """What an action changes, without the element."""
    names = action[0].path.split(".")
    for whole in ("slices", "handover"):
        if names[0] == "cells" and whole in names:
            return f"cells.{whole}"
    if names[-1] in ("bandwidth_mhz", "numerology"):
        return "cells.grid"
    return f"{names[0]}.{names[-1]}"


def by_action(outcomes: Sequence[Outcome]) -> dict[str, dict[str, list[Pair]]]:
    """Pairs that NS-3 tells apart, by kind of action and objective."""
    found: dict[str, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for scenario in dict.fromkeys(o.situation.scenario.name for o in outcomes):
        mine = [o for o in outcomes if o.situation.scenario.name == scenario]
        for objective in OBJECTIVES:
            ranking = Ranking(mine, objective)
            pairs = iter(ranking.pairs())
            for outcome in mine:
                means = outcome.ns3[objective].mean(1)
                effects = np.abs(means - means[0])
                for a, b in combinations(range(len(means)), 2):
                    pair = next(pairs)
                    if pair.is_told_apart(DISTINCT * ranking.range):
                        larger = a if effects[a] >= effects[b] else b
                        kind = kind_of(outcome.situation.actions[larger])
                        found[kind][objective].append(pair)
    return found


def show(found: dict[str, dict[str, list[Pair]]]) -> None:
    """Print one line for each kind of action."""
    print(f"{'':24s}" + "".join(f"{name:>20s}" for name in OBJECTIVES))
    for kind, of_objective in sorted(found.items()):
        cells = []
        for name in OBJECTIVES:
            pairs = of_objective[name]
            if pairs:
                tau = np.mean([pair.agreement for pair in pairs])
                part = np.median([pair.model / pair.ns3.mean() for pair in pairs])
                cells.append(f"{len(pairs)}: {tau:.2f} / {part:.1f}")
            else:
                cells.append("")
        print(f"{kind:24s}" + "".join(f"{cell:>20s}" for cell in cells))


def main() -> None:
    """Play the situations and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a model, or default")
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--what-ifs", type=int, default=3, help="situations of each dataset")
    parser.add_argument("--jobs", type=int, default=1, help="situations at the same time")
    options = parser.parse_args()
    path = () if options.model == "default" else (options.model,)
    model = ExperimentModel.load(*path)
    played = situations(options.datasets, options.what_ifs)
    work = (delayed(what_if)(model, situation, HORIZON) for situation in played)
    show(by_action(Parallel(n_jobs=options.jobs)(work)))


if __name__ == "__main__":
    main()
