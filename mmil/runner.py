"""A policy made into an actor: keeps the history, executes E of the H actions it predicts or plans at every step."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import numpy as np
import torch

from mmil.contracts import Actor, Batch, Observation, State, UserError, metres
from mmil.execution import executed, weighted
from mmil.policy import Policy


class Runner(Actor):
    """Plans a chunk, executes its first `execute` actions, looks again.

    ensemble: instead, plan at every step and do the mean of all that was planned for this instant, the i-th oldest
    weighted by exp(−ensemble · i) (temporal ensembling, Zhao 2023): 0 weighs all plans alike, below 0 the newest most.
    What a policy draws comes from the seed of the episode alone, whoever else draws meanwhile.
    """

    def __init__(self, policy: Policy, *, execute: int | None = None, ensemble: float | None = None) -> None:
        self.execute = executed(execute, ensemble, future=policy.future)
        if not 1 <= self.execute <= policy.future:
            raise UserError(f"cannot execute {self.execute} actions of a chunk of {policy.future}")
        self.policy, self.ensemble = policy.eval(), ensemble
        self._maps = policy.depth.names if policy.depth else ()
        self._history: deque[Observation] = deque(maxlen=policy.past)
        self._plan: deque[np.ndarray] = deque()
        self._plans: deque[np.ndarray] = deque(maxlen=policy.future)  # with ensemble: chunks (H, A), oldest first
        self._chance = torch.Generator().get_state()

    def reset(self, seed: int) -> None:
        for kept in (self._history, self._plan, self._plans):
            kept.clear()
        self._chance = torch.Generator().manual_seed(seed).get_state()

    def interrupted(self) -> None:
        self._plan.clear()
        self._plans.clear()

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if self.policy.past > 1 or not self._plan:
            # what is looked at is rendered: with K = 1 only where a new plan is made
            self._history.append(materialised(observation, maps=self._maps))
        if not self._plan:
            self._plan.extend(self._planned())
        return self._plan.popleft().astype(np.float32)

    def _planned(self) -> np.ndarray:
        """(E, A), what is done next."""
        chunk = self._sample()
        if self.ensemble is None:
            return chunk[: self.execute]
        self._plans.append(chunk)
        return weighted(self._plans, decay=self.ensemble)[None]

    def _sample(self) -> np.ndarray:
        """A chunk (H, A). Heads draw on the processor's default generator, which is lent the episode's state."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._chance)
            chunk = self.policy.sample(self._batch())[0].cpu().numpy()
            self._chance = torch.get_rng_state()
        return chunk

    def _batch(self) -> Batch:
        past, spec = list(self._history), self.policy.spec
        past = [past[0]] * (self.policy.past - len(past)) + past
        device = next(self.policy.parameters()).device
        images = {name: np.stack([one.images[name] for one in past])[None] for name in spec.cameras}
        signals = {name: np.stack([one.signals[name] for one in past])[None] for name in spec.signals}
        return Batch(
            images={name: torch.from_numpy(value).permute(0, 1, 4, 2, 3).to(device) for name, value in images.items()},
            signals={name: torch.from_numpy(value).to(device) for name, value in signals.items()},
            instruction=[past[-1].instruction],
            maps={
                name: torch.from_numpy(np.stack([metres(one.maps[name]) for one in past]))[None, :, None].to(device)
                for name in self._maps
            },
            actions=torch.empty(1, 0, len(spec.action)),
            valid=torch.empty(1, 0, dtype=torch.bool),
        )


def materialised(observation: Observation, *, maps: Collection[str] = ()) -> Observation:
    """The same instant with its pictures and these maps taken, so that it can be kept after the scene has moved on."""
    if missing := [name for name in maps if name not in observation.maps]:
        raise UserError(f"the policy needs {', '.join(missing)}; there are {', '.join(observation.maps) or 'no maps'}")
    return Observation(
        {name: observation.images[name] for name in observation.images},
        observation.signals,
        observation.instruction,
        {name: observation.maps[name] for name in maps},
    )
