"""What trials say part by part: by skill and thing, by manner, and whether the policy does what it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from mmil.contracts import OUTCOMES, Trial
from mmil.evaluation.statistics import Interval, Paired, wilson
from mmil.evaluation.suites import difference

PARTS: Mapping[str, Callable[[Trial], str]] = {
    "skills": lambda trial: trial.goal.verb,
    "shapes": lambda trial: trial.goal.object.shape,
    "colours": lambda trial: trial.goal.object.colour or "(its own)",
}
PLAIN = "(none)"  # the manner of goals that have none


@dataclass(frozen=True)
class Share:
    """Of some trials: how many succeeded, and how they ended."""

    success: Interval
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class Manner:
    """Trials that were asked for in one manner, or in none."""

    success: Interval
    fulfilled: Interval  # of all of them that were measured, whether they reached the goal or not
    of_reached: Interval  # of those that reached it
    path_speed: float | None  # [m/s], median of the hand's
    peak_force: float | None  # [N], median of the highest


def share(trials: Sequence[Trial]) -> Share:
    outcomes = Counter(trial.outcome for trial in trials)
    return Share(wilson(outcomes["success"], len(trials)), {name: outcomes[name] for name in OUTCOMES})


def by(trials: Sequence[Trial], part: Callable[[Trial], str]) -> dict[str, Share]:
    """What `part` says of a trial → how those trials went, by name."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(part(trial), []).append(trial)
    return {name: share(found[name]) for name in sorted(found)}


def by_manner(trials: Sequence[Trial]) -> dict[str, Manner]:
    """Each manner that was asked for, and what was asked for in none beside it; nothing where none ever was."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.goal.manner or PLAIN, []).append(trial)
    return {} if set(found) <= {PLAIN} else {name: _manner(found[name]) for name in sorted(found)}


def _manner(trials: Sequence[Trial]) -> Manner:
    measured = [trial.fulfilled for trial in trials if trial.fulfilled is not None]
    outcomes = Counter(trial.outcome for trial in trials)
    asked = any(trial.goal.manner for trial in trials)
    reached = outcomes["success"] + outcomes["wrong_manner"] if asked else 0
    return Manner(
        success=wilson(outcomes["success"], len(trials)),
        fulfilled=wilson(sum(measured), len(measured)),
        of_reached=wilson(outcomes["success"] if asked else 0, reached),
        path_speed=_middle(trials, "path_speed"),
        peak_force=_middle(trials, "peak_force"),
    )


def _middle(trials: Sequence[Trial], name: str) -> float | None:
    values = [trial.measures[name] for trial in trials if name in trial.measures]
    return median(values) if values else None


def listening(seen: Sequence[Trial], wrong: Sequence[Trial]) -> dict[str, Paired]:
    """Success at a goal with its own sentence against success at it with another goal's, on the same layouts.

    By what the other goal differs in, and "any" of all; nothing where no trial can say whether the goal was reached.
    """
    told = {(trial.seed, trial.goal): trial.success for trial in seen}
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    for trial in wrong:
        if trial.drawn is None or trial.drawn_reached is None or (trial.seed, trial.drawn) not in told:
            continue
        pair = told[trial.seed, trial.drawn], trial.drawn_reached
        for kind in ("any", difference(trial.goal, trial.drawn)):
            pairs.setdefault(kind, []).append(pair)
    return {kind: Paired.of(found) for kind, found in sorted(pairs.items())}


def details(trials: Sequence[Trial]) -> dict[str, Any]:
    """What summary.json says part by part, as JSON values."""
    told: dict[str, Any] = {name: _told(by(trials, part)) for name, part in PARTS.items()}
    told["manners"] = {
        name: {
            **_rate(one.success),
            "fulfilled": _rate(one.fulfilled),
            "fulfilled_of_reached": _rate(one.of_reached),
            "path_speed": one.path_speed,
            "peak_force": one.peak_force,
        }
        for name, one in by_manner(trials).items()
    }
    return told


def _told(shares: Mapping[str, Share]) -> dict[str, Any]:
    return {name: {**_rate(one.success), "outcomes": dict(one.outcomes)} for name, one in shares.items()}


def _rate(one: Interval) -> dict[str, Any]:
    return {"n": one.n, "successes": one.successes, "rate": one.rate, "low": one.low, "high": one.high}
