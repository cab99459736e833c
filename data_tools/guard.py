"""Does an episode hold what was measured and rendered? robosuite can return stale or swapped pictures (#779)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from mmil.contracts import ROBOT, Episode, map_name, stream_of
from mmil.limits import limit

MOVED = 0.02  # change of a state entry in one step [m, rad, m/s or rad/s] that a picture should show
STALE = 5  # pictures in a row that are the same while the scene moves, of which a slow camera shows each for some steps
_DOCTOR = "rendering is corrupt; see `mmil doctor`"


def signal_faults(episode: Episode) -> list[str]:
    """A line a fault: what is beyond anything that can be measured or done, and where nothing was."""
    told: dict[str, Any] = {"rewards": episode.rewards, **episode.measures}
    faults = [f"{name} holds a NaN or an infinity" for name, value in told.items() if not np.isfinite(value).all()]
    if not len(episode.actions):
        faults.append("it was over before the first step")
    for name, array in {"actions": episode.actions, "labels": episode.labels}.items():
        if (peak := np.abs(array).max(initial=0.0)) > 1.0:
            faults.append(f"{name} reach {peak:.3f}, outside [-1, 1]")
    for name, array in episode.signals.items():
        if (peak := np.abs(array).max(initial=0.0)) > limit(name):
            faults.append(f"signal {name} reaches {peak:.3g}, more than {limit(name):.3g}")
    return faults


def picture_faults(episode: Episode) -> list[str]:
    """A line a fault: a blank frame, a picture that stays while the state moves, cameras that show the same or swap."""
    moved = np.abs(np.diff(episode.states, axis=0)).max(axis=1, initial=0.0) > MOVED  # (T,)
    images = {camera: frames for camera, frames in episode.images.items() if not _drawn_dead(episode, frames)}
    stale = STALE * int(episode.draws.get("sensors", {}).get("image_every", 1))
    faults = [fault for camera in images for fault in _camera_faults(camera, images[camera], moved, stale=stale)]
    for one, other in combinations(images, 2):
        if images[one].shape == images[other].shape:
            faults += _pair_faults({one: images[one], other: images[other]})
    # who never drew a scene did not render one either, and needs no doctor
    return [f"{fault}: {_DOCTOR}" if episode.draws else fault for fault in faults]


def map_faults(episode: Episode) -> list[str]:
    """A line a fault: depth that shows nothing or stands still, things that do not exist or that lie nowhere."""
    moved = bool((np.abs(np.diff(episode.states, axis=0)) > MOVED).any())
    faults: list[str] = []
    for name, frames in episode.maps.items():
        if _drawn_dead(episode, frames):
            continue
        kind = _depth_faults(frames, moved) if stream_of(name) == "depth" else _segmentation_faults(episode, frames)
        faults += [f"{name} {fault}" for fault in kind]
    for camera in episode.images:
        depth, shown = (episode.maps.get(map_name(camera, stream)) for stream in ("depth", "segmentation"))
        if depth is not None and shown is not None and depth.shape == shown.shape:
            faults += [f"{map_name(camera, 'segmentation')} {fault}" for fault in _floating(depth, shown)]
    return [f"{fault}: {_DOCTOR}" if episode.draws else fault for fault in faults]


def _depth_faults(frames: np.ndarray, moved: bool) -> Iterator[str]:
    blank = np.flatnonzero((frames == frames[:, :1, :1]).all(axis=(1, 2)))
    if len(blank):
        yield f"is {frames[blank[0], 0, 0]} mm everywhere at instant {blank[0]}"
    elif moved and (frames == frames[:1]).all():
        yield "is the same for the whole episode"


def _segmentation_faults(episode: Episode, frames: np.ndarray) -> Iterator[str]:
    strange = np.setdiff1d(frames, [*range(len(episode.things) + 1), ROBOT])
    if strange.size:
        yield f"shows thing {strange[0]}, of which there are {len(episode.things)}"


def _floating(depth: np.ndarray, shown: np.ndarray) -> Iterator[str]:
    nowhere = np.flatnonzero(((shown > 0) & (depth == 0)).any(axis=(1, 2)))
    if len(nowhere):
        yield f"shows at instant {nowhere[0]} what has no depth"


def _drawn_dead(episode: Episode, frames: np.ndarray) -> bool:
    """Black, as the draws want one camera to be."""
    return episode.draws.get("sensors", {}).get("dead_camera") is not None and not frames.any()


def _camera_faults(camera: str, frames: np.ndarray, moved: np.ndarray, *, stale: int) -> Iterator[str]:
    blank = np.flatnonzero((frames == frames[:, :1, :1]).all(axis=(1, 2, 3)))
    if len(blank):
        yield f"camera {camera!r} shows a single colour at instant {blank[0]}"
    same = (frames[1:] == frames[:-1]).all(axis=(1, 2, 3))
    if len(same) and same.all() and moved.any():
        yield f"camera {camera!r} shows one picture for the whole episode"
    run = 0
    for step, unchanged in enumerate(same & moved):
        run = run + 1 if unchanged else 0
        if run == stale:
            yield f"camera {camera!r} stands still from instant {step + 1 - stale} to {step + 1} while the scene moves"
            return


def _pair_faults(pair: Mapping[str, np.ndarray]) -> Iterator[str]:
    (one, a), (other, b) = pair.items()
    equal = np.flatnonzero((a == b).all(axis=(1, 2, 3)))
    if len(equal):
        yield f"cameras {one!r} and {other!r} show the same picture at instant {equal[0]}"
        return
    swapped = np.flatnonzero(_nearer(a, b) & _nearer(b, a))
    if len(swapped):
        yield f"cameras {one!r} and {other!r} swap at instant {swapped[0] + 1}"


def _nearer(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool (T,): the frame resembles the other camera's last picture more than its own."""
    return _distance(frames[1:], others[:-1]) < _distance(frames[1:], frames[:-1])


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T,) mean absolute difference of colours; every fourth pixel is enough."""
    a, b = a[:, ::4, ::4].astype(np.int16), b[:, ::4, ::4].astype(np.int16)
    return np.abs(a - b).mean(axis=(1, 2, 3))
