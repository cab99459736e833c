"""What a data set card says of episodes, gathered one at a time in memory that does not grow with their number."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mmil.contracts import Episode, Spec

FRAMES_SAMPLED = 50_000  # for percentiles; smallest, largest and NaN are counted over everything
EPISODES_SAMPLED = 2_000  # for the plots of draws
FAR = 3.0  # an outlier lies further than this many 1 %–99 % spans outside that span
AXES = {
    "eef_pos_world": ("x", "y", "z"),
    "eef_quat_xyzw": ("x", "y", "z", "w"),
    "wrench": ("force x", "force y", "force z", "torque x", "torque y", "torque z"),
}
LETTERS = {
    **dict.fromkeys(("position", "offset", "look_at", "tilt"), "xyz"),
    **dict.fromkeys(("rgb", "diffuse"), "rgb"),
}
UNITS = {
    "joint_pos": "rad",
    "joint_vel": "rad/s",
    "joint_torque": "N·m",
    "eef_pos_world": "m",
    "gripper_pos": "m",
    "wrench": "N, N·m",
}


@dataclass(frozen=True)
class Range:
    """One axis of a signal over the whole data set."""

    axis: str
    low: float
    percentiles: tuple[float, float, float]  # 1 %, median, 99 %
    high: float
    nans: int
    outliers: int  # in the sample

    @property
    def constant(self) -> bool:
        return self.low == self.high

    @property
    def far(self) -> bool:
        """True where the smallest or largest value is an outlier."""
        first, _, last = self.percentiles
        return not self.constant and bool(_outside(np.array([self.low, self.high]), first, last).any())


@dataclass
class Ranges:
    """Gathers a signal (N, …, D): exact extremes, and a sample for percentiles."""

    axes: Sequence[str]
    low: np.ndarray = field(default_factory=lambda: np.array(np.inf))
    high: np.ndarray = field(default_factory=lambda: np.array(-np.inf))
    nans: np.ndarray | int = 0
    sample: list[np.ndarray] = field(default_factory=list)

    def add(self, values: np.ndarray, chosen: np.ndarray) -> None:
        """`values` (N, …, D); `chosen` bool (N,) go into the sample."""
        flat = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
        finite = np.isfinite(flat)
        self.nans = self.nans + (~finite).sum(axis=0)
        self.low = np.minimum(self.low, np.where(finite, flat, np.inf).min(axis=0))
        self.high = np.maximum(self.high, np.where(finite, flat, -np.inf).max(axis=0))
        self.sample.append(values[chosen].reshape(-1, flat.shape[-1]))

    def result(self) -> list[Range]:
        sample = np.concatenate(self.sample).astype(float)
        sample = sample if len(sample) else np.stack([self.low, self.high]).astype(float)
        first, middle, last = np.nanpercentile(sample, (1, 50, 99), axis=0)
        outliers = _outside(sample, first, last).sum(axis=0)
        names = self.axes if len(self.axes) == len(first) else [str(i + 1) for i in range(len(first))]
        columns = zip(names, self.low, first, middle, last, self.high, np.atleast_1d(self.nans), outliers, strict=True)
        return [
            Range(n, float(a), (float(p), float(q), float(r)), float(b), int(c), int(o))
            for n, a, p, q, r, b, c, o in columns
        ]


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
    """Takes every episode once."""

    def __init__(self, spec: Spec, *, steps: Sequence[int]) -> None:
        self._rng = np.random.default_rng(0)
        self._keep = min(1.0, FRAMES_SAMPLED / max(1, sum(steps) + len(steps)))
        chosen = self._rng.permutation(len(steps))[:EPISODES_SAMPLED]
        self._chosen, self._index = frozenset(chosen.tolist()), 0
        self._starts: dict[bytes, list[str]] = defaultdict(list)
        self.signals = {name: Ranges(AXES.get(name, ())) for name in spec.signals}
        self.actions = Ranges(spec.action)
        self.pictures = {camera: Pictures() for camera in spec.cameras}
        self.draws: dict[str, list[float]] = defaultdict(list)
        self.words: dict[str, Counter[str]] = defaultdict(Counter)  # draws that are no numbers
        self.objects: list[tuple[float, float, tuple[float, ...] | None]] = []  # x, y [m], rgb
        self.relabelled = 0  # steps in which the expert would have done something else

    def add(self, episode: Episode) -> None:
        frames = self._rng.random(len(episode.actions) + 1) < self._keep
        for name, values in episode.signals.items():
            self.signals[name].add(values, frames)
        if len(episode.actions):
            self.actions.add(episode.actions, frames[:-1])
        self.relabelled += int((episode.actions != episode.labels).any(axis=1).sum())
        for camera, images in episode.images.items():
            self.pictures[camera].add(images, chosen=self._index in self._chosen)
        if self._index in self._chosen:
            self._add_draws(episode.draws)
        if episode.states.size:  # what came from elsewhere may have none
            self._starts[hashlib.sha256(episode.states[0].tobytes()).digest()].append(episode.key)
        self._index += 1

    def _add_draws(self, draws: Mapping[str, Any]) -> None:
        for name, value in flat_draws({key: item for key, item in draws.items() if key not in ("objects", "goal")}):
            if isinstance(value, str):
                self.words[name][value] += 1
            else:
                self.draws[name].append(value)
        objects = draws.get("objects")
        for item in objects if isinstance(objects, list) else ():
            position, rgb = (_numbers(item, key) for key in ("position", "rgb"))
            if len(position) >= 2:
                self.objects.append((position[0], position[1], rgb if len(rgb) == 3 else None))

    @property
    def duplicates(self) -> list[list[str]]:
        """Keys of episodes that begin in the very same simulator state."""
        return [keys for keys in self._starts.values() if len(keys) > 1]


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


def _outside(values: np.ndarray, first: Any, last: Any) -> np.ndarray:
    span = FAR * (last - first)
    return (values < first - span) | (values > last + span)
