"""Foreign actions into [−1, 1], where ours lie, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_tools.convert.given import Given
from data_tools.convert.notes import Notes
from mmil.contracts import Spec

SCALE = "action_scale"  # in Spec.controller
ROUNDING = 1e-6  # what reaches past 1 by no more than this was rounded


@dataclass(frozen=True)
class Extent:
    """The least and the most of every axis over a whole source, float64 (A,) each."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, actions: np.ndarray) -> Extent:
        return cls(actions.min(axis=0).astype(np.float64), actions.max(axis=0).astype(np.float64))

    def __or__(self, other: Extent) -> Extent:
        return Extent(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    @property
    def reach(self) -> float:
        return float(max(np.abs(self.low).max(initial=0), np.abs(self.high).max(initial=0)))


@dataclass(frozen=True)
class Scale:
    """ours = (theirs − center) / half."""

    center: np.ndarray  # float64 (A,)
    half: np.ndarray  # float64 (A,)

    @classmethod
    def over(cls, extent: Extent, given: Given, notes: Notes) -> Scale:
        """What brings actions of this extent into [−1, 1]; one that leaves them as they are where they are there."""
        axes = len(extent.low)
        as_it_is = cls(np.zeros(axes), np.ones(axes))
        if extent.reach <= 1 + ROUNDING or given.actions == "clip":
            if extent.reach > 1 + ROUNDING:
                notes.changed["actions"] = f"reach {extent.reach:.4g}, clipped to [-1, 1] (--actions clip)"
            return as_it_is
        if given.actions == "as_is":
            given.ask(
                f"how actions that reach {extent.reach:.4g} become ours, which lie in [-1, 1]: give --actions scale "
                "(each axis from its least to its most; the Spec keeps the factors) or --actions clip"
            )
            return as_it_is
        half = (extent.high - extent.low) / 2
        notes.changed["actions"] = "each axis scaled to [-1, 1] by its least and its most; Spec.controller has both"
        return cls((extent.high + extent.low) / 2, np.where(half > 0, half, 1.0))

    @classmethod
    def told_by(cls, spec: Spec) -> Scale:
        told: Mapping[str, Any] = spec.controller.get(SCALE, {})
        axes = len(spec.action)
        return cls(np.array(told.get("center", [0.0] * axes)), np.array(told.get("half", [1.0] * axes)))

    @property
    def trivial(self) -> bool:
        return not self.center.any() and bool((self.half == 1).all())

    def to_json(self) -> dict[str, Any]:
        """For Spec.controller."""
        return {} if self.trivial else {SCALE: {"center": self.center.tolist(), "half": self.half.tolist()}}

    def ours(self, theirs: np.ndarray) -> np.ndarray:
        """float32 (T, A) in [−1, 1]."""
        scaled = theirs if self.trivial else (theirs.astype(np.float64) - self.center) / self.half
        return np.clip(scaled, -1.0, 1.0).astype(np.float32)

    def theirs(self, ours: np.ndarray) -> np.ndarray:
        """float32 (T, A) in their units."""
        return ours if self.trivial else (ours.astype(np.float64) * self.half + self.center).astype(np.float32)
