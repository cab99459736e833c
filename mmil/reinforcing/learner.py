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
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.explorer import corrected
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.memory import Memory


class Learner(Algorithm, ABC):
    """Shifts the actions of a policy whose head is Corrected; all else of the policy stays as it is.

    discount: of what comes a decision later.
    """

    def __init__(self, *, learning_rate: float, discount: float) -> None:
        super().__init__()
        require_number(above=0, learning_rate=learning_rate)
        require_number(above=0, below=1, discount=discount)
        self.automatic_optimization = False
        self.learning_rate, self.discount = learning_rate, discount
        self.guidance, self.gone = Guidance(), 0.0  # the share of the budget that is spent

    @abstractmethod
    def begin(self, policy: Policy) -> None:
        """Make what learns, for this policy."""

    @abstractmethod
    def lessons(self, memory: Memory, new: Sequence[Attempt]) -> Iterator[TensorDict]:
        """What a round is learnt from, after `new` was added to the memory."""

    @property
    def imitation(self) -> float:
        """The weight that it has by now."""
        return self.guidance.weight(self.gone)

    def adopt(self, policy: Policy) -> torch.nn.Module:
        """Take a policy, of which the actor of its head alone will learn; returns the actor."""
        self.policy = policy.requires_grad_(False)
        return corrected(policy).actor.requires_grad_(True)

    def swap_average(self) -> None:
        """None is kept."""

    def imitated(self, batch: TensorDict) -> torch.Tensor:
        """How far the likeliest shift is from what the expert would have done, in demonstrations."""
        location, _ = corrected(self.policy).actor(batch["situation"])
        apart = (location.tanh() - batch["wanted"]).square().mean(dim=1)
        of = batch["imitated"][:, 0]
        return (apart * of).sum() / of.sum().clamp(min=1.0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["gone"] = self.gone

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.gone = checkpoint["gone"]


def drawing(actor: torch.nn.Module) -> ProbabilisticTensorDictSequential:
    """The actor as torchrl knows it."""
    return ProbabilisticTensorDictSequential(
        TensorDictModule(actor, in_keys=["situation"], out_keys=["loc", "scale"]),
        ProbabilisticTensorDictModule(
            in_keys=["loc", "scale"], out_keys=["action"], distribution_class=TanhNormal, return_log_prob=True
        ),
    )
