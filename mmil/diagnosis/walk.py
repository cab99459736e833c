"""Walks: one layout gone through by the policy, and by its expert, each looked at with the eyes of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mmil.config import build_actor
from mmil.contracts import Actor, Observation, State
from mmil.evaluation.stage import Request, Stage, Worker
from mmil.rollout import Turn, play
from mmil.runner import Runner


@dataclass(frozen=True)
class Walk:
    """The N instants of an episode in which the policy planned."""

    success: bool
    steps: np.ndarray  # int (N,), when
    vectors: np.ndarray  # float32 (N, C), what the policy made of it
    places: np.ndarray  # float32 (N, 1 + things, 3) [m], of the hand and of all things
    actions: np.ndarray  # float32 (N, A), what the policy would do
    labels: np.ndarray  # float32 (N, A), what the expert would do


@dataclass(frozen=True)
class Pair:
    """The same layout and sentence, by both; and how much another sentence changes what each would do at first."""

    verb: str
    policy: Walk
    expert: Walk
    policy_heard: float | None  # mean absolute change of the first action's elements; None: there is no other goal
    expert_heard: float | None


@dataclass(frozen=True)
class Guides:
    """What a worker builds: a policy that plays trials, and an expert for its scene."""

    stage: Stage
    expert: Mapping[str, Any]  # its config

    def __call__(self) -> Guide:
        return Guide(Worker(self.stage), build_actor(self.expert))


@dataclass(frozen=True)
class Guide:
    worker: Worker
    expert: Actor

    @property
    def runner(self) -> Runner:
        assert isinstance(self.worker.actor, Runner), "a run is judged"
        return self.worker.actor

    def close(self) -> None:
        self.worker.close()


def walk(guide: Guide, request: Request) -> Pair:
    """Both walks of a trial."""
    worker, suite = guide.worker, request.suite
    seed, choice = worker.choose(request)
    heard = _heard(guide, request, seed, choice)
    scene, horizon = worker.scene(suite), worker.horizon(choice.goal)

    def gone(who: Literal["policy", "expert"]) -> Walk:
        driver, other = (guide.runner, guide.expert) if who == "policy" else (guide.expert, guide.runner)
        seen, success = _Seen(guide), False
        other.reset(seed)
        for turn in play(scene, driver, seed=seed, horizon=horizon, goal=choice.goal, instruction=choice.sentence):
            success = turn.outcome == "success"
            if turn.action is not None:
                answer = other.act(turn.step.observation, turn.step.state)
                seen.add(turn, *((turn.action, answer) if who == "policy" else (answer, turn.action)))
        return seen.walk(success=success)

    return Pair(choice.goal.verb, gone("policy"), gone("expert"), *heard)


class _Seen:
    """The instants in which the runner planned, whoever drives."""

    def __init__(self, guide: Guide) -> None:
        self._guide, self._plans, self._step = guide, 0, 0
        self._kept: list[tuple[Any, ...]] = []

    def add(self, turn: Turn, action: np.ndarray, label: np.ndarray) -> None:
        runner = self._guide.runner
        if runner.plans != self._plans:
            self._plans = runner.plans
            vector = runner.vector[0].cpu().numpy()
            both = (np.clip(one, -1, 1) for one in (action, label))
            self._kept.append((self._step, vector, _places(turn.step.state), *both))
        self._step += 1

    def walk(self, *, success: bool) -> Walk:
        steps, *rest = zip(*self._kept, strict=True)
        return Walk(success, np.array(steps), *(np.stack(one).astype(np.float32) for one in rest))


def _places(state: State) -> np.ndarray:
    """(1 + things, 3) [m]."""
    return np.stack([state.eef_position, *(body.position for body in state.bodies)])


def _heard(guide: Guide, request: Request, seed: int, choice: Any) -> tuple[float | None, float | None]:
    """How much the policy's and the expert's first actions change where another goal of the layout is told."""
    other = guide.worker.another(request.suite, seed, choice.goal)
    if other is None:
        return None, None
    scene = guide.worker.scene(request.suite)
    scene.reset(seed)
    step = scene.tell(choice.goal, choice.sentence)
    told = replace(step.observation, instruction=other.sentence)

    def change(act: Callable[[Observation, State], np.ndarray], actor: Actor) -> float:
        answers = []
        for observation, goal in ((step.observation, choice.goal), (told, other.goal)):
            actor.reset(seed)
            answers.append(act(observation, replace(step.state, goal=goal)))
        return float(np.abs(np.clip(answers[0], -1, 1) - np.clip(answers[1], -1, 1)).mean())

    return change(guide.runner.act, guide.runner), change(guide.expert.act, guide.expert)
