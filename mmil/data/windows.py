"""Windows, cut at read time: K past observations and H future actions around one t, frames still encoded.

At t a window holds the observations t-K+1 … t (the first one repeated where the episode has no earlier), before them
the episode's first if it is asked for, and the actions t … t+H-1 (the last one repeated past the end, where `valid` is
false). Pure functions; the pipeline is in stream.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mmil.contracts import Batch, Goal, Spec, Thing, UserError, flags_of, metres, require_known
from mmil.data.maps import decode_map, map_file
from mmil.data.members import Sample
from mmil.data.sample import decode_arrays, frame_name, per_frame
from mmil.data.sentences import Rephrase, Told
from mmil.data.shards import Row

if TYPE_CHECKING:
    import torch

Target = Literal["labels", "actions"]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How windows are cut: K past, H future, every stride-th t, learning from labels or from executed actions.

    first: the episode's first observation comes before the K past ones. stray: labels after an executed action that
    differs by more from its own label are not valid, for they answer a push that no policy could foresee at t. weights:
    quality of a demonstration → how much it counts, 1 if unnamed.
    """

    past: int = 1
    first: bool = False
    future: int = 8
    stride: int = 1
    target: Target = "labels"
    stray: float = 0.5
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("past", "future", "stride"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least 1")
        require_known("target", [self.target], get_args(Target))
        if wrong := [f"{name}: {weight}" for name, weight in self.weights.items() if not 0 <= weight < float("inf")]:
            raise UserError(f"weights has {wrong[0]}; a weight is 0 or more")

    @property
    def observations(self) -> int:
        """How many a window holds."""
        return self.past + self.first

    def seen(self, t: int) -> list[int]:
        """The frames of the window at t, in order."""
        return [0] * self.first + [max(0, i) for i in range(t - self.past + 1, t + 1)]

    def weight(self, quality: str) -> float | None:
        """None where all count alike."""
        return float(self.weights.get(quality, 1.0)) if self.weights else None

    def strayed(self, actions: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """bool (…): where what was executed (…, A) is far from the label, if labels are what is learnt."""
        return (np.abs(actions - labels).max(axis=-1) > self.stray) & (self.target == "labels")

    def times(self, row: Row) -> Sequence[int]:
        """Every t at which an episode has a window: where there is something to learn."""
        every = range(0, row.steps, self.stride)
        if row.labelled is None or self.target == "actions":
            return every
        labelled = flags_of(row.labelled, row.steps)
        return [t for t in every if labelled[t]]

    def told(self, row: Row, times: Sequence[int]) -> np.ndarray:
        """bool (N, H) of windows at these times: whether the episode still lasts, and everything so far is told."""
        known = flags_of(row.labelled if self.target == "labels" else None, row.steps)
        known = np.concatenate([known, np.zeros(self.future, bool)])
        return np.logical_and.accumulate(known[np.asarray(times)[:, None] + np.arange(self.future)], axis=1)


@dataclass(frozen=True)
class Window:
    """One t of one episode; raw units. K: how many observations it holds, see Cut."""

    key: str
    t: int
    goal: Goal
    instruction: str
    references: tuple[str, ...]  # see Episode
    things: tuple[Thing, ...]
    frames: Mapping[str, tuple[bytes, ...]]  # camera → K encoded images
    signals: Mapping[str, np.ndarray]  # name → float32 (K, …)
    privileged: Mapping[str, np.ndarray]  # name → float32 (K, …)
    actions: np.ndarray  # float32 (H, A)
    valid: np.ndarray  # bool (H,)
    weight: float | None = None
    again: int = 0  # readings of it before this one
    maps: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)  # <camera>.depth → K encoded maps


def cut_windows(row: Row, sample: Sample, *, cut: Cut, spec: Spec, maps: Sequence[str] = ()) -> Iterator[Window]:
    """The windows of an encoded episode, in order of t."""
    steps = row.steps
    arrays = decode_arrays(sample["npz"], ["actions", "labels", *per_frame(spec)])
    actions = np.concatenate([arrays[cut.target], np.repeat(arrays[cut.target][-1:], cut.future - 1, axis=0)])
    times = cut.times(row)
    told = cut.told(row, times)
    strayed = cut.strayed(arrays["actions"], arrays["labels"])
    strayed = np.concatenate([strayed, np.zeros(cut.future - 1, bool)])
    frames = {camera: [_frame(row, sample, frame_name(camera, t)) for t in range(steps)] for camera in spec.cameras}
    measured = {name: [_frame(row, sample, map_file(name, t)) for t in range(steps)] for name in maps}
    for t, known in zip(times, told, strict=True):
        seen = cut.seen(t)
        yield Window(
            key=row.key,
            t=t,
            goal=row.goal,
            instruction=row.instruction,
            references=row.references,
            things=row.things,
            frames={camera: tuple(images[i] for i in seen) for camera, images in frames.items()},
            maps={name: tuple(found[i] for i in seen) for name, found in measured.items()},
            signals={name: arrays[f"signals/{name}"][seen] for name in spec.signals},
            privileged={name: arrays[f"privileged/{name}"][seen] for name in spec.privileged},
            actions=held(actions[t : t + cut.future], known),
            valid=known & unpushed(strayed[t : t + cut.future]),
            weight=cut.weight(row.quality),
        )


def held(actions: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, A): the last one that is known in place of what nobody told; known (H,) is true up to somewhere."""
    return actions[np.minimum(np.arange(len(actions)), max(0, int(known.sum()) - 1))]


def unpushed(strayed: np.ndarray) -> np.ndarray:
    """bool (…, H): whether none of the actions before this one strayed."""
    before = np.cumsum(strayed, axis=-1) - strayed
    return before == 0


def _frame(row: Row, sample: Sample, suffix: str) -> bytes:
    if suffix not in sample:
        raise UserError(f"{row.shard} is altered: {row.key} has no {suffix}; `mmil verify` names what is missing")
    return sample[suffix]


def decode_image(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 RGB (h, w, 3). OpenCV: 135 µs for 128×128 at quality 95, as torchvision's, and free of torch."""
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or image.shape != tuple(shape):
        got = "not an image" if image is None else f"an image of {image.shape}"
        raise UserError(f"a frame is {got}, the data set says {tuple(shape)}; `mmil verify` names what is damaged")
    return image


def collate(windows: Sequence[Window], *, spec: Spec, rephrase: Rephrase | None = None, epoch: int = 0) -> Batch:
    """Decode and stack; images lie in memory as (B, K, h, w, 3) and are shown as (B, K, 3, h, w)."""
    import torch

    told = [_told(window, rephrase, epoch) for window in windows]
    own = torch.tensor([one.own for one in told])
    images: dict[str, Any] = {}
    for camera, shape in spec.cameras.items():
        pixels = torch.empty((len(windows), len(windows[0].frames[camera]), *shape), dtype=torch.uint8)
        for row, window in zip(pixels.numpy(), windows, strict=True):
            for slot, data in zip(row, window.frames[camera], strict=True):
                slot[:] = decode_image(data, shape)
        images[camera] = pixels.permute(0, 1, 4, 2, 3)  # (B, K, 3, h, w)
    return Batch(
        images=images,
        signals={name: torch.from_numpy(np.stack([w.signals[name] for w in windows])) for name in spec.signals},
        instruction=[one.sentence for one in told],
        actions=torch.from_numpy(np.stack([window.actions for window in windows])),
        valid=torch.from_numpy(np.stack([window.valid for window in windows])) & own[:, None],
        privileged={
            name: torch.from_numpy(np.stack([w.privileged[name] for w in windows])) for name in spec.privileged
        },
        maps={name: _metres(windows, name, spec) for name in windows[0].maps},
        weight=stacked([window.weight for window in windows]),
        asked=torch.tensor([one.place(window.things) for window, one in zip(windows, told, strict=True)]),
        target=torch.tensor([one.target_place(window.things) for window, one in zip(windows, told, strict=True)]),
    )


def _metres(windows: Sequence[Window], name: str, spec: Spec) -> torch.Tensor:
    """float32 (B, K, 1, h, w) of a depth map."""
    import torch

    shown = [[decode_map(data, name, spec.maps[name]) for data in window.maps[name]] for window in windows]
    return torch.from_numpy(metres(np.array(shown)))[:, :, None]


def stacked(weights: Sequence[float | None]) -> torch.Tensor | None:
    """float32 (B,), or None where nothing is weighed."""
    import torch

    return None if None in weights else torch.tensor(weights)


def _told(window: Window, rephrase: Rephrase | None, epoch: int) -> Told:
    if rephrase is None:
        return Told(window.instruction, window.goal)
    about = {"things": window.things, "references": window.references, "key": window.key, "t": window.t}
    return rephrase(window.goal, window.instruction, epoch=epoch, again=window.again, **about)
