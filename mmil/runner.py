"""A policy made into an actor: keeps the history, and executes E of the H actions it predicts."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import numpy as np
import torch

from mmil.contracts import Actor, Batch, Observation, State, UserError, metres
from mmil.policy import Policy


class Runner(Actor):
    """Plans a chunk, executes its first `execute` actions, looks again."""

    def __init__(self, policy: Policy, *, execute: int = 4) -> None:
        if not 1 <= execute <= policy.future:
            raise UserError(f"cannot execute {execute} actions of a chunk of {policy.future}")
        self.policy, self.execute = policy.eval(), execute
        self._maps = policy.depth.names if policy.depth else ()
        self._history: deque[Observation] = deque(maxlen=policy.past)
        self._plan: deque[np.ndarray] = deque()

    def reset(self, seed: int) -> None:
        self._history.clear()
        self._plan.clear()
        torch.manual_seed(seed)  # heads that sample draw from it

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if self.policy.past > 1 or not self._plan:
            # what is looked at is rendered: with K = 1 only where a new plan is made
            self._history.append(materialised(observation, maps=self._maps))
        if not self._plan:
            chunk = self.policy.sample(self._batch())[0].cpu().numpy()
            self._plan.extend(chunk[: self.execute])
        return self._plan.popleft().astype(np.float32)

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
