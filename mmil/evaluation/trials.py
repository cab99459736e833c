"""Trials of a run's policy in parallel, judged from privileged state: trials.jsonl and summary.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mmil import parallel
from mmil.contracts import Trial
from mmil.data.shards import file_sha256, write_atomic
from mmil.evaluation.altered import Change
from mmil.evaluation.breakdown import details
from mmil.evaluation.journal import Journal
from mmil.evaluation.stage import Request, Stage, Worker, name_of
from mmil.evaluation.statistics import summarise
from mmil.evaluation.suites import Suite
from mmil.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_trial(worker: Worker, request: Request) -> Trial:
    return worker.run(request)


def evaluate_suites(
    suites: Sequence[Suite],
    stage: Stage,
    *,
    trials: int,
    seed: int,
    workers: int | None,
    out: Mapping[str, Path],
    about: Mapping[str, Any],
    asked: Mapping[str, Mapping[str, Any]] | None = None,
    patience: float | None = None,
    change: Change | None = None,
) -> dict[str, dict[str, Any]]:
    """Run every suite's trials, write each suite under out[name] as it is complete, and return the summaries.

    asked: suite → what its trials follow from, `about` unless told; those that an evaluation of the same left
    unfinished are not run again. change: what is done to what the policy sees; nothing unless told.
    """
    workers = workers or parallel.available_cores()
    told = {"seed": seed, "workers": workers, "altered": change._asdict() if change else None, **about}
    sittings = {
        suite: _Sitting(
            suite, stage, trials, out[suite.name], Journal(out[suite.name], (asked or {}).get(suite.name, about)), told
        )
        for suite in suites
    }
    requests = [
        Request(suite, suite.seed(seed, index), turn=index, films=out[suite.name] / "videos", change=change)
        for suite in suites
        for index in range(trials)
    ]
    left = [request for request in requests if request.turn not in sittings[request.suite].journal.done]

    def hear(request: Request, trial: Trial) -> None:
        sittings[request.suite].add(request.turn, trial)

    try:
        play_requests(left, stage, workers=workers, patience=patience, hear=hear, already=len(requests) - len(left))
        return {suite.name: sitting.summary() for suite, sitting in sittings.items()}
    finally:
        for sitting in sittings.values():
            sitting.journal.close()


@dataclass
class _Sitting:
    """The trials of one suite, written when the last of them has ended."""

    suite: Suite
    stage: Stage
    trials: int
    out: Path
    journal: Journal
    about: Mapping[str, Any]
    made: dict[str, Any] | None = None

    def add(self, number: int, trial: Trial) -> None:
        self.journal.add(number, trial)
        if len(self.journal.done) == self.trials:
            self.summary()

    def summary(self) -> dict[str, Any]:
        if self.made is None:
            ended = [trial for _, trial in sorted(self.journal.done.items())]
            self.made = summarise(
                ended,
                suite=self.suite.name,
                seconds=round(sum(trial.seconds for trial in ended) / self.about["workers"], 1),
                scene=self.suite.scene_config(self.stage.config, horizon=self.stage.horizon),
                **details(ended),
                **self.about,
            )
            _write(self.out, ended, self.made)
            self.journal.end()
        return self.made


def mapped(
    task: parallel.Task[Item, Result],
    items: Sequence[Item],
    make: Callable[[], Any],
    *,
    doing: str,
    workers: int | None,
    patience: float | None,
    note: Callable[[Mapping[Item, Result]], str] = lambda done: "",
    hear: Callable[[Item, Result], None] = lambda item, result: None,
    already: int = 0,
) -> dict[Item, Result]:
    """Every item with task(made, item), under a bar that shows a note of what is done; `hear` is told of each at once.

    already: how many were done before.
    """
    done: dict[Item, Result] = {}
    if not items:
        return done
    env = parallel.simulation_env()
    work = parallel.run(task, items, make=make, workers=workers, env=env, name=_name, patience=patience)
    whole = already + len(items)
    with progress_bar(doing, total=whole, unit="trials", already=already) as advance, closing(work):
        for item, result in work:
            done[item] = result
            hear(item, result)
            advance(note(done))
    return done


def play_requests(
    requests: Sequence[Request], stage: Stage, *, workers: int | None, patience: float | None, **told: Any
) -> dict[Request, Trial]:
    """Every request's trial; `told` is hear and already of mapped()."""
    options: dict[str, Any] = {"workers": workers, "patience": patience, **told}
    return mapped(run_trial, requests, stage, doing="evaluate", note=_successes, **options)


def _successes(done: Mapping[Request, Trial]) -> str:
    return f"success {sum(one.success for one in done.values())}/{len(done)}"


def _name(item: Any) -> str:
    return name_of(item) if isinstance(item, Request) else str(item)


def _write(folder: Path, trials: Sequence[Trial], summary: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = {f"{trial.seed}-{trial.outcome}.mp4" for trial in trials}
    for film in (folder / "videos").glob("*.mp4"):
        if film.name not in kept:
            film.unlink()  # of an earlier evaluation
    write_atomic(folder / "trials.jsonl", "".join(json.dumps(t.to_json()) + "\n" for t in trials).encode())
    write_atomic(folder / "summary.json", json.dumps(summary, indent=1).encode() + b"\n")


def weights_sha256(run: Path) -> str:
    """Which weights a summary is about."""
    return file_sha256(run / "model.safetensors")
