"""Many environments at once, a process each: gymnasium.make_vec("mmil/Tabletop-v0", num_envs=4)."""

from __future__ import annotations

import multiprocessing
import os
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv

from mmil.parallel import simulation_env

ANY = "mmil.gym:mmil/Scene-v0"


def vector(*, num_envs: int, **options: Any) -> AsyncVectorEnv:
    """Processes are spawned: a renderer does not survive a fork."""
    return AsyncVectorEnv([partial(_make, **options)] * num_envs, context="spawn")


def _make(**options: Any) -> gymnasium.Env:
    if multiprocessing.parent_process() is not None:  # the caller's own process keeps its settings
        os.environ.update(simulation_env())
    return gymnasium.make(ANY, **options)
