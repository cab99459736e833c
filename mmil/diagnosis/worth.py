"""What a learnt reward says of one layout: gone through by the expert, the policy, and by who does nothing sensible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmil.config import build_actor
from mmil.contracts import Actor, Observation, State
from mmil.evaluation.stage import Request, Stage, Worker
from mmil.rewards.learned import LearnedReward, load_reward
from mmil.rollout import Turn, play

EXPERT, POLICY, STILL, RANDOM = "expert", "policy", "still", "random"  # who goes
HOLD = 10  # steps for which what was drawn at random is done
FRAMES = 5  # kept of an episode


@dataclass(frozen=True)
class Earned:
    """What a walk earned, decision by decision; it is taken to stay as it ended for ever."""

    success: bool
    rewards: np.ndarray  # float (D,)
    frames: tuple[np.ndarray, ...] = ()  # uint8 (h, w, 3), evenly over the episode, of the first camera


@dataclass(frozen=True)
class Valued:
    """A layout. misled: the expert's walk, of whom another goal of the layout was asked; None: there is no other."""

    walks: Mapping[str, Earned]  # who → what it earned
    misled: Earned | None


@dataclass(frozen=True)
class Judges:
    """What a worker builds: a policy that plays trials, an expert for its scene, and the reward of the run, twice."""

    stage: Stage
    expert: Mapping[str, Any]  # its config
    run: Path

    def __call__(self) -> Judge:
        return Judge(Worker(self.stage), build_actor(self.expert), load_reward(self.run), load_reward(self.run))


@dataclass(frozen=True)
class Judge:
    worker: Worker
    expert: Actor
    told: LearnedReward  # what was asked for
    untold: LearnedReward  # something else

    def close(self) -> None:
        self.worker.close()


def valued(judge: Judge, request: Request) -> Valued:
    """All walks through a trial's layout."""
    worker, suite = judge.worker, request.suite
    seed, choice = worker.choose(request)
    other = worker.another(suite, seed, choice.goal)
    scene, horizon = worker.scene(suite), worker.horizon(choice.goal)
    axes = len(scene.spec.action)
    drivers = {EXPERT: judge.expert, POLICY: worker.actor, STILL: _Still(axes), RANDOM: _Random(axes)}
    walks, misled = dict[str, Earned](), None
    for who, driver in drivers.items():
        own = _Ledger(judge.told, frames=who == EXPERT)
        mistaken = _Ledger(judge.untold, instead=other.sentence) if other and who == EXPERT else None
        for turn in play(scene, driver, seed=seed, horizon=horizon, goal=choice.goal, instruction=choice.sentence):
            for ledger in filter(None, (own, mistaken)):
                ledger.see(turn)
        walks[who] = own.earned
        misled = mistaken.earned if mistaken else misled
    return Valued(walks, misled)


class _Ledger:
    """Of one walk. instead: the sentence that the reward is told, not the one that was followed."""

    def __init__(self, reward: LearnedReward, *, instead: str | None = None, frames: bool = False) -> None:
        self._reward, self._instead, self._films = reward, instead, frames
        self._earned, self._frames = list[float](), list[np.ndarray]()
        self._success, self._steps = False, 0

    def see(self, turn: Turn) -> None:
        observation = turn.step.observation
        if self._instead is not None:
            observation = replace(observation, instruction=self._instead)
        over = turn.outcome is not None
        if self._steps == 0:
            self._reward.reset(observation)
        else:
            earned = self._reward.step(observation, ended=over)
            if over or self._steps % self._reward.every == 0:
                self._earned.append(earned)
                if self._films:
                    self._frames.append(next(iter(observation.images.values())))
        self._steps += 1
        self._success = turn.outcome == "success"

    @property
    def earned(self) -> Earned:
        shown = np.linspace(0, len(self._frames) - 1, FRAMES).round().astype(int) if self._frames else ()
        return Earned(self._success, np.array(self._earned), tuple(self._frames[place] for place in shown))


class _Still(Actor):
    """Does nothing at all."""

    def __init__(self, axes: int) -> None:
        self.action = np.zeros(axes, np.float32)

    def reset(self, seed: int) -> None:
        """It has nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        return self.action


class _Random(_Still):
    """Draws what to do, and does it for a while."""

    def reset(self, seed: int) -> None:
        self._rng, self._steps = np.random.default_rng(seed), 0

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if self._steps % HOLD == 0:
            self.action = self._rng.uniform(-1, 1, len(self.action)).astype(np.float32)
        self._steps += 1
        return self.action
