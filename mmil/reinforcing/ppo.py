"""Proximal policy optimisation (Schulman 2017), with an imitation term that fades (Rajeswaran 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from mmil.contracts import UserError, require_number
from mmil.heads.corrected import layers
from mmil.policy import Policy
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.explorer import corrected
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.learner import Learner, drawing
from mmil.reinforcing.memory import Memory


class PPO(Learner):
    """passes: over the attempts of a round, which are then forgotten. clip: of how much likelier a shift may become.

    trace: how far a value looks ahead, λ of GAE (Schulman 2016). entropy: what being undecided is worth. gradient:
    the longest of a step. divergence: how far the actor may come from the one that made the attempts (KL, in nats),
    which one that is sure of what it does is in a step or two: in what is left of the round the critic alone learns.
    """

    def __init__(
        self,
        *,
        learning_rate: float = 3e-4,
        discount: float = 0.97,
        average: float = 0.95,
        passes: int = 8,
        batch_size: int = 256,
        width: int = 256,
        clip: float = 0.2,
        trace: float = 0.95,
        entropy: float = 0.0,
        gradient: float = 0.5,
        divergence: float = 0.03,
        warmup: int = 1,
    ) -> None:
        super().__init__(learning_rate=learning_rate, discount=discount, average=average)
        require_number(least=1, passes=passes, batch_size=batch_size, width=width)
        require_number(above=0, clip=clip, gradient=gradient, divergence=divergence)
        require_number(least=0, entropy=entropy, warmup=warmup)
        if not 0 <= trace <= 1:
            raise UserError(f"trace is {trace}; it is λ of GAE, 0 to 1")
        self.passes, self.batch_size, self.width, self.clip = passes, batch_size, width, clip
        self.trace, self.entropy, self.gradient, self.warmup = trace, entropy, gradient, warmup
        self.divergence, self._far = divergence, False

    def begin(self, policy: Policy) -> None:
        self.actor = drawing(self.adopt(policy))
        value = nn.Sequential(*layers(corrected(policy).situation_width, self.width), nn.Linear(self.width, 1))
        self.critic = TensorDictModule(value, in_keys=["situation"], out_keys=["state_value"])
        self.loss = ClipPPOLoss(
            self.actor,
            self.critic,
            clip_epsilon=self.clip,
            entropy_bonus=self.entropy > 0,
            entropy_coeff=self.entropy,
            normalize_advantage=True,
        )

    def guided(self, guidance: Guidance) -> None:
        if guidance.shown:
            raise UserError(
                f"shown is {guidance.shown}, but PPO learns from what it has just tried: use imitation or SAC"
            )
        super().guided(guidance)

    def lessons(self, memory: Memory, new: Sequence[Attempt]) -> Iterator[TensorDict]:
        if not sum(map(len, new)):
            return
        every = self.told(new)
        for _ in range(self.passes):
            for some in torch.randperm(len(every)).split(self.batch_size):
                yield self.with_shown(every[some], memory)

    @torch.no_grad()
    def told(self, attempts: Sequence[Attempt]) -> TensorDict:
        """(T,) decisions of these attempts, with how likely each was, its advantage and the value to be learnt."""
        every = self.valued(torch.cat([one.transitions() for one in attempts if len(one)]))
        gae = GAE(gamma=self.discount, lmbda=self.trace, value_network=self.critic, time_dim=1)
        every = gae(every[None]).squeeze(0)
        # the actor is still the one that made these attempts
        every["action_log_prob"] = self.actor.get_dist(every).log_prob(every["action"])
        return every

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([p for p in self.loss.parameters() if p.requires_grad], lr=self.learning_rate)

    def training_step(self, batch: TensorDict, index: int) -> None:
        losses, optimizer = self.loss(batch["own"]), self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        self._far = index > 0 and (self._far or bool(losses["kl_approx"] > self.divergence))
        actor = losses["loss_objective"] + losses.get("loss_entropy", 0.0)
        if "shown" in batch:
            actor = actor + self.imitation * self.imitated(batch["shown"])
        whole = losses["loss_critic"] + (0.0 if self._far or self.current_epoch < self.warmup else actor)
        optimizer.zero_grad()
        self.manual_backward(whole)
        self.clip_gradients(optimizer.optimizer, gradient_clip_val=self.gradient, gradient_clip_algorithm="norm")
        optimizer.step()
        if self.tells:
            told = {"actor": actor, "critic": losses["loss_critic"], "clipped": losses["clip_fraction"]}
            self.log_dict({f"train/{name}": value.detach() for name, value in told.items()}, batch_size=1)
