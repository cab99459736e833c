"""A run as an actor, for any scene and for a loop of your own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmil.contracts import Actor, Observation, Spec, State
from mmil.run import load_runner
from mmil.runner import Runner
from mmil.serving.given import observed

_ONE_AT_A_TIME = threading.Lock()  # torch has one source of chance for all threads


class Loaded(Actor):
    """A runner that looks at what it is given before its policy does, and draws from chance of its own.

    Several may share a policy, in threads too: each has its history, and acts as if it were alone.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._devices = [d for d in {p.device for p in runner.policy.parameters()} if d.type == "cuda"]
        self.reset(0)

    @property
    def spec(self) -> Spec:
        """What it observes and how it acts: cameras, signals, axes of an action."""
        return self.runner.policy.spec

    @property
    def control_hz(self) -> float:
        """How often a second it is to be asked [Hz]."""
        return self.spec.control_hz

    @property
    def meaning(self) -> str:
        """What its actions mean."""
        return meaning(self.spec)

    def reset(self, seed: int) -> None:
        with _ONE_AT_A_TIME, torch.random.fork_rng(self._devices):
            self.runner.reset(seed)
            self._chance = self._drawn()

    def act(self, observation: Observation | Mapping[str, Any], state: State | None = None) -> np.ndarray:
        """float32 (A,) in [−1, 1], of an Observation or of {"images": …, "signals": …, "instruction": …}."""
        checked = observed(observation, self.spec)
        with self._own_chance():
            return self.runner.act(checked)

    @contextmanager
    def _own_chance(self) -> Iterator[None]:
        with _ONE_AT_A_TIME, torch.random.fork_rng(self._devices):
            torch.set_rng_state(self._chance[0])
            for device, chance in zip(self._devices, self._chance[1:], strict=True):
                torch.cuda.set_rng_state(chance, device)
            yield
            self._chance = self._drawn()

    def _drawn(self) -> list[torch.Tensor]:
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self._devices)]


def load(run: str | Path, *, device: str = "cpu", **options: Any) -> Loaded:
    """The policy of a finished run as an actor; `options` are those of Runner, as `execute`."""
    return Loaded(load_runner(Path(run), device=device, **options))


def meaning(spec: Spec) -> str:
    """What an action of this Spec means, in words and by axis."""
    axes = f"{', '.join(spec.action)}, each in [-1, 1]"
    told = spec.conventions.get("action")
    return f"{axes}: {told}" if told else axes
