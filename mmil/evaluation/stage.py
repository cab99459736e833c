"""One trial after the other: a process's policy, its scenes, and how a trial is chosen, played and judged."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import HELD_STEPS, SLOW_TIME, Actor, Goal, Infeasible, Outcome, Scene, Spec, State, Trial, UserError
from mmil.evaluation.altered import Altered, Change, Props
from mmil.evaluation.suites import NOTHING, Choice, Suite, aim, choose
from mmil.evaluation.video import write_video
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.rollout import Turn, play

LAYOUTS = 300  # that are drawn, at most, to find one that offers a goal of the suite
LAYOUTS_A_VERB = 100  # to find one that offers a goal of the trial's verb
FILMS = 1  # of each outcome of a suite, a worker
Told = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Request:
    """One trial to run. turn: of the verbs, which come one after the other. films: the folder for a few of them.

    change: what is done to what the policy sees; nothing unless told.
    """

    suite: Suite
    seed: int
    turn: int
    films: Path | None = None
    change: Change | None = None


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
    props: Props | None = None  # for trials in which an input is altered

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
                film.unlink(missing_ok=True)  # of another attempt than the one that counts: worth no hours of trials
                warnings.warn(f"{name_of(request)} ended otherwise when it was played again; not filmed", stacklevel=2)
        return trial

    def play(
        self,
        request: Request,
        *,
        watch: Callable[[Turn], None] = lambda turn: None,
    ) -> Trial:
        """One trial; `watch` sees every turn as it happens."""
        begun, suite, scene = time.monotonic(), request.suite, self.scene(request.suite)
        seed, choice = self.choose(request)
        goal, told = choice.goal, choice.sentence
        other = _Other(scene, choice.about) if goal != choice.about else None
        horizon, steps = self.horizon(goal), -1
        altered = self._altered(request.change, suite, seed, choice) if request.change else None
        for turn in play(scene, altered or self.actor, seed=seed, horizon=horizon, goal=goal, instruction=told):
            steps += 1
            watch(turn)
            if other:
                other.see(turn.step.state)
        return Trial(
            suite=suite.name,
            goal=goal,
            instruction=altered.heard if altered else told,
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

    def horizon(self, goal: Goal) -> int:
        """Control steps that a trial of this goal may take."""
        return round(self.stage.horizon * (SLOW_TIME if goal.manner else 1))

    def _altered(self, change: Change, suite: Suite, seed: int, choice: Choice) -> Altered:
        assert self.stage.props is not None, "who alters inputs says with what"
        instead = self.instead(suite, seed, choice.goal) if change.how == "swap" else ""
        return Altered(self.actor, change, self.stage.props, seed=seed, instead=instead)

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
                    chosen = self._choice(suite, seed, scene=self.scene(suite), verb=verb, held=held)
                    if chosen:
                        return seed, chosen
        raise UserError(f"{name_of(request)}: none of {LAYOUTS} layouts offers a goal of it ({suite.goals})")

    def instead(self, suite: Suite, seed: int, goal: Goal) -> str:
        """A sentence for another goal of this layout than `goal`."""
        other = self.another(suite, seed, goal)
        if other is None:
            raise UserError(f"the layout of seed {seed} offers no other goal than {goal}")
        return other.sentence

    def another(self, suite: Suite, seed: int, goal: Goal) -> Choice | None:
        """Another goal of this layout than `goal`, and a sentence for it; None where it offers none."""
        asked = replace(suite, told="other", goals="train")
        return self._choice(asked, seed, scene=self.scene(suite), drawn=goal)

    def _verb(self, request: Request) -> tuple[str, ...]:
        """The verb whose turn it is, so that each has as many trials; none where compositions are asked for."""
        verbs = self.scene(request.suite).verbs if request.suite.goals == "train" else ()
        own = self.stage.own
        sayable = [verb for verb in verbs if own is None or verb in own]
        if own is not None and verbs and not sayable:
            raise UserError(
                f"your sentences are for {', '.join(own)}; what can be asked for here is {', '.join(verbs)}"
            )
        verbs = sayable
        return (verbs[request.turn % len(verbs)],) if verbs else ()

    def _choice(
        self,
        suite: Suite,
        seed: int,
        *,
        scene: Scene,
        verb: str | None = None,
        held: Compositions = NOTHING,
        drawn: Goal | None = None,
    ) -> Choice | None:
        state, stage = scene.reset(seed).state, self.stage
        return choose(
            suite,
            seed=seed,
            drawn=drawn or state.goal,
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
        self.goal, self._scene, self._steps = goal, scene, 0
        self.reached: bool | None = None

    def see(self, state: State) -> None:
        now = self._scene.reached(self.goal, state)
        if now is not None:
            self._steps = self._steps + 1 if now else 0
            self.reached = bool(self.reached) or self._steps >= HELD_STEPS


def taken(state: State) -> str | None:
    """The thing in the hand."""
    return next((str(body.thing) for body in state.bodies if body.held), None)


def name_of(request: Request) -> str:
    return f"trial {request.seed} of {request.suite.name}"
