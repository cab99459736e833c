"""Trials of a run's policy in parallel, judged from privileged state: trials.jsonl and summary.json."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmil import parallel
from mmil.contracts import HELD_STEPS, SLOW_TIME, Actor, Goal, Infeasible, Outcome, Scene, Spec, State, Trial, UserError
from mmil.data.shards import file_sha256, write_atomic
from mmil.evaluation.statistics import summarise
from mmil.evaluation.suites import NOTHING, Choice, Suite, aim, choose
from mmil.evaluation.video import write_video
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.progress import progress_bar
from mmil.rollout import Turn, play

LAYOUTS = 300  # that are drawn, at most, to find one that offers a goal of the suite
LAYOUTS_A_VERB = 100  # to find one that offers a goal of the trial's verb
FILMS = 1  # of each outcome of a suite, a worker
Told = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Request:
    """One trial to run; `films` is the folder for a few of them. turn: which verb it is about, in turns."""

    suite: Suite
    seed: int
    turn: int
    films: Path | None = None


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

    def __call__(self) -> Worker:
        return Worker(self)


class Worker:
    """Plays trials: the one actor, and every scene that it has needed so far."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.actor, self.grammar = stage, stage.actor(), Grammar.load()
        self._scenes: dict[tuple[str, str, str], Scene] = {}
        self._filmed: Counter[tuple[str, Outcome]] = Counter()

    def scene(self, suite: Suite) -> Scene:
        kind = (suite.cameras, suite.goals, suite.manner)
        if kind not in self._scenes:
            scene = self.stage.scene(suite.scene_config(self.stage.config, horizon=self.stage.horizon))
            scene.spec.require(self.stage.spec, mine="the scene", theirs="the policy's Spec")
            self._scenes[kind] = scene
        return self._scenes[kind]

    def run(self, request: Request) -> Trial:
        trial = self.play(request)
        self._filmed[trial.suite, trial.outcome] += 1
        if request.films and self._filmed[trial.suite, trial.outcome] <= FILMS:
            # played again and not filmed at once: rendering every step would slow every trial
            film = request.films / f"{trial.seed}-{trial.outcome}.mp4"
            if self._film(request, film).outcome != trial.outcome:
                raise UserError(f"trial {trial.seed} of {trial.suite} ended otherwise when it was played again")
        return trial

    def play(
        self,
        request: Request,
        *,
        actor: Actor | None = None,
        sentence: str | None = None,
        watch: Callable[[Turn], None] = lambda turn: None,
    ) -> Trial:
        """One trial of the policy, or of another actor, told what the suite says unless there is a `sentence`."""
        begun, suite, scene = time.monotonic(), request.suite, self.scene(request.suite)
        seed, choice = self.choose(request)
        goal, told = choice.goal, choice.sentence if sentence is None else sentence
        other = _Other(scene, choice.about) if goal != choice.about else None
        horizon, steps = round(self.stage.horizon * (SLOW_TIME if goal.manner else 1)), -1
        for turn in play(scene, actor or self.actor, seed=seed, horizon=horizon, goal=goal, instruction=told):
            steps += 1
            watch(turn)
            if other:
                other.see(turn.step.state)
        return Trial(
            suite=suite.name,
            goal=goal,
            instruction=told,
            seed=seed,
            outcome=turn.outcome or "timeout",
            steps=steps,
            taken=taken(turn.step.state),
            seconds=round(time.monotonic() - begun, 3),
            measures=dict(scene.measures),
            fulfilled=scene.fulfils(goal) if goal.manner else None,
            drawn=other.goal if other else None,
            drawn_reached=other.reached if other else None,
        )

    def _film(self, request: Request, film: Path) -> Trial:
        scene = self.scene(request.suite)
        frames: dict[str, list[np.ndarray]] = {camera: [] for camera in scene.spec.cameras}

        def watch(turn: Turn) -> None:
            for camera, kept in frames.items():
                kept.append(turn.step.observation.images[camera])

        trial = self.play(request, watch=watch)
        stacked = {camera: np.stack(kept) for camera, kept in frames.items()}
        write_video(film, stacked, control_hz=scene.spec.control_hz)
        return trial

    def choose(self, request: Request) -> tuple[int, Choice]:
        """The seed of the first layout that offers a goal of the suite and of the trial's verb, and what is told."""
        suite, stage = request.suite, self.stage
        aims: list[tuple[str | None, Compositions, int]]
        aims = [(verb, stage.held, LAYOUTS_A_VERB) for verb in self._verb(request)]
        aims += [(None, held, LAYOUTS) for held in (aim(suite, seed=request.seed, held=stage.held), stage.held)]
        for verb, held, layouts in dict.fromkeys(aims):
            for attempt in range(layouts):
                seed = suite.seed(request.seed, attempt) if attempt else request.seed
                with contextlib.suppress(Infeasible):
                    chosen = self._choice(suite, seed, verb=verb, held=held)
                    if chosen:
                        return seed, chosen
        raise UserError(f"{_name(request)}: none of {LAYOUTS} layouts offers a goal of it ({suite.goals})")

    def _verb(self, request: Request) -> tuple[str, ...]:
        """The verb whose turn it is, so that each has as many trials; none where compositions are asked for."""
        verbs = self.scene(request.suite).verbs if request.suite.goals == "train" else ()
        return (verbs[request.turn % len(verbs)],) if verbs else ()

    def _choice(self, suite: Suite, seed: int, *, verb: str | None, held: Compositions) -> Choice | None:
        scene, stage = self.scene(suite), self.stage
        state = scene.reset(seed).state
        return choose(
            suite,
            seed=seed,
            drawn=state.goal,
            goals=scene.goals,
            grammar=self.grammar,
            verb=verb,
            own=stage.own,
            held=held,
            among=state.bodies,
            references=stage.references,
            offers=scene.offers,
        )

    def close(self) -> None:
        for scene in self._scenes.values():
            scene.close()


class _Other:
    """Whether a goal that was not told is reached all the same."""

    def __init__(self, scene: Scene, goal: Goal) -> None:
        self.goal, self.reached, self._scene, self._steps = goal, None, scene, 0

    def see(self, state: State) -> None:
        now = self._scene.reached(self.goal, state)
        if now is not None:
            self._steps = self._steps + 1 if now else 0
            self.reached = bool(self.reached) or self._steps >= HELD_STEPS


def taken(state: State) -> str | None:
    """The thing in the hand."""
    return next((str(body.thing) for body in state.bodies if body.held), None)


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
) -> dict[str, dict[str, Any]]:
    """Run every suite's trials, write them under out[name], and return the summaries."""
    requests = [
        Request(suite, suite.seed(seed, index), turn=index, films=out[suite.name] / "videos")
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
