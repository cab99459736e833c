"""Soft actor-critic (Haarnoja 2018) that meets demonstrations, too, with norms in its critics (RLPD, Ball 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.objectives import SACLoss, SoftUpdate, ValueEstimators

from mmil.contracts import require_number
from mmil.heads.corrected import layers
from mmil.policy import Policy
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.explorer import corrected
from mmil.reinforcing.learner import Learner, drawing
from mmil.reinforcing.memory import Memory

FASTER = 10.0  # than the networks the temperature learns: entropy must not outgrow it meanwhile


class SAC(Learner):
    """updates: of the critics, a decision made. delay: so many of them, one of the actor (RLPD, Ball 2023): one that
    learns as often runs to where nothing was tried yet. critics: the smallest of so many counts.

    temperature: what entropy is worth at first, of each number of a shift, as that of many would outweigh any reward.
    It is tuned, faster than the networks, so that shifts stay as widely drawn as they began, or kept where `tuned` is
    false. warmup: rounds in which the critics alone learn: the policy is not changed by critics that know nothing yet.
    """

    def __init__(
        self,
        *,
        learning_rate: float = 3e-4,
        discount: float = 0.97,
        average: float = 0.998,
        updates: float = 4.0,
        delay: int = 4,
        batch_size: int = 128,
        critics: int = 2,
        width: int = 256,
        decay: float = 0.995,
        temperature: float = 0.01,
        tuned: bool = True,
        warmup: int = 1,
    ) -> None:
        super().__init__(learning_rate=learning_rate, discount=discount, average=average)
        require_number(above=0, updates=updates, temperature=temperature)
        require_number(least=1, delay=delay, batch_size=batch_size, critics=critics, width=width)
        require_number(above=0, below=1, decay=decay)
        require_number(least=0, warmup=warmup)
        self.updates, self.delay, self.batch_size = updates, delay, batch_size
        self.critics, self.width = critics, width
        self.decay, self.temperature, self.tuned, self.warmup = decay, temperature, tuned, warmup
        self._told: dict[str, torch.Tensor] = {}  # of the last updates

    def begin(self, policy: Policy) -> None:
        self.actor, head = drawing(self.adopt(policy)), corrected(policy)
        keys = {"in_keys": ["situation", "action"], "out_keys": ["state_action_value"]}
        critic = TensorDictModule(Critic(head.situation_width + head.numbers, self.width), **keys)
        self.loss = SACLoss(
            self.actor,
            critic,
            num_qvalue_nets=self.critics,
            alpha_init=self.temperature / head.numbers,
            fixed_alpha=not self.tuned,
            target_entropy=head.numbers * entropy(head.spread),
        )
        _ = self.loss.target_entropy  # made when first asked for: before a checkpoint is read that holds it
        self.loss.make_value_estimator(ValueEstimators.TD0, gamma=self.discount)
        self.target = SoftUpdate(self.loss, eps=self.decay)

    def lessons(self, memory: Memory, new: Sequence[Attempt]) -> Iterator[TensorDict]:
        for _ in range(math.ceil(self.updates * sum(map(len, new)))):
            yield self.with_shown(self.valued(memory.recall(self.batch_size)), memory)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        of = [self.loss.actor_network_params, self.loss.qvalue_network_params]
        groups = [[value for value in one.values(True, True) if value.requires_grad] for one in of]
        found: list[torch.optim.Optimizer] = [torch.optim.Adam(group, lr=self.learning_rate) for group in groups]
        if self.tuned:
            found.append(torch.optim.Adam([self.loss.log_alpha], lr=FASTER * self.learning_rate))
        return found

    def training_step(self, batch: TensorDict, index: int) -> None:
        own = self._charged(batch["own"])
        loss, _ = self.loss.qvalue_v2_loss(own)
        self._told["critic"] = loss.detach()
        of_actor, of_critics, *of_temperature = self._every_optimizer()
        self._follow(loss, of_critics)
        self.target.step()
        if (index + 1) % self.delay == 0 and self.current_epoch >= self.warmup:
            loss, about = self.loss.actor_loss(own)
            if "shown" in batch:
                loss = loss + self.imitation * self.imitated(batch["shown"])
            self._follow(loss, of_actor)
            for one in of_temperature:
                self._follow(self.loss.alpha_loss(about["log_prob"]).mean(), one)
            alpha = self.loss.log_alpha.detach().exp()
            self._told |= {"actor": loss.detach(), "entropy": -about["log_prob"].mean(), "alpha": alpha}
        if self.tells:
            self.log_dict({f"train/{name}": value for name, value in self._told.items()}, batch_size=1)

    def _every_optimizer(self) -> list[LightningOptimizer]:
        every = self.optimizers()
        assert isinstance(every, list)
        return every

    def _follow(self, loss: torch.Tensor, optimizer: LightningOptimizer) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def _charged(self, batch: TensorDict) -> TensorDict:
        """Entropy counted from what it is tuned to: else every decision cost something, and to fail early saved it."""
        going_on = 1.0 - batch["next", "terminated"].float()
        least = self.discount * self.loss.log_alpha.detach().exp() * self.loss.target_entropy
        batch["next", "reward"] = batch["next", "reward"] - going_on * least
        return batch


class Critic(nn.Module):
    """What a decision in a situation is worth."""

    def __init__(self, given: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(*layers(given, width), nn.Linear(width, 1))

    def forward(self, situation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return self.net(torch.cat([situation, action], dim=-1))


def entropy(spread: float) -> float:
    """Of the tanh of a normal density around 0, as shifts are drawn at first: of each number.

    That of the density itself is more, and nothing drawn within ±1 gets there but by spreading ever wider.
    """
    places, weights = np.polynomial.hermite_e.hermegauss(64)
    narrowed = 2 * (math.log(2) - np.logaddexp(spread * places, -spread * places))  # logarithm of the tanh's slope
    return math.log(spread) + 0.5 * math.log(2 * math.pi * math.e) + float(narrowed @ weights / weights.sum())
