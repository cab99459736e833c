"""How many trials a suite has and how long each may take, where nobody says: what the scene of the data asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

TRIALS, EACH = 100, 20  # of a suite, and of each of its verbs: whichever are more
STEPS = 120  # control steps of a trial, at least


def usual_trials(scene: Mapping[str, Any]) -> int:
    """Of a suite in the scene that a `scene:` node names."""
    return max(TRIALS, EACH * len(_options(scene).get("skills") or ()))


def usual_horizon(scene: Mapping[str, Any]) -> int:
    """Control steps of a trial in the scene that a `scene:` node names: its own, where it has that many."""
    own = _options(scene).get("horizon") or getattr(resolve_name(scene["class_path"]), "horizon", 0)
    return max(STEPS, own)


def _options(scene: Mapping[str, Any]) -> Mapping[str, Any]:
    return scene.get("init_args") or {}
