# SPDX-License-Identifier: Apache-2.0
"""The agent `planner`: searches changes that reach a task's goal on an Experiment Model.

It knows the goal as predicates, the scenario, and what has happened so far. It rolls the model out
from there, whatever backend the episode runs on, with draws of its own: what is to come in the
episode it does not know. The search is a beam search over sets of moves (`moves_for`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agent_learning.baselines.moves import cut, moves_for
from agent_learning.baselines.settings import keep, planned, wanted
from env.agents import Call
from env.backends.surrogate import SurrogateBackend
from env.environment import Answer
from env.goals import ControlPredicate, Goal, KpiPredicate, Verdict, judge, met
from env.kpis import Kpis
from env.tasks import Task
from env.tools import TOOLS
from env.tools.reasoning.candidates import Candidate
from env.tools.reasoning.foresight import MAX_HORIZON, SCREENING_DRAWS, ToolCall
from env.tools.reasoning.trials import Trial, attempt
from env.view import View
from ns3_scenarios.controls import ControlState

BEAM = 3
"""Sets of moves that each round of the search goes on from."""
ROUNDS = 3
"""Moves that are joined at most."""
PARTNERS = 10
"""Of the best single moves, which others are joined with."""
MOST_MOVES = 60
"""Single moves that are tried."""
MOST_WAITS = 2
"""Calls in a row that change nothing."""
GAIN = 0.08
"""What the agent of a team must see in a change to make it, rather than leave it to others."""
MOST_PASSES = 5
"""Calls by which the agent of a team gives others their turn before it stops."""
CONFIRMING_DRAWS = 8
"""Futures of a set of moves that seems to reach the goal."""
ENOUGH = 0.85
"""Share of futures that reach the goal from which the search ends."""
STILL_GOOD = 0.5
"""Share of futures from which what is left of a plan is carried on with."""
PER_CALL = 0.01
"""What a further call must gain to be worth it."""
HEADROOM = 0.1
"""Weight of the margin beyond the goal."""
PER_DEGRADED = 0.15
"""What a further level of degradation of a slice must gain: it takes service away."""
ASIDE = 0.3
"""What a change that has nothing to do with the goal must gain: models err most far from home."""
RESTORING = 0.15
"""Worth of going back to what the network was planned with, besides what it gains."""
LEVELS = ("none", "reduce_rate", "essential_only")
MOST_WINDOW = 50

NOTHING = Candidate("change nothing", ())


@dataclass(frozen=True)
class Outlook:
    """What becomes of the goal under a set of moves."""

    moves: Candidate
    score: float
    """Share of futures that reach the goal, plus progress and headroom, less the price of calls."""
    success: float
    """Share of futures in which the goal holds for long enough and no constraint breaks."""


@dataclass(frozen=True)
class Objective:
    """What a task wants, without how it might be reached."""

    goal: Goal
    constraints: Goal
    advance: int
    hold: int

    def horizon(self, n_calls: int) -> int:
        """Intervals until a plan has been carried out and the goal has held."""
        window = max(getattr(p, "window", 1) for p in self.goal)
        return min(MAX_HORIZON, max(self.advance * max(n_calls, 1), window + self.hold))

    def outlook(self, view: View, trial: Trial) -> Outlook | None:
        """What a trial promises; None where it breaks a constraint on controls.

        Args:
            view: before the trial.
            trial: of some moves.
        """
        controls = trial.after.controls
        if any(isinstance(p, ControlPredicate) and not p.holds(controls) for p in self.constraints):
            return None
        start = judge(self.goal, view.history, view.controls)
        past = list(view.history[-MOST_WINDOW:])
        reached, progress = [], []
        for draw in trial.futures.draws:
            verdicts = [
                judge(self.goal, [*past, *draw[: i + 1]], controls) for i in range(len(draw))
            ]
            kept = self._kept(past, draw, trial)
            reached.append(kept and self._holds([met(v) is True for v in verdicts]))
            progress.append(_progress(verdicts[-1], start, controls) - (not kept))
        calls = len(trial.candidate.calls)
        success = float(np.mean(reached))
        score = success + float(np.mean(progress)) - PER_CALL * calls
        score -= PER_DEGRADED * (_degraded(controls) - _degraded(view.controls))
        score += RESTORING * _restored(view, trial) - ASIDE * self._is_aside(trial)
        return Outlook(trial.candidate, score, success)

    def _is_aside(self, trial: Trial) -> bool:
        """Whether moves only wait, or move applications where the goal is not about the edge."""
        moved = [s for change in trial.changes for s in change.settings if s.before != s.after]
        if not moved:
            return bool(trial.candidate.calls)
        if any(_is_of_edge(predicate) for predicate in self.goal):
            return False
        return any(setting.path.startswith("applications.") for setting in moved)

    def _kept(self, past: list[Kpis], draw: Sequence[Kpis], trial: Trial) -> bool:
        return not any(
            verdict.holds is False
            for i in range(len(draw) if self.constraints else 0)
            for verdict in judge(self.constraints, [*past, *draw[: i + 1]], trial.after.controls)
        )

    def _holds(self, met_: Sequence[bool]) -> bool:
        run = 0
        for one in met_:
            run = run + 1 if one else 0
            if run >= self.hold:
                return True
        return False


class Planner:
    """Makes the calls of the best plan that it finds, and plans anew when the plan has failed.

    Equal seeds and networks give equal calls.

    Args:
        task: whose goal and constraints it knows; it does not look at the reference.
    """

    name = "planner"

    def __init__(self, task: Task) -> None:
        self._objective = Objective(task.goal, task.constraints, task.advance, task.hold_intervals)
        self._most, self._tools = task.max_changes, frozenset(task.tools)

    def start(self, intent: str, view: View, seed: int) -> None:
        """There is no plan yet."""
        self._seed = seed
        self._plan: tuple[ToolCall, ...] = ()
        self._made: ToolCall | None = None
        self._refused: set[str] = set()
        self._waits = self._passes = 0

    def act(self, view: View, last: Answer | None) -> Call | None:
        """The next call of the plan, or of a new one."""
        if last and not last.ok:
            self._refused.add(repr(self._made))
            self._plan = ()
        view = self._imagining(view)
        # The last change that is allowed ends the episode after a single interval.
        left = max(1, self._most - 1 - len(view.changes))
        if self._plan and not self._still_good(view):
            self._plan = ()
        if not self._plan:
            self._plan = self._search(view, left).calls
        if not self._plan:
            return self._pass(view)
        self._passes = 0
        self._made, self._plan = self._plan[0], self._plan[1:]
        waiting = keep(view)
        is_wait = waiting is not None and self._made == waiting.calls[0]
        self._waits = self._waits + 1 if is_wait else 0
        return self._made.tool, self._made.arguments

    def _in_team(self, view: View) -> bool:
        """Whether others act as well, as what it may do is less than the task allows."""
        return bool(view.scope.elements) or view.scope.tools != self._tools

    def _pass(self, view: View) -> Call | None:
        """A call that leaves it to the others of a team; none where it has waited long enough."""
        cells = [cell for cell in view.scenario.cell_ids if view.scope.has(cell)]
        reads = [t for t in TOOLS.values() if t.read_only and view.scope.has_tool(t.name)]
        needs = {t.name: set(t.schema.get("required", ())) for t in reads}
        calls: list[Call] = [(name, {}) for name, needed in needs.items() if not needed]
        calls += [(n, {"cell": cells[0]}) for n, needed in needs.items() if needed == {"cell"}]
        if not calls or not self._in_team(view) or self._passes >= MOST_PASSES:
            return None
        self._passes += 1
        return calls[0]

    def _imagining(self, view: View) -> View:
        """The view, with an Experiment Model of its own to look ahead with."""
        model = SurrogateBackend(
            view.scenario, self._seed, history=view.history, controls=view.controls
        )
        return dataclasses.replace(view, foresee=model.futures)

    def _still_good(self, view: View) -> bool:
        found = self._try(view, Candidate("the rest of the plan", self._plan), SCREENING_DRAWS)
        return found is not None and found.success >= STILL_GOOD

    def _search(self, view: View, left: int) -> Candidate:
        """The best set of moves, by few futures and then by more; nothing where none is left.

        What a goal says of controls and what the network was planned with are tried first: the
        search ends where they are enough.
        """
        goal = self._objective.goal
        for obvious in (wanted, planned):
            sets = [cut(view, one, left) for one in obvious(view, goal)]
            outlooks = self._screened(view, sets)
            if found := self._sure(view, outlooks):
                return found
            if obvious is wanted and outlooks and self._in_team(view):
                return outlooks[0].moves
        wait = keep(view) if self._waits < MOST_WAITS else None
        moves = moves_for(view, goal, left)[:MOST_MOVES]
        singles = self._screened(view, [*([wait] if wait else []), *moves])
        best: list[Outlook] = []
        frontier = singles[:BEAM]
        for round_ in range(ROUNDS):
            best = sorted([*best, *frontier], key=_by_score)
            if found := self._sure(view, best[:BEAM]):
                return found
            if round_ < ROUNDS - 1:
                joined = [
                    one.moves + other.moves
                    for one in frontier
                    for other in singles[:PARTNERS]
                    if not set(map(repr, one.moves.calls)) & set(map(repr, other.moves.calls))
                    and len(one.moves.calls) + len(other.moves.calls) <= left
                ]
                frontier = self._screened(view, joined)[:BEAM]
        nothing = self._try(view, NOTHING, SCREENING_DRAWS)
        alone = not self._in_team(view)
        if best and (alone or (nothing and best[0].score > nothing.score + GAIN)):
            return best[0].moves
        return NOTHING

    def _sure(self, view: View, outlooks: Sequence[Outlook]) -> Candidate | None:
        """The first of some sets of moves that reaches the goal in most of more futures."""
        for one in outlooks:
            sure = self._try(view, one.moves, CONFIRMING_DRAWS) if one.success else None
            if sure and sure.success >= ENOUGH:
                return sure.moves
        return None

    def _screened(self, view: View, moves: Iterable[Candidate]) -> list[Outlook]:
        """Outlooks of those moves that can be made, the best first."""
        found = [self._try(view, one, SCREENING_DRAWS) for one in moves]
        return sorted((one for one in found if one), key=_by_score)

    def _try(self, view: View, moves: Candidate, draws: int) -> Outlook | None:
        if any(repr(call) in self._refused for call in moves.calls):
            return None
        trial = attempt(view, moves, self._objective.horizon(len(moves.calls)), draws)
        return self._objective.outlook(view, trial) if trial else None


def _is_of_edge(predicate: KpiPredicate | ControlPredicate) -> bool:
    if isinstance(predicate, ControlPredicate):
        return predicate.path.startswith("applications.")
    return predicate.table in ("edge", "application") or predicate.kpi == "edge_load_pct"


def _restored(view: View, trial: Trial) -> float:
    """Share of the settings of moves that go back to what the network was planned with."""
    plan = ControlState.initial(view.scenario)
    moved = [s for change in trial.changes for s in change.settings if s.before != s.after]
    return float(np.mean([s.after == plan.get(s.path) for s in moved])) if moved else 0.0


def _degraded(controls: ControlState) -> int:
    """Levels of degradation of all slices together."""
    return sum(LEVELS.index(slice_.degradation) for slice_ in controls.slices.values())


def _by_score(one: Outlook) -> float:
    return -one.score


def _progress(now: Sequence[Verdict], start: Sequence[Verdict], controls: ControlState) -> float:
    """Mean over predicates: 1 and some headroom where one holds, 0 as at the start, down to -1."""
    return float(np.mean([_of_one(v, s, controls) for v, s in zip(now, start, strict=True)]))


def _of_one(now: Verdict, start: Verdict, controls: ControlState) -> float:
    predicate = now.predicate
    if isinstance(predicate, ControlPredicate):
        each = [predicate.model_copy(update={"path": p}) for p in controls.expand(predicate.path)]
        return float(np.mean([one.holds(controls) for one in each]))
    if now.holds is None or now.margin is None:
        return -0.5
    size = abs(predicate.value) or 1.0
    if now.holds:
        return 1 + HEADROOM * math.tanh(now.margin / size)
    short = -start.margin if start.margin is not None and start.margin < 0 else size
    return max(-1.0, now.margin / short + 1)
