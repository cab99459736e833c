"""Stored instants shown again, and whether their pictures are the stored ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mmil.contracts import Episode, Observation, UserError

MEAN = 6.0  # largest mean difference [of 255] between a stored frame and the same instant rendered again
MAPPED, FLAT = 0.02, 2  # largest share of a map that may be another one: edges; and what counts as the same depth [mm]
PATCH, LOCAL = 8, 30.0  # [pixels] a side, and the largest mean difference [of 255] in any such patch


@runtime_checkable
class Showing(Protocol):
    """What a scene has that can show what is stored."""

    def retake(self, draws: Mapping[str, Any], states: np.ndarray) -> Observation:
        """An instant again: its pictures and maps, and of its signals those that say where the cameras stand."""

    def look(self, seed: int) -> Mapping[str, Any]:
        """New draws of what only the eye notices, by the names they have among the draws."""


@runtime_checkable
class Sensing(Protocol):
    """What a scene has besides, whose cameras are noisy, late or lossy as an episode's draws say."""

    def sense(self, draws: Mapping[str, Any], seen: Iterable[Observation]) -> Iterator[Observation]:
        """What they record of all the instants of an episode, in order."""

    def clear(self, draws: Mapping[str, Any]) -> dict[str, Any]:
        """The same draws, but with cameras that record what they see."""


def recorded_at(scene: Any, draws: Mapping[str, Any], states: np.ndarray, at: Iterable[int]) -> dict[int, Observation]:
    """Stored instants again, as they would be recorded; where cameras are not perfect that takes all those before."""
    showing = require_showing(scene)
    if not isinstance(scene, Sensing) or scene.clear(draws) == draws:
        return {instant: showing.retake(draws, states[instant]) for instant in at}
    seen = list(scene.sense(draws, (showing.retake(draws, one) for one in states)))
    return {instant: seen[instant] for instant in at}


def require_showing(scene: Any) -> Showing:
    """The scene, if it can show what is stored."""
    if not isinstance(scene, Showing):
        raise UserError(f"scene {scene.spec.scene!r} cannot show stored states: it has no retake() and look()")
    return scene


def repaint_reasons(episode: Episode, seen: Observation, *, instant: int) -> Iterator[str]:
    """A line a camera or a map whose picture of that instant is another one."""
    images = seen.images
    for camera, frames in episode.images.items():
        if frames[instant].shape != images[camera].shape:
            yield f"camera {camera!r} has pictures {frames[instant].shape}, rendered again {images[camera].shape}"
        elif (apart := difference(frames[instant], images[camera])).too_far:
            yield f"camera {camera!r} at instant {instant % len(frames)} differs by {apart} when rendered again"
    for name, maps in episode.maps.items():
        if (share := elsewhere(maps[instant], seen.maps[name])) > MAPPED:
            yield f"{name} at instant {instant % len(maps)} differs in {share:.1%} of its pixels when rendered again"


def elsewhere(one: np.ndarray, other: np.ndarray) -> float:
    """The share of pixels in which two maps show another thing, or depth that is further apart than FLAT [mm]."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return 1.0
    apart = np.abs(one.astype(np.int32) - other)
    return float((apart > (FLAT if one.dtype == np.uint16 else 0)).mean())


@dataclass(frozen=True, order=True)
class Difference:
    """How far two pictures are apart [of 255]."""

    local: float  # mean over the patch that differs most
    mean: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} of 255, and by {self.local:.0f} where it differs most"

    @property
    def too_far(self) -> bool:
        """Whether no JPEG and no other driver explains it."""
        return self.mean > MEAN or self.local > LOCAL


def difference(one: np.ndarray, other: np.ndarray) -> Difference:
    """Between two pictures (h, w, 3) of one size."""
    import cv2

    apart = np.abs(one.astype(np.int16) - other).mean(axis=-1).astype(np.float32)
    return Difference(float(cv2.blur(apart, (PATCH, PATCH)).max()), float(apart.mean()))
