"""Cameras and signals as they are on a real robot: noisy, late, and lost now and then.

What is wrong with them in an episode is drawn with it, from a seed of its own, so that a replay sees the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mmil.contracts import camera_of
from mmil.scenes.lens import Draws, Lens
from mmil.shown import Shown

# what is usual for a signal, of which noise is a share; by the beginning of its name
USUAL = {
    **{"joint_pos": 1.0, "joint_vel": 0.5, "joint_torque": 20.0, "eef_pos_world": 0.3, "eef_quat": 1.0},
    **{"gripper_pos": 0.04, "wrench": 10.0, "camera": 0.0},
}
Sight = Mapping[str, np.ndarray]


EVERY = "image_every"  # instants from one picture to the next, among the draws where cameras are slow: see Lens
CLEAR: Draws = {"image_noise": 0.0, "image_loss": 0.0, "image_latency": 0, "dead_camera": None}  # perfect cameras


class Sensors:
    """What is read in an episode; made at its reset and asked once an instant."""

    def __init__(self, draws: Draws, cameras: Sequence[str], *, maps: Sequence[str] = ()) -> None:
        self._draws, self._cameras, self._maps = draws, tuple(cameras), tuple(maps)
        self._streams: dict[str, np.random.Generator] = {}
        share = draws["dead_camera"]
        # one always lives
        dead = None if share is None or len(cameras) < 2 else cameras[int(share * len(cameras))]
        every = draws.get(EVERY, 1)
        self._lenses = {
            camera: Lens(
                camera, [name for name in maps if camera_of(name) == camera], draws, dead=camera == dead, every=every
            )
            for camera in cameras
        }
        self._readings: dict[str, deque[np.ndarray]] = {}

    def sights(self, render: Callable[[str], np.ndarray]) -> tuple[Sight, Sight]:
        """Images and maps, rendered when somebody looks; asked once an instant."""
        shown = {camera: lens.look(render) for camera, lens in self._lenses.items()}

        def see(name: str) -> np.ndarray:
            return shown[camera_of(name)](name)

        return Shown(self._cameras, see), Shown(self._maps, see)

    def signals(self, clean: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: self._reading(name, value) for name, value in clean.items()}

    def _rng(self, sensor: str) -> np.random.Generator:
        """A stream of random numbers a sensor, so that one camera more or a larger one changes nothing else."""
        if sensor not in self._streams:
            self._streams[sensor] = np.random.default_rng([self._draws["seed"], *sensor.encode()])
        return self._streams[sensor]

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
