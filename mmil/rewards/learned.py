"""The reward that a run has learnt, for whoever learns by it or wants to look at it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from mmil.contracts import Observation, Spec, UserError
from mmil.data.shards import write_atomic
from mmil.policy import Policy
from mmil.rewards.discriminator import Discriminator
from mmil.run import REWARD, REWARD_ABOUT, RunFolder, load_policy
from mmil.runner import Runner


class LearnedReward:
    """What is done is worth, decision by decision; discounted, all that follows together is within ±MOST.

    every: steps of a decision; between two of them nothing is earned. discount: of what comes a decision later.
    """

    def __init__(self, policy: Policy, net: Discriminator, *, every: int, discount: float) -> None:
        self._watcher, self.net = _Watcher(policy), net.eval()
        self.every, self.discount = every, discount
        self._steps, self._before = 0, torch.empty(0)

    @property
    def spec(self) -> Spec:
        """What it looks at."""
        return self._watcher.policy.spec

    def reset(self, observation: Observation) -> None:
        """Begin an episode with the first that is seen of it."""
        self._watcher.reset(0)
        self._steps, self._before = 0, self._watcher.context(observation)

    @torch.no_grad()
    def step(self, observation: Observation, *, ended: bool = False) -> float:
        """What led to this observation earned. ended: by what was done, not by the clock; it stays like this for ever.

        Raises:
            UserError: the weights or what is seen give a NaN or an infinity.
        """
        self._steps += 1
        due = self._steps % self.every == 0 or ended
        after = self._watcher.context(observation, needed=due)
        if not due:
            return 0.0
        earned = self.net.reward(self._before, after) * (1 - self.discount)
        if ended:
            earned = earned + self.discount * self.net.reward(after, after)
        self._before = after
        return float(earned)


class _Watcher(Runner):
    """Looks as its policy does, and decides nothing."""

    def context(self, observation: Observation, *, needed: bool = True) -> torch.Tensor:
        """(1, C); nothing where it is not needed, but what is looked at is remembered as the policy does."""
        if needed or self.policy.past > 1:
            self._look(observation)
        return self.policy.context(self._batch(observation.instruction)).vector.float() if needed else torch.empty(0)


def keep_reward(folder: RunFolder, net: Discriminator, node: Mapping[str, Any], *, every: int, discount: float) -> None:
    """Leave a reward in a run. node: the config of what it is made of."""
    from safetensors.torch import save

    about = {"discriminator": dict(node), "context": len(net.mean), "every": every, "discount": discount}
    folder.write(REWARD_ABOUT, about)
    write_atomic(folder.path / REWARD, save({name: value.contiguous() for name, value in net.state_dict().items()}))


def load_reward(run: str | Path) -> LearnedReward:
    """The reward of a finished run; it looks at what the run's policy looks at."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from mmil.config import rebuild

    folder = RunFolder.open(Path(run))

    def holder(*, discriminator: Callable[[int], Discriminator]) -> None: ...

    try:
        about = json.loads((folder.path / REWARD_ABOUT).read_text())
        made = rebuild(holder, {"discriminator": about["discriminator"]})["discriminator"]
        net = made(int(about["context"]))
        net.load_state_dict(load_file(folder.path / REWARD))
        told = {"every": int(about["every"]), "discount": float(about["discount"])}
    except FileNotFoundError:
        raise UserError(f"{folder.path} has no reward: one is learnt by a recipe with an adversary, as gail") from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"the reward of {folder.path} cannot be read: {str(error)[:300]}") from None
    policy = load_policy(folder.path)
    if policy.fusion.width != len(net.mean):
        raise UserError(
            f"the reward of {folder.path} reads {len(net.mean)} numbers, its policy makes {policy.fusion.width}"
        )
    return LearnedReward(policy, net, **told)
