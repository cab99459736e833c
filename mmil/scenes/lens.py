"""One camera as it is on a real robot: its pictures are few, noisy, late, lost now and then, or black for good."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from mmil.shown import Shown

Draws = Mapping[str, Any]
LEVELS = 4096  # of noise: as many equally likely draws, which is seven times as fast as a normal one of every pixel


class Lens:
    """What a camera shows, instant by instant: its picture and its maps, by name.

    every: instants from one picture to the next; the last one is shown between them, and where one is lost. The maps
    are as late, as lost and as dead as the picture; noise is on the picture alone, and follows from the seed, the
    camera and the instant, so that it is the same whoever looks.
    """

    def __init__(self, camera: str, maps: Sequence[str], draws: Draws, *, dead: bool, every: int = 1) -> None:
        self._camera, self._names, self._dead, self._every = camera, (camera, *maps), dead, every
        self._seed = (draws["seed"], *camera.encode())
        self._late, self._loss = draws["image_latency"], draws["image_loss"]
        self._levels = np.rint(draws["image_noise"] * _normal()).astype(np.int16) if draws["image_noise"] else None
        self._fate = np.random.default_rng(self._seed)
        self._kept: deque[Shown] = deque(maxlen=self._late + 1)
        self._lost, self._instant = False, 0  # the first cannot be lost: there is none to show again

    def look(self, render: Callable[[str], np.ndarray]) -> Callable[[str], np.ndarray]:
        """The instant as it is shown, by name; asked once an instant.

        Rendered when somebody asks, unless it will be shown again when the scene has moved on.
        """
        fresh = self._instant % self._every == 0 and not self._lost
        self._kept.append(Shown(self._names, partial(self._sensed, render, self._instant)) if fresh else self._kept[-1])
        self._lost = bool(self._fate.random() < self._loss)
        self._instant += 1
        if self._late or self._lost or self._every > 1:
            dict(self._kept[-1])
        shown = self._kept[0]
        return lambda name: shown[name].copy()

    def _sensed(self, render: Callable[[str], np.ndarray], instant: int, name: str) -> np.ndarray:
        seen = render(name)
        if self._dead:
            return np.zeros_like(seen)
        if name != self._camera or self._levels is None:
            return seen
        draws = np.random.default_rng((*self._seed, instant)).integers(0, LEVELS, seen.shape, dtype=np.uint16)
        noisy = self._levels.take(draws)
        noisy += seen
        return noisy.clip(0, 255, out=noisy).astype(np.uint8)


@cache
def _normal() -> np.ndarray:
    """float32 (LEVELS,): the standard normal in the middle of as many shares of equal probability."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / LEVELS) for i in range(LEVELS)], np.float32)
