"""A policy that tries things: it draws its shifts in place of the likeliest, and keeps what it decided."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch

from mmil.contracts import Batch, Observation, State, UserError
from mmil.heads import Corrected
from mmil.policy import Policy
from mmil.runner import Runner


class Explorer(Runner):
    """An actor for a policy whose head is Corrected.

    greedy: do the likeliest. followed: actions (T, A) that every episode begins with, as those of a demonstration.
    chance: what is drawn follows from it, if it is given, and else from the episode's seed.
    """

    def __init__(self, policy: Policy) -> None:
        self.head = corrected(policy)
        super().__init__(policy, execute=self.head.steps)
        self.chance: int | None = None
        self.greedy, self.followed = False, np.zeros((0, len(policy.spec.action)), np.float32)
        self.situations: list[torch.Tensor] = []  # (S,), of this episode
        self.shifts: list[torch.Tensor] = []  # (N,)
        self.leads: list[torch.Tensor] = []  # (H, A), of situations that were judged
        self._left: deque[np.ndarray] = deque()  # of what is followed

    def reset(self, seed: int) -> None:
        super().reset(seed if self.chance is None else self.chance)
        self.situations, self.shifts, self.leads = [], [], []
        self._left = deque(self.followed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if not self._left:
            return super().act(observation, state)
        self.watch(observation)
        return self._left.popleft()

    def watch(self, observation: Observation) -> None:
        """Keep what a later decision follows from, while somebody else decides."""
        if self.policy.past > 1 or (self.policy.first and self._first is None):
            self._look(observation)

    @torch.no_grad()
    def judge(self, observation: Observation) -> None:
        """Keep the situation of an instant in which somebody else decides, or nobody since it is the last."""
        self._look(observation)
        with self._own_chance():
            lead, situation = self._situation(self._batch(observation.instruction))
        self.situations.append(situation[0])
        self.leads.append(lead[0])

    @torch.no_grad()
    def _chunk(self, batch: Batch) -> torch.Tensor:
        lead, situation = self._situation(batch)
        location, scale = self.head.actor(situation)
        drawn = location if self.greedy else location + scale * torch.randn_like(location)
        shift = drawn.tanh()
        self.situations.append(situation[0])
        self.shifts.append(shift[0])
        return self.head.shifted(lead, shift)

    def _situation(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        context = self.policy.context(batch).vector.float()
        lead = self.head.lead(context)
        return lead, self.head.situation(context, lead)


def corrected(policy: Policy) -> Corrected:
    """Its head, if that is one which reinforcement can shift."""
    if not isinstance(policy.head, Corrected):
        name = type(policy.head).__name__
        raise UserError(f"the policy's head is {name}; what is reinforced is mmil.heads.Corrected, around any other")
    return policy.head
