"""What a data set card says of depth and segmentation, and the colours they are shown in."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field

import numpy as np

from mmil.contracts import ROBOT, Episode, camera_of, stream_of

SAMPLED = 97  # every so many pixels of a map are enough for percentiles
NEAREST, FURTHEST = 1, 98  # percentiles of depth, between which its colours are spread
GOLDEN = 0.618034  # of the hues' circle, from one thing to the next


@dataclass
class Measured:
    """Gathers a map: how far things are and where nothing is, or how often they are in sight."""

    name: str
    pixels: int = 0
    nothing: int = 0  # of them, without depth or background
    robot: int = 0
    asked: int = 0  # episodes in whose first instant the thing that is asked for is in sight
    episodes: int = 0
    depths: list[np.ndarray] = field(default_factory=list)  # (n,) [mm]

    @property
    def is_depth(self) -> bool:
        return stream_of(self.name) == "depth"

    def add(self, episode: Episode, *, chosen: bool) -> None:
        frames = episode.maps[self.name]
        self.pixels += frames.size
        self.nothing += int((frames == 0).sum())
        self.episodes += 1
        if not self.is_depth:
            self.robot += int((frames == ROBOT).sum())
            things = [*episode.things]
            self.asked += episode.goal.object in things and things.index(episode.goal.object) + 1 in frames[0]
        elif chosen:
            some = frames.reshape(-1)[::SAMPLED]
            self.depths.append(some[some > 0])

    def row(self) -> tuple[str, str]:
        """Its name, and all that in a line."""
        share = self.nothing / max(1, self.pixels)
        if not self.is_depth:
            shown = f"{share:.1%} background, {self.robot / max(1, self.pixels):.1%} robot; the thing that is asked for"
            return self.name, f"{shown} is in sight at the start of {self.asked} of {self.episodes} episodes"
        depths = np.concatenate([np.zeros(0), *self.depths])
        if not len(depths):
            return self.name, f"nothing in {share:.1%} of the pixels"
        low, middle, high = np.percentile(depths, (1, 50, 99)) / 1000
        return (
            self.name,
            f"{low:.2f} m to {high:.2f} m (1 % to 99 %), {middle:.2f} m in the median; nothing in {share:.1%}",
        )


def coloured(name: str, frames: np.ndarray) -> np.ndarray:
    """uint8 (T, h, w, 3): near is warm and far is cold, over all frames alike; every thing has its own colour."""
    if stream_of(name) == "segmentation":
        return _palette()[frames]
    import cv2

    some = frames.reshape(-1)[::SAMPLED]
    low, high = np.percentile(some[some > 0], (NEAREST, FURTHEST)) if some.any() else (0.0, 1.0)
    nearness = np.clip((high - frames.astype(np.float32)) / max(1.0, high - low), 0, 1)
    warm = cv2.applyColorMap((255 * nearness).astype(np.uint8).reshape(len(frames), -1), cv2.COLORMAP_TURBO)
    return np.where((frames > 0)[..., None], warm[..., ::-1].reshape(*frames.shape, 3), 0).astype(np.uint8)


def shown(episode: Episode) -> dict[str, np.ndarray]:
    """Its pictures and its maps in colours, by what a person would call them; a camera's maps come after it."""
    found: dict[str, np.ndarray] = {}
    for camera, images in episode.images.items():
        found[camera] = images
        mine = [name for name in episode.maps if camera_of(name) == camera]
        found |= {f"{camera} {stream_of(name)}": coloured(name, episode.maps[name]) for name in mine}
    return found


def _palette() -> np.ndarray:
    """uint8 (256, 3)"""
    hues = [colorsys.hsv_to_rgb(number * GOLDEN % 1, 0.75, 0.95) for number in range(256)]
    colours = np.array(hues)
    colours[0], colours[ROBOT] = 0.08, 0.85
    return (255 * colours).round().astype(np.uint8)
