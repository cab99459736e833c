"""The one contract of learners: what a round of attempts is turned into, and what a step of it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from tensordict import TensorDict
from tensordict.nn import ProbabilisticTensorDictModule, ProbabilisticTensorDictSequential, TensorDictModule
from torchrl.modules import TanhNormal

from mmil.algos.algorithm import Algorithm
from mmil.contracts import require_number
from mmil.policy import Policy
from mmil.reinforcing.adversary import Adversary
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.explorer import corrected
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.memory import Memory


class Learner(Algorithm, ABC):
    """Shifts the actions of a policy whose head is Corrected; all else of the policy stays as it is.

    discount: of what comes a decision later. average: decay, a lesson, of the moving average of the actor's weights
    (Polyak 1992), which is what is judged and kept: single rounds dip. What is tried is drawn by those of the day.
    """

    actor: ProbabilisticTensorDictSequential  # the head's, as torchrl knows it

    def __init__(self, *, learning_rate: float, discount: float, average: float) -> None:
        super().__init__()
        require_number(above=0, learning_rate=learning_rate)
        require_number(above=0, below=1, discount=discount)
        require_number(least=0, below=1, average=average)
        self.automatic_optimization = False
        self.learning_rate, self.discount, self.average = learning_rate, discount, average
        self.averaged = list[torch.Tensor]()  # in the order of the actor's parameters
        self.guidance, self.gone = Guidance(), 0.0  # the share of the budget that is spent
        self.lessons_learnt = 0  # in this session
        self.adversary: Adversary | None = None  # whose reward counts in place of the scene's

    @abstractmethod
    def begin(self, policy: Policy) -> None:
        """Make what learns, for this policy."""

    @abstractmethod
    def lessons(self, memory: Memory, new: Sequence[Attempt]) -> Iterator[TensorDict]:
        """What a round is learnt from, after `new` was added to the memory."""

    def guided(self, guidance: Guidance) -> None:
        """Be told what is made of demonstrations; UserError where this learner makes something else of them."""
        self.guidance = guidance

    @property
    def tells(self) -> bool:
        return (self.lessons_learnt + 1) % max(1, self.trainer.log_every_n_steps) == 0

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.lessons_learnt += 1
        weights = self._weights()
        if not self.averaged:
            self.averaged = [one.clone() for one in weights]
        torch._foreach_lerp_(self.averaged, weights, 1 - self.average)

    def _weights(self) -> list[torch.Tensor]:
        return [one.data for one in corrected(self.policy).actor.parameters()]

    @property
    def imitation(self) -> float:
        """The weight that it has by now."""
        return self.guidance.weight(self.gone)

    def adopt(self, policy: Policy) -> torch.nn.Module:
        """Take a policy, of which the actor of its head alone will learn; returns the actor."""
        self.policy = policy.requires_grad_(False)
        return corrected(policy).actor.requires_grad_(True)

    def valued(self, batch: TensorDict) -> TensorDict:
        """Transitions, worth what counts."""
        return self.adversary.value(batch) if self.adversary else batch

    @torch.no_grad()
    def likelihood(self, batch: TensorDict) -> torch.Tensor:
        """(B, 1): the logarithm of the density by which what was done would be drawn by now."""
        return self.actor.get_dist(batch.select("situation")).log_prob(batch["action"])[:, None]

    def swap_average(self) -> None:
        """Exchange the actor's weights and their average; a second call puts them back."""
        for weight, averaged in zip(self._weights(), self.averaged, strict=False):  # nothing was learnt yet: none
            kept = averaged.clone()
            averaged.copy_(weight)
            weight.copy_(kept)

    def imitated(self, shown: TensorDict) -> torch.Tensor:
        """How far the likeliest shift is from what the expert would have done, in demonstrations."""
        location, _ = corrected(self.policy).actor(shown["situation"])
        return (location.tanh() - shown["wanted"]).square().mean()

    def with_shown(self, own: TensorDict, memory: Memory) -> TensorDict:
        """A lesson: transitions, and as many of demonstrations as long as they are imitated."""
        parts = {"own": own}
        if self.imitation and len(memory.demonstrated):
            parts["shown"] = memory.recall_shown(len(own))
        return TensorDict(parts, batch_size=[])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["gone"], checkpoint["averaged"] = self.gone, self.averaged
        # what stays as it was cloned is in the clone
        still = {f"policy.{name}" for name, value in self.policy.named_parameters() if not value.requires_grad}
        checkpoint["state_dict"] = {k: v for k, v in checkpoint["state_dict"].items() if k not in still}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.gone, self.averaged = checkpoint["gone"], checkpoint["averaged"]
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}


def drawing(actor: torch.nn.Module) -> ProbabilisticTensorDictSequential:
    """The actor as torchrl knows it."""
    return ProbabilisticTensorDictSequential(
        TensorDictModule(actor, in_keys=["situation"], out_keys=["loc", "scale"]),
        ProbabilisticTensorDictModule(
            in_keys=["loc", "scale"], out_keys=["action"], distribution_class=TanhNormal, return_log_prob=True
        ),
    )
