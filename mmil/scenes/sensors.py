"""Cameras and signals as they are on a real robot: noisy, late, and lost now and then.

What is wrong with them in an episode is drawn with it, from a seed of its own, so that a replay sees the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmil.contracts import camera_of
from mmil.shown import Shown

# what is usual for a signal, of which noise is a share; by the beginning of its name
USUAL = {
    **{"joint_pos": 1.0, "joint_vel": 0.5, "joint_torque": 20.0, "eef_pos_world": 0.3, "eef_quat": 1.0},
    **{"gripper_pos": 0.04, "wrench": 10.0, "camera": 0.0},
}
Draws = Mapping[str, Any]
Sight = Mapping[str, np.ndarray]


CLEAR: Draws = {"image_noise": 0.0, "image_loss": 0.0, "image_latency": 0, "dead_camera": None}  # perfect cameras


class Sensors:
    """What is read in an episode; made at its reset and asked once an instant."""

    def __init__(self, draws: Draws, cameras: Sequence[str], *, maps: Sequence[str] = ()) -> None:
        self._draws, self._cameras, self._maps = draws, tuple(cameras), tuple(maps)
        self._streams: dict[str, np.random.Generator] = {}
        share = draws["dead_camera"]
        # one always lives
        self._dead = None if share is None or len(cameras) < 2 else cameras[int(share * len(cameras))]
        self._frames: dict[str, deque[dict[str, np.ndarray]]] = {
            camera: deque(maxlen=draws["image_latency"] + 1) for camera in cameras
        }
        self._readings: dict[str, deque[np.ndarray]] = {}
        self._instants = 0

    @property
    def _perfect(self) -> bool:
        draws = self._draws
        return not (draws["image_noise"] or draws["image_loss"] or draws["image_latency"] or self._dead)

    def sights(self, render: Callable[[str], np.ndarray]) -> tuple[Sight, Sight]:
        """Images and maps: rendered when somebody looks, unless an earlier instant may be asked for later.

        The maps of a camera are as late, as lost and as dead as its pictures; noise is on the pictures alone.
        """
        if self._perfect:
            return Shown(self._cameras, render), Shown(self._maps, render)
        seen = {name: frame for camera in self._cameras for name, frame in self._frame(camera, render).items()}
        return {camera: seen[camera] for camera in self._cameras}, {name: seen[name] for name in self._maps}

    def signals(self, clean: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: self._reading(name, value) for name, value in clean.items()}

    def _rng(self, sensor: str) -> np.random.Generator:
        """A stream of random numbers a sensor, so that one camera more or a larger one changes nothing else."""
        if sensor not in self._streams:
            self._streams[sensor] = np.random.default_rng([self._draws["seed"], *sensor.encode()])
        return self._streams[sensor]

    def _frame(self, camera: str, render: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """The picture of a camera and its maps, by name."""
        frames = self._frames[camera]
        names = (camera, *(name for name in self._maps if camera_of(name) == camera))
        rng = self._rng(camera)
        lost = rng.random() < self._draws["image_loss"] and len(frames)
        frames.append(frames[-1] if lost else {name: render(name) for name in names})
        if camera == self._dead:
            return {name: np.zeros_like(frame) for name, frame in frames[0].items()}
        shown = {name: frame.copy() for name, frame in frames[0].items()}
        if self._draws["image_noise"]:
            noise = rng.normal(0.0, self._draws["image_noise"], shown[camera].shape)
            shown[camera] = np.clip(shown[camera] + noise, 0, 255).round().astype(np.uint8)
        return shown

    def _reading(self, name: str, value: np.ndarray) -> np.ndarray:
        latency, loss, noise = (self._draws[f"signal_{what}"] for what in ("latency", "loss", "noise"))
        usual = next((size for start, size in USUAL.items() if name.startswith(start)), 0.0)
        if not (latency or loss or noise) or not usual:  # where cameras stand was measured once, not sensed
            return np.array(value, np.float32)
        past = self._readings.setdefault(name, deque(maxlen=latency + 1))
        rng = self._rng(name)
        lost = rng.random() < loss and len(past)
        noisy = value + rng.normal(0.0, noise * usual, value.shape)
        if "quat" in name:  # a rotation still
            noisy /= np.linalg.norm(noisy)
        past.append(past[-1] if lost else noisy)
        return past[0].astype(np.float32)
