"""Trials of a run's policy in parallel, judged from privileged state: trials.jsonl and summary.json."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmil import parallel
from mmil.contracts import Actor, Goal, Infeasible, Outcome, Scene, Spec, State, Trial, UserError
from mmil.data.shards import file_sha256, write_atomic
from mmil.evaluation.statistics import summarise
from mmil.evaluation.suites import NOTHING, Suite, aim, choose
from mmil.evaluation.video import write_video
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.progress import progress_bar
from mmil.rollout import play

LAYOUTS = 300  # that are drawn, at most, to find one that offers a goal of the suite
FILMS = 1  # of each outcome of a suite, a worker
Told = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Request:
    """One trial to run; `films` is the folder for a few of them."""

    suite: Suite
    seed: int
    films: Path


@dataclass(frozen=True)
class Stage:
    """What every worker builds for itself: the policy once, a scene for each band of cameras."""

    actor: Callable[[], Actor]
    scene: Callable[[Mapping[str, Any]], Scene]
    config: Mapping[str, Any]  # of the scene the data were made in
    spec: Spec
    horizon: int
    own: Told | None
    held: Compositions = NOTHING  # what the data set held out of training
    references: float = 0.0  # the share of its sentences that say a thing by what else is there

    def __call__(self) -> _Worker:
        return _Worker(self)


class _Worker:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.actor, self.grammar = stage, stage.actor(), Grammar.load()
        self._scenes: dict[tuple[str, str], Scene] = {}
        self._filmed: Counter[tuple[str, Outcome]] = Counter()

    def scene(self, suite: Suite) -> Scene:
        kind = (suite.cameras, suite.goals)
        if kind not in self._scenes:
            scene = self.stage.scene(suite.scene_config(self.stage.config, horizon=self.stage.horizon))
            scene.spec.require(self.stage.spec, mine="the scene", theirs="the policy's Spec")
            self._scenes[kind] = scene
        return self._scenes[kind]

    def run(self, request: Request) -> Trial:
        trial = self._play(request)
        self._filmed[trial.suite, trial.outcome] += 1
        if self._filmed[trial.suite, trial.outcome] <= FILMS:
            # played again and not filmed at once: rendering every step would slow every trial
            film = request.films / f"{trial.seed}-{trial.outcome}.mp4"
            if self._play(request, film=film).outcome != trial.outcome:
                raise UserError(f"trial {trial.seed} of {trial.suite} ended otherwise when it was played again")
        return trial

    def _play(self, request: Request, *, film: Path | None = None) -> Trial:
        begun, suite, scene = time.monotonic(), request.suite, self.scene(request.suite)
        seed, goal, sentence = self._choose(request)
        frames: dict[str, list[np.ndarray]] = {camera: [] for camera in scene.spec.cameras} if film else {}
        steps = -1
        horizon = self.stage.horizon
        for turn in play(scene, self.actor, seed=seed, horizon=horizon, goal=goal, instruction=sentence):
            steps += 1
            for camera, kept in frames.items():
                kept.append(turn.step.observation.images[camera])
        if film:
            stacked = {camera: np.stack(kept) for camera, kept in frames.items()}
            write_video(film, stacked, control_hz=scene.spec.control_hz)
        return Trial(
            suite=suite.name,
            goal=goal,
            instruction=sentence,
            seed=seed,
            outcome=turn.outcome or "timeout",
            steps=steps,
            taken=taken(turn.step.state),
            seconds=round(time.monotonic() - begun, 3),
        )

    def _choose(self, request: Request) -> tuple[int, Goal, str]:
        """The seed of the first layout that offers a goal of the suite, that goal, and what is said."""
        suite, scene, stage = request.suite, self.scene(request.suite), self.stage
        for held in dict.fromkeys((aim(suite, seed=request.seed, held=stage.held), stage.held)):
            about: dict[str, Any] = {"own": stage.own, "held": held, "references": stage.references}
            choice = partial(choose, suite, grammar=self.grammar, **about)
            for attempt in range(LAYOUTS):
                seed = suite.seed(request.seed, attempt) if attempt else request.seed
                with contextlib.suppress(Infeasible):
                    state = scene.reset(seed).state
                    chosen = choice(seed=seed, drawn=state.goal, goals=scene.goals, among=state.bodies)
                    if chosen:
                        return seed, *chosen
        raise UserError(f"{_name(request)}: none of {LAYOUTS} layouts offers a goal of it ({suite.goals})")

    def close(self) -> None:
        for scene in self._scenes.values():
            scene.close()


def taken(state: State) -> str | None:
    """The thing in the hand."""
    return next((str(body.thing) for body in state.bodies if body.held), None)


def run_trial(worker: _Worker, request: Request) -> Trial:
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
) -> dict[str, dict[str, Any]]:
    """Run every suite's trials, write them under out[name], and return the summaries."""
    requests = [
        Request(suite, suite.seed(seed, index), films=out[suite.name] / "videos")
        for suite in suites
        for index in range(trials)
    ]
    begun = time.monotonic()
    done = _run(requests, stage, workers=workers, patience=patience)
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
            **about,
        )
        _write(out[suite.name], ended, summaries[suite.name])
    return summaries


def _run(
    requests: Sequence[Request], stage: Stage, *, workers: int | None, patience: float | None
) -> dict[Request, Trial]:
    done: dict[Request, Trial] = {}
    if not requests:
        return done
    work = parallel.run(
        run_trial,
        requests,
        make=stage,
        workers=workers,
        env=parallel.simulation_env(),
        name=_name,
        patience=patience,
    )
    with progress_bar("evaluate", total=len(requests), unit="trials") as advance, closing(work):
        for request, trial in work:
            done[request] = trial
            advance(f"success {sum(one.success for one in done.values())}/{len(done)}")
    return done


def _name(request: Request) -> str:
    return f"trial {request.seed} of {request.suite.name}"


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
