"""mmil: robots that learn by watching, from randomised scenes to trials on sentences never seen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmil.rewards.learned import LearnedReward
    from mmil.serving.loaded import Loaded

__version__ = "0.1.0"


def load(run: str | Path, *, device: str = "cpu", **options: Any) -> Loaded:
    """The policy of a finished run as an actor: `reset(seed)`, then `act(observation)` at its `control_hz`.

    options: of mmil.runner.Runner, as execute=2: actions of each predicted chunk before it looks again.
    """
    from mmil.serving.loaded import load as loaded  # torch, which `import mmil` does not wait for

    return loaded(run, device=device, **options)


def load_reward(run: str | Path) -> LearnedReward:
    """The reward that a finished run has learnt: `reset(observation)`, then `step(observation)` is what was earned."""
    from mmil.rewards.learned import load_reward as loaded  # torch, which `import mmil` does not wait for

    return loaded(run)


if "gymnasium" in sys.modules:  # whoever uses it finds our environments; nobody else waits for it
    from mmil import gym as gym
