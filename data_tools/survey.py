"""What a data set card says of episodes, gathered one at a time in memory that hardly grows with their number."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from data_tools.mapped import Measured
from data_tools.ranges import Ranges
from data_tools.twins import Twins
from mmil.contracts import BODY_POSES, Episode, Spec, flags_of

FRAMES_SAMPLED = 50_000  # for percentiles; smallest and largest are those of everything
EPISODES_SAMPLED = 2_000  # for the plots of draws and places
AXES = {
    "eef_pos_world": ("x", "y", "z"),
    "eef_quat_xyzw": ("x", "y", "z", "w"),
    "wrench": ("force x", "force y", "force z", "torque x", "torque y", "torque z"),
}
CAMERA_AXES = ("x", "y", "z", "qx", "qy", "qz", "qw", "field of view")
LISTED = ("objects", "fixtures", "goal")  # draws that have tables and plots of their own
LETTERS = {
    **dict.fromkeys(("position", "offset", "look_at", "tilt"), "xyz"),
    **dict.fromkeys(("rgb", "diffuse"), "rgb"),
}


@dataclass
class Pictures:
    """Gathers a camera: a stream that stands still or goes dark is a broken one."""

    frames: int = 0
    still: int = 0  # identical to the frame before
    brightness: list[float] = field(default_factory=list)  # of first frames, 0 to 255

    def add(self, images: np.ndarray, *, chosen: bool) -> None:
        self.frames += len(images)
        self.still += sum(np.array_equal(a, b) for a, b in pairwise(images))
        if chosen:
            self.brightness.append(float(images[0].mean()))


class Survey:
    """Takes every episode once, in the order of their index."""

    def __init__(self, spec: Spec, *, steps: Sequence[int]) -> None:
        self._rng = np.random.default_rng(0)
        self._keep = min(1.0, FRAMES_SAMPLED / max(1, sum(steps) + len(steps)))
        chosen = self._rng.permutation(len(steps))[:EPISODES_SAMPLED]
        self._chosen, self._index = frozenset(chosen.tolist()), 0
        self.signals = {name: Ranges(axes_of(name)) for name in spec.signals}
        self.actions = Ranges(spec.action)
        self.pictures = {camera: Pictures() for camera in spec.cameras}
        self.maps = [Measured(name) for name in spec.maps]
        self.draws: dict[str, list[float]] = defaultdict(list)
        self.words: dict[str, Counter[str]] = defaultdict(Counter)  # draws that are no numbers
        self.objects: list[tuple[float, float, tuple[float, ...] | None]] = []  # x, y [m], rgb
        self.places: dict[str, list[np.ndarray]] = defaultdict(list)  # (n, 3) [m] of things at start and end
        self.measures: dict[tuple[str, str, str], array[float]] = {}  # verb, manner, name → one an episode
        self.provenance: Counter[tuple[str, str]] = Counter()
        self.relabelled = 0  # steps in which the expert would have done something else
        self.unlabelled = 0  # in which nobody asked it
        self.twins = Twins()

    def add(self, episode: Episode) -> None:
        frames, chosen = self._rng.random(len(episode.actions) + 1) < self._keep, self._index in self._chosen
        for name, values in episode.signals.items():
            self.signals[name].add(values, frames, episode=self._index)
        if len(episode.actions):
            self.actions.add(episode.actions, frames[:-1], episode=self._index)
        self.relabelled += int((episode.actions != episode.labels).any(axis=1).sum())
        self.unlabelled += int((~flags_of(episode.labelled, len(episode.actions))).sum())
        for camera, images in episode.images.items():
            self.pictures[camera].add(images, chosen=chosen)
        for measured in self.maps:
            measured.add(episode, chosen=chosen)
        if chosen:
            self._add_draws(episode.draws)
            self._add_places(episode)
        for name, value in episode.measures.items():
            key = (episode.goal.verb, episode.goal.manner or "", name)
            self.measures.setdefault(key, array("d")).append(value)
        self.provenance.update(episode.provenance.items())
        self.twins.add(episode, self._index, chosen=chosen)
        self._index += 1

    def _add_places(self, episode: Episode) -> None:
        poses = episode.privileged.get(BODY_POSES, np.zeros((1, 0, 7)))
        for name, instant in (("start", 0), ("end", -1)):
            if poses.ndim == 3 and poses.shape[1] and poses.shape[2] >= 3:
                self.places[name].append(poses[instant, :, :3])

    def _add_draws(self, draws: Mapping[str, Any]) -> None:
        for name, value in flat_draws({key: item for key, item in draws.items() if key not in LISTED}):
            if isinstance(value, str):
                self.words[name][value] += 1
            else:
                self.draws[name].append(value)
        objects = draws.get("objects")
        for item in objects if isinstance(objects, list) else ():
            position, rgb = (_numbers(item, key) for key in ("position", "rgb"))
            if len(position) >= 2:
                self.objects.append((position[0], position[1], rgb if len(rgb) == 3 else None))


def axes_of(signal: str) -> tuple[str, ...]:
    """What its axes are called; () where nobody knows."""
    return CAMERA_AXES if signal.startswith("camera_") else AXES.get(signal, ())


def flat_draws(value: Any, name: str = "") -> Iterator[tuple[str, float | str]]:
    """Nested draws as dotted names; quaternions are left out (position and look-at say more)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat_draws(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        if "quaternion" not in name:
            letters = LETTERS.get(name.split(".")[-1], ()) if len(value) <= 3 else ()
            for i, item in enumerate(value):
                yield from flat_draws(item, f"{name}.{letters[i] if letters else i}")
    elif isinstance(value, str) or (isinstance(value, int | float) and np.isfinite(value)):
        yield name, value


def _numbers(item: Any, key: str) -> tuple[float, ...]:
    """The vector under `key`, or () where there is none."""
    value = item.get(key) if isinstance(item, Mapping) else None
    if isinstance(value, list) and all(isinstance(part, int | float) for part in value):
        return tuple(value)
    return ()
