"""A policy made into an actor: keeps the history, executes E of the H actions it predicts or plans at every step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from mmil.contracts import Actor, Batch, Observation, State, UserError, metres
from mmil.encoders.backbone import Maps
from mmil.execution import executed, weighted
from mmil.policy import Policy


@dataclass(frozen=True)
class Seen:
    """One instant with axes for batch and time, as Batch has them, its pictures as feature maps."""

    features: Mapping[str, Maps]  # camera → (1, 1, C, h', w') a stage
    signals: Mapping[str, torch.Tensor]  # float32 (1, 1, …)
    maps: Mapping[str, torch.Tensor]  # float32 (1, 1, 1, h, w)


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
        self._history: deque[Seen] = deque(maxlen=policy.past)
        self._first: Seen | None = None  # of the episode
        self._plan: deque[np.ndarray] = deque()
        self._plans: deque[np.ndarray] = deque(maxlen=policy.future)  # with ensemble: chunks (H, A), oldest first
        self._chance = torch.Generator().get_state()
        self.plans = 0  # that were made in this episode
        self._shown: Batch | None = None  # what the last of them follows from

    def reset(self, seed: int) -> None:
        for kept in (self._history, self._plan, self._plans):
            kept.clear()
        self._first, self._shown, self.plans = None, None, 0
        self._chance = torch.Generator().manual_seed(seed).get_state()

    def interrupted(self) -> None:
        self._plan.clear()
        self._plans.clear()

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if self.policy.past > 1 or not self._plan:
            self._look(observation)  # what is looked at is rendered: with K = 1 only where a new plan is made
        if not self._plan:
            self._plan.extend(self._planned(observation.instruction))
        return self._plan.popleft().astype(np.float32)

    @property
    @torch.no_grad()
    def vector(self) -> torch.Tensor:
        """(1, C): the context that the last plan follows from."""
        if self._shown is None:
            raise ValueError("nothing has been planned in this episode")
        return self.policy.context(self._shown).vector

    def _planned(self, instruction: str) -> np.ndarray:
        """(E, A), what is done next."""
        chunk = self._sample(instruction)
        if self.ensemble is None:
            return chunk[: self.execute]
        self._plans.append(chunk)
        return weighted(self._plans, decay=self.ensemble)[None]

    def _sample(self, instruction: str) -> np.ndarray:
        """A chunk (H, A). Heads draw on the processor's default generator."""
        with self._own_chance():
            self._shown = self._batch(instruction)
            chunk = self._chunk(self._shown)[0].cpu().numpy()
        self.plans += 1
        return chunk

    @contextmanager
    def _own_chance(self) -> Iterator[None]:
        """What is drawn meanwhile, whoever draws, comes from the episode."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._chance)
            yield
            self._chance = torch.get_rng_state()

    def _chunk(self, batch: Batch) -> torch.Tensor:
        """(1, H, A)."""
        return self.policy.sample(batch)

    def _look(self, observation: Observation) -> None:
        self._history.append(self._looked_at(observation))
        self._first = self._first or self._history[0]

    @torch.no_grad()
    def _looked_at(self, observation: Observation) -> Seen:
        """An instant as the policy takes it: its pictures go through the backbone once, however long it is kept."""
        spec, device = self.policy.spec, next(self.policy.parameters()).device
        if missing := [name for name in self._maps if name not in observation.maps]:
            there = ", ".join(observation.maps) or "no maps"
            raise UserError(f"the policy needs {', '.join(missing)}; there are {there}")
        pictures = {name: torch.from_numpy(np.ascontiguousarray(observation.images[name])) for name in spec.cameras}
        shown = {name: one.permute(2, 0, 1)[None, None].to(device) for name, one in pictures.items()}
        # copied: it is kept, and a robot's loop may write the next reading into the same array
        signals = {name: torch.tensor(observation.signals[name]) for name in spec.signals}
        depths = {name: torch.from_numpy(metres(observation.maps[name])) for name in self._maps}
        return Seen(
            self.policy.vision.seen(shown),
            {name: one[None, None].to(device) for name, one in signals.items()},
            {name: one[None, None, None].to(device) for name, one in depths.items()},
        )

    def _batch(self, instruction: str) -> Batch:
        last = list(self._history)
        seen = [last[0]] * (self.policy.past - len(last)) + last
        if self.policy.first:
            assert self._first is not None, "something has been looked at"
            seen = [self._first, *seen]
        return Batch(
            images={
                name: [torch.cat(stages, dim=1) for stages in zip(*(one.features[name] for one in seen), strict=True)]
                for name in self.policy.spec.cameras
            },
            signals={name: torch.cat([one.signals[name] for one in seen], dim=1) for name in self.policy.spec.signals},
            instruction=[instruction],
            maps={name: torch.cat([one.maps[name] for one in seen], dim=1) for name in self._maps},
            actions=torch.empty(1, 0, len(self.policy.spec.action)),
            valid=torch.empty(1, 0, dtype=torch.bool),
        )
