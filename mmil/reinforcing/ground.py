"""Where attempts are made: a process's own scene and explorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmil.config import build_scene
from mmil.contracts import DECIDED, Goal, Infeasible, Scene, UserError
from mmil.language.grammar import Grammar
from mmil.novice import one_thread
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.explorer import Explorer
from mmil.rollout import Turn, play
from mmil.run import load_policy
from mmil.seeds import episode_seed, sentence_rng, trial_seed

LAYOUTS = 100  # of which one is feasible
TRIALS = "curve"  # the suite whose seeds are those of what is tried on the way, which nothing is learnt from


@dataclass(frozen=True)
class Followed:
    """A demonstration that an attempt begins with."""

    seed: int
    goal: Goal
    instruction: str
    actions: np.ndarray  # float32 (T, A), the first of its actions


@dataclass(frozen=True)
class Task:
    """One attempt.

    number: of its kind, which its seed follows from. actor, version: file of the weights that shifts are drawn by.
    trial: it is judged, not learnt from: the likeliest is done, in a layout of its own.
    """

    number: int
    actor: Path
    version: int
    trial: bool = False
    followed: Followed | None = None


@dataclass(frozen=True)
class Ground:
    """What every worker builds for itself: a policy whose head is Corrected, and the scene."""

    run: Path
    scene: Mapping[str, Any]
    seed: int
    horizon: int
    references: float = 0.0
    leads: bool = True

    def __call__(self) -> Worker:
        return Worker(self)


class Worker:
    """Makes attempts."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.scene = ground, build_scene(ground.scene)
        self.explorer = Explorer(load_policy(ground.run))
        self.explorer.head.leads.fill_(float(ground.leads))
        self.scene.spec.require(self.explorer.policy.spec, mine="the scene", theirs="the policy's Spec")
        self.grammar, self._learnt = Grammar.load(), (Path(), -1)

    def attempt(self, task: Task) -> Attempt:
        self._learn(task)
        self.explorer.greedy = task.trial
        # attempts that one demonstration leads into share its layout, not what they try there
        self.explorer.chance = episode_seed(self.ground.seed, task.number) if task.followed else None
        with one_thread():
            return self._attempt(self._seed(task), task.followed)

    def _learn(self, task: Task) -> None:
        """Take the weights that there are by now."""
        if (weights := (task.actor, task.version)) != self._learnt:
            from safetensors.torch import load_file

            self.explorer.head.actor.load_state_dict(load_file(task.actor))
            self._learnt = weights

    def _seed(self, task: Task) -> int:
        """Of a layout that offers something."""
        if task.followed:
            return task.followed.seed
        whose, number = self.ground.seed, task.number
        for layout in range(LAYOUTS):
            drawn = episode_seed(whose, number, layout)
            seed = trial_seed(TRIALS, whose, LAYOUTS * number + layout) if task.trial else drawn
            if _feasible(self.scene, seed):
                return seed
        raise UserError(f"attempt {task.number}: none of {LAYOUTS} layouts offers anything to do")

    def _attempt(self, seed: int, followed: Followed | None) -> Attempt:
        explorer, rewards, steps = self.explorer, list[float](), -1
        explorer.followed = followed.actions if followed else np.zeros((0, len(self.scene.spec.action)), np.float32)
        turn: Turn | None = None
        for turn in play(self.scene, explorer, seed=seed, horizon=self.ground.horizon, **self._told(seed, followed)):
            steps += 1
            if rewards:  # what an instant is worth was earned by the decision before it
                rewards[-1] += turn.step.reward
            if len(explorer.shifts) > len(rewards):
                rewards.append(0.0)
        assert turn is not None and turn.outcome is not None, "the last turn of play has an outcome"
        explorer.judge(turn.step.observation)
        return Attempt(
            situations=torch.stack(explorer.situations),
            shifts=torch.stack(explorer.shifts) if explorer.shifts else torch.zeros(0, explorer.head.numbers),
            rewards=torch.tensor(rewards),
            decided=turn.outcome in DECIDED,
            success=turn.outcome == "success",
            steps=steps,
            led=min(steps, len(explorer.followed)),
        )

    def _told(self, seed: int, followed: Followed | None) -> dict[str, Any]:
        if followed:
            return {"goal": followed.goal, "instruction": followed.instruction}
        said = partial(self.grammar.sample, references=self.ground.references)
        rng = sentence_rng(seed)
        return {"instruction": lambda goal, bodies: said(goal, "train", rng, among=bodies)}

    def close(self) -> None:
        self.scene.close()


def attempt(worker: Worker, task: Task) -> Attempt:
    return worker.attempt(task)


def _feasible(scene: Scene, seed: int) -> bool:
    try:
        scene.reset(seed)
    except Infeasible:
        return False
    return True
