"""A run as an actor, for any scene and for a loop of your own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import Actor, Observation, Spec, State, UserError
from mmil.run import load_runner
from mmil.runner import Runner
from mmil.serving.given import observed

SEEDS = range(2**63)
_ONE_AT_A_TIME = threading.Lock()  # torch has one source of chance for all threads


class Loaded(Actor):
    """A runner that looks at what it is given before its policy does.

    Several may share a policy, in threads too; each has a history of its own.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

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
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or int(seed) not in SEEDS:
            raise UserError(f"seed is {seed!r:.60}; expected an int of at least 0 and below 2**63")
        with _ONE_AT_A_TIME:
            self.runner.reset(int(seed))

    def act(self, observation: Observation | Mapping[str, Any], state: State | None = None) -> np.ndarray:
        """float32 (A,) in [−1, 1], of an Observation or of {"images": …, "signals": …, "instruction": …}."""
        checked = observed(observation, self.spec)
        with _ONE_AT_A_TIME:
            action = self.runner.act(checked)
        if not np.isfinite(action).all():
            raise UserError("the policy answered with a NaN or an infinity, which is no action; reset() begins anew")
        return action


def load(run: str | Path, *, device: str = "cpu", **options: Any) -> Loaded:
    """The policy of a finished run as an actor; `options` are those of Runner, as `execute`."""
    return Loaded(load_runner(Path(run), device=device, **options))


def meaning(spec: Spec) -> str:
    """What an action of this Spec means, in words and by axis."""
    axes = f"{', '.join(spec.action)}, each in [-1, 1]"
    told = spec.conventions.get("action")
    return f"{axes}: {told}" if told else axes
