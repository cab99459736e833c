"""How many trials a suite has and how long each may take, where nobody says: what the scene of the data asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

TRIALS, EACH = 100, 20  # of a suite, and of each of its verbs: whichever are more
STEPS = 120  # control steps of a trial, at least
# times the horizon of the scene: no demonstration is longer, and the longest are cut short by it, so that a policy that
# misses once would fail by the clock; in robomimic and LIBERO trials are 1.1 to 8 times as long as demonstrations
SLACK = 1.5


def usual_trials(scene: Mapping[str, Any]) -> int:
    """Of a suite in the scene that a `scene:` node names."""
    return max(TRIALS, EACH * len(_options(scene).get("skills") or ()))


def usual_horizon(scene: Mapping[str, Any]) -> int:
    """Control steps of a trial in the scene that a `scene:` node names: half as long again as its own."""
    own = _options(scene).get("horizon") or getattr(resolve_name(scene["class_path"]), "horizon", 0)
    return max(STEPS, round(SLACK * own))


def _options(scene: Mapping[str, Any]) -> Mapping[str, Any]:
    return scene.get("init_args") or {}
