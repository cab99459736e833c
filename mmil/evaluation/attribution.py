"""What a policy goes by: how its success and its actions change without an input, on the layouts of one suite.

RUN/attribution/SUITE/summary.json has a row an input and a way; trials.jsonl has every trial, with what was done in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import Actor, Observation, Trial
from mmil.data.shards import write_atomic
from mmil.evaluation.altered import EVERYTHING, WRENCH, Altered, Change, Props, Tape, changes, materialised
from mmil.evaluation.breakdown import share
from mmil.evaluation.journal import Journal
from mmil.evaluation.stage import Request, Stage, Worker
from mmil.evaluation.statistics import Paired
from mmil.evaluation.suites import Suite
from mmil.evaluation.trials import mapped, play_requests
from mmil.rollout import Turn

EVERY = 4  # steps a trial is looked at
INSTANTS = 8  # of those, kept at most, evenly spaced
SAME = 1e-6  # of an action: what changes less is no input


@dataclass(frozen=True)
class Probe:
    """Instants of a trial, to be answered with every input as it is and altered."""

    tape: Tape
    tried: tuple[Change, ...]
    actions: int  # that an answer holds


def attribute(
    suite: Suite,
    stage: Stage,
    *,
    trials: int,
    seed: int,
    workers: int | None,
    patience: float | None,
    actions: int,
    journal: Journal,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(summary, a record a trial). actions: of each plan that are executed, and so are compared.

    journal: of the altered trials, which are most of the work; those that it holds are not run again.
    """
    options: dict[str, Any] = {"workers": workers, "patience": patience}
    requests = [Request(suite, suite.seed(seed, index), turn=index) for index in range(trials)]
    recorded = record(requests, stage, **options)
    tapes = [tape for _, tape in recorded]
    stage = replace(stage, props=Props(stage.spec, stage.props.means if stage.props else {}, tapes))
    tried = [change for change in changes(stage.spec) if change.how != "shuffle" or trials > 1]
    moved = _measure(tapes, tried, stage, actions=actions, **options)
    used = {name: max(moved[one] for one in tried if one.input == name) > SAME for name, _ in tried}
    played = [one for one in tried if used[one.input] and one.input != EVERYTHING]
    altered = [replace(request, change=change) for change in played for request in requests]
    done = _played(altered, stage, journal, **options)
    whole = [trial for trial, _ in recorded]
    by_change = {change: [done[replace(request, change=change)] for request in requests] for change in played}
    summary = {
        "suite": suite.name,
        "seed": seed,
        "intact": _success(whole),
        "rows": [_row(change, moved, by_change, used=used[change.input], whole=whole) for change in tried],
        "everything": moved.get(Change(EVERYTHING, "shuffle")),
        "absent": [] if WRENCH in stage.spec.signals else [WRENCH],
        "instants": sum(len(tape.instants) for tape in tapes),
    }
    lines = [{**trial.to_json(), "input": None, "how": None} for trial in whole]
    lines += [{**t.to_json(), **change._asdict()} for change, some in by_change.items() for t in some]
    return summary, lines


def _played(requests: Sequence[Request], stage: Stage, journal: Journal, **options: Any) -> dict[Request, Trial]:
    numbers = {request: number for number, request in enumerate(requests)}
    left = [request for request, number in numbers.items() if number not in journal.done]
    told = {"hear": lambda request, trial: journal.add(numbers[request], trial), "already": len(requests) - len(left)}
    play_requests(left, stage, **options, **told)
    return {request: journal.done[number] for request, number in numbers.items()}


def record(
    requests: Sequence[Request], stage: Stage, *, workers: int | None, patience: float | None
) -> list[tuple[Trial, Tape]]:
    """Trials with nothing altered, and what was seen in them."""
    done = mapped(_record, requests, stage, doing="record", workers=workers, patience=patience)
    return [done[request] for request in requests]


def write(folder: Path, summary: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "trials.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    write_atomic(folder / "summary.json", json.dumps(summary, indent=1).encode() + b"\n")


class _Recorder:
    """Keeps an instant every few steps, for which pictures are rendered."""

    def __init__(self) -> None:
        self.steps, self.seen = 0, list[Observation]()

    def __call__(self, turn: Turn) -> None:
        if turn.action is not None and self.steps % EVERY == 0:
            self.seen.append(materialised(turn.step.observation))
        self.steps += 1

    @property
    def kept(self) -> tuple[Observation, ...]:
        at = np.unique(np.linspace(0, len(self.seen) - 1, INSTANTS).round().astype(int))
        return tuple(self.seen[i] for i in at)


def _record(worker: Worker, request: Request) -> tuple[Trial, Tape]:
    recorder = _Recorder()
    trial = worker.play(request, watch=recorder)
    return trial, Tape(trial.seed, recorder.kept, worker.instead(request.suite, trial.seed, trial.goal))


def _measure(
    tapes: Sequence[Tape], tried: Sequence[Change], stage: Stage, *, actions: int, **options: Any
) -> dict[Change, float]:
    """Mean absolute change of an action's elements, over the instants of all tapes."""
    probes = [Probe(tape, tuple(tried), actions) for tape in tapes]
    done = mapped(_probe, range(len(probes)), _Bench(stage, probes), doing="compare", **options)
    return {change: float(np.mean(np.concatenate([done[i][change] for i in done]))) for change in tried}


@dataclass(frozen=True)
class _Bench:
    """A worker that knows all probes: tapes are many pictures, and travel to each process once."""

    stage: Stage
    probes: Sequence[Probe]

    def __call__(self) -> tuple[Worker, Props, Sequence[Probe]]:
        assert self.stage.props is not None
        return Worker(self.stage), self.stage.props, self.probes


def _probe(bench: tuple[Worker, Props, Sequence[Probe]], number: int) -> dict[Change, np.ndarray]:
    """Change → float64 (instants,)."""
    worker, props, probes = bench
    probe, tape = probes[number], probes[number].tape
    whole = _answers(worker.actor, tape, probe.actions)
    found = {}
    for change in probe.tried:
        actor = Altered(worker.actor, change, props, seed=tape.seed, instead=tape.instead, first=tape.instants[0])
        found[change] = np.abs(_answers(actor, tape, probe.actions) - whole).mean(axis=(1, 2))
    return found


def _answers(actor: Actor, tape: Tape, actions: int) -> np.ndarray:
    """(instants, E, A): what the actor does when an episode begins there; what it draws, it draws again."""
    found = []
    for number, observation in enumerate(tape.instants):
        actor.reset(tape.seed + number)
        found.append([actor.act(observation) for _ in range(actions)])
    return np.array(found, np.float64)


def _row(
    change: Change,
    moved: Mapping[Change, float],
    by_change: Mapping[Change, Sequence[Trial]],
    *,
    used: bool,
    whole: Sequence[Trial],
) -> dict[str, Any]:
    row: dict[str, Any] = {**change._asdict(), "used": used, "action_change": moved[change]}
    trials = by_change.get(change)
    if trials is None:
        return row
    pair = Paired.of((one.success, other.success) for one, other in zip(trials, whole, strict=True))
    low, high = pair.interval
    return {**row, **_success(trials), "points": pair.points, "points_low": low, "points_high": high, "p": pair.p}


def _success(trials: Sequence[Trial]) -> dict[str, Any]:
    one, n = share(trials), len(trials)
    success = one.success
    told = {"n": n, "successes": success.successes, "rate": success.rate, "low": success.low, "high": success.high}
    return {**told, "outcomes": dict(one.outcomes)}
