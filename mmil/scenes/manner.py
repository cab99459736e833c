"""How an attempt was done: its path speed and peak force, and whether that is the manner that was asked for.

What is slow or gentle is told by what an expert does who was asked for no manner: manners.yaml holds its medians.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml

from mmil.contracts import Goal, State

PLAIN = Path(__file__).parent / "manners.yaml"
SLOW, GENTLE, QUICK = 0.6, 0.7, 1.15  # of the plain medians: at most, at most, at least
SECONDS = 0.05  # of a control step


class Course:
    """What can be measured of an attempt, from one state after the other."""

    def __init__(self, start: State) -> None:
        self._last, self._steps, self._way, self._peak = start.eef_position, 0, 0.0, 0.0

    def add(self, state: State) -> None:
        self._way += float(np.linalg.norm(state.eef_position - self._last))
        self._peak = max(self._peak, state.contact)
        self._last = state.eef_position
        self._steps += 1

    @property
    def measures(self) -> dict[str, float]:
        """`path_speed` [m/s] of the hand on the whole, `peak_force` [N] on it, spikes apart."""
        speed = self._way / (self._steps * SECONDS) if self._steps else 0.0
        return {"path_speed": round(speed, 6), "peak_force": round(self._peak, 4)}


def fulfilled(goal: Goal, measures: Mapping[str, float]) -> bool:
    """Whether an attempt with these measures was done in the goal's manner; any is where none was asked for."""
    plain = plain_medians().get(goal.verb)
    if goal.manner is None or plain is None:
        return True
    speed, force = measures["path_speed"] / plain["path_speed"], measures["peak_force"] / plain["peak_force"]
    return {"slowly": speed <= SLOW, "gently": force <= GENTLE, "quickly": speed >= QUICK}[goal.manner]


@lru_cache(maxsize=1)
def plain_medians() -> dict[str, dict[str, float]]:
    return yaml.safe_load(PLAIN.read_text()) or {}
