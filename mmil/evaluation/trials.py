"""Trials of a run's policy in parallel, judged from privileged state: trials.jsonl and summary.json."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from mmil import parallel
from mmil.contracts import Trial
from mmil.data.shards import file_sha256, write_atomic
from mmil.evaluation.altered import Change
from mmil.evaluation.breakdown import details
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
    patience: float | None = None,
    change: Change | None = None,
) -> dict[str, dict[str, Any]]:
    """Run every suite's trials, write them under out[name], and return the summaries.

    change: what is done to what the policy sees; nothing unless told.
    """
    requests = [
        Request(suite, suite.seed(seed, index), turn=index, films=out[suite.name] / "videos", change=change)
        for suite in suites
        for index in range(trials)
    ]
    begun = time.monotonic()
    done = play_requests(requests, stage, workers=workers, patience=patience)
    seconds = time.monotonic() - begun
    summaries = {}
    for suite in suites:
        ended = [done[request] for request in requests if request.suite == suite]
        summaries[suite.name] = summarise(
            ended,
            suite=suite.name,
            seed=seed,
            workers=workers or parallel.available_cores(),
            seconds=round(seconds * len(ended) / max(1, len(requests)), 1),
            scene=suite.scene_config(stage.config, horizon=stage.horizon),
            altered=change._asdict() if change else None,
            **details(ended),
            **about,
        )
        _write(out[suite.name], ended, summaries[suite.name])
    return summaries


def mapped(
    task: parallel.Task[Item, Result],
    items: Sequence[Item],
    make: Callable[[], Any],
    *,
    doing: str,
    workers: int | None,
    patience: float | None,
    note: Callable[[Mapping[Item, Result]], str] = lambda done: "",
) -> dict[Item, Result]:
    """Every item with task(made, item), under a bar that shows a note of what is done."""
    done: dict[Item, Result] = {}
    if not items:
        return done
    env = parallel.simulation_env()
    work = parallel.run(task, items, make=make, workers=workers, env=env, name=_name, patience=patience)
    with progress_bar(doing, total=len(items), unit="trials") as advance, closing(work):
        for item, result in work:
            done[item] = result
            advance(note(done))
    return done


def play_requests(
    requests: Sequence[Request], stage: Stage, *, workers: int | None, patience: float | None
) -> dict[Request, Trial]:
    return mapped(run_trial, requests, stage, doing="evaluate", workers=workers, patience=patience, note=_successes)


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
