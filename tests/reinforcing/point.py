"""A point that is to be pushed to the middle: a problem with a known best answer, for learners and for their peers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import torch
from lightning import LightningDataModule, Trainer
from tensordict import TensorDict
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from mmil.heads import Corrected, Regression
from mmil.reinforcing import Adversary, Learner
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.memory import Memory

STRIDE, HORIZON, EPISODES = 0.3, 8, 16


class Point(gymnasium.Env):
    """x ↦ x + STRIDE · a; costs its distance from the middle; nothing ends it but the time."""

    observation_space = gymnasium.spaces.Box(-2, 2, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(-1, 1, 2).astype(np.float32), 0
        return self.place, {}

    def step(self, action):
        self.place, self.steps = follow(self.place, action), self.steps + 1
        return self.place, -float(np.linalg.norm(self.place)), False, self.steps == HORIZON, {}


def follow(place, action):
    return np.clip(place + STRIDE * np.clip(action, -1, 1), -2, 2).astype(np.float32)


def best(place):
    """The shortest way."""
    return np.clip(-np.asarray(place) / STRIDE, -1, 1)


class Standing(nn.Module):
    """A policy whose head leads nowhere: what it is shifted by is all that it does."""

    def __init__(self, *, spread: float = 0.4) -> None:
        super().__init__()
        self.head = Corrected(2, (1, 2), head=Regression, spread=spread, width=64)
        self.head.follow(spread=spread)


def situated(head: Corrected, places: np.ndarray) -> torch.Tensor:
    places = torch.as_tensor(np.asarray(places, np.float32))
    return head.situation(places, head.lead(places))


@torch.no_grad()
def attempt(head: Corrected, place: np.ndarray, *, drawn: bool, act: Any = None) -> Attempt:
    """act: who acts in place of the head's actor."""
    places, shifts = [place], []
    for _ in range(HORIZON):
        location, scale = head.actor(situated(head, places[-1:]))
        shift = (location + drawn * scale * torch.randn_like(location)).tanh()[0]
        shift = shift if act is None else torch.as_tensor(act(places[-1]), dtype=torch.float32).clamp(-0.98, 0.98)
        shifts.append(shift)
        places.append(follow(places[-1], shift.numpy()))
    rewards = -torch.tensor(np.linalg.norm(places[1:], axis=1), dtype=torch.float32)
    told = {"decided": False, "success": False, "steps": HORIZON, "wanted": torch.stack(shifts) if act else None}
    return Attempt(situated(head, np.array(places)), torch.stack(shifts), rewards, **told)


def places(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 2)).astype(np.float32)


def worth(head: Corrected, act: Any = None) -> float:
    """What an episode costs on average, where nothing is drawn."""
    every = [attempt(head, place, drawn=False, act=act) for place in places(10**6, 50)]
    return float(torch.stack([one.rewards.sum() for one in every]).mean())


@cache
def _bounds() -> tuple[float, float]:
    """What an episode costs of one who stands still, and of the best."""
    head = Standing().head
    return worth(head, act=lambda place: np.zeros(2)), worth(head, act=best)


def reached(cost: float) -> float:
    """0: no better than standing still, 1: the best."""
    still, least = _bounds()
    return (cost - still) / (least - still)


class Rounds(LightningDataModule):
    def __init__(self, learner: Learner, memory: Memory) -> None:
        super().__init__()
        self.learner, self.memory, self.told_apart = learner, memory, list[float]()

    def train_dataloader(self):
        rounds = self

        class Round(IterableDataset):
            def __iter__(self) -> Iterator[TensorDict]:
                epoch = rounds.learner.current_epoch
                torch.manual_seed(epoch)
                head = rounds.learner.policy.head
                new = [attempt(head, place, drawn=True) for place in places(epoch, EPISODES)]
                rounds.memory.add(new)
                if rounds.learner.adversary:
                    rounds.learner.adversary.add(new)
                    rounds.told_apart.append(rounds.learner.adversary.learn())
                yield from rounds.learner.lessons(rounds.memory, new)

        return DataLoader(Round(), batch_size=None, collate_fn=lambda batch: batch)


def demonstrated_by(head: Corrected, count: int) -> list[Attempt]:
    """The best there is, so often."""
    return [attempt(head, place, drawn=False, act=best) for place in places(10**7, count)]


def trained(
    learner: Learner,
    *,
    rounds: int,
    spread: float = 0.4,
    shown: float = 0.0,
    demonstrated: int = 0,
    adversary: Adversary | None = None,
) -> Corrected:
    """Its head after so many rounds. adversary: what learns the reward, in place of what a point costs."""
    policy, memory = Standing(spread=spread), Memory(shown=shown)
    learner.begin(policy)
    demonstrations = demonstrated_by(policy.head, demonstrated)
    memory.show(demonstrations)
    if adversary:
        adversary.begin(2, learner.likelihood, decisions=HORIZON, discount=learner.discount)
        adversary.show(demonstrations)
        learner.adversary = adversary
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "limit_val_batches": 0, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=rounds, reload_dataloaders_every_n_epochs=1, **quiet)
    trainer.fit(learner, datamodule=Rounds(learner, memory))
    learner.swap_average()  # what is kept of it
    return policy.head
