"""Stand-ins for a person's hand: a robosuite device that does as it is told, and somebody at the plane."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

os.environ.setdefault("PYNPUT_BACKEND", "dummy")  # both before robosuite is imported: here is no display
os.environ.setdefault("MUJOCO_GL", "egl")

from robosuite.devices.device import Device as Driver

from mmil.contracts import Scene
from mmil.experts.teleop import Handset, Reading
from mmil.scenes.handsets import ONE_ARM, Device
from tests.plane import Reach


class Scripted(Driver):
    """A robosuite device whose hand is a function: it gives the action wanted, turned into what a device measures."""

    def __init__(self, wanted: Callable[[], Sequence[float]], env: object = ONE_ARM) -> None:
        super().__init__(env)
        self.wanted = wanted
        self.begun = 0

    def start_control(self) -> None:
        self._reset_internal_state()
        self.begun += 1

    def get_controller_state(self) -> dict:
        x, y, z, rx, ry, rz, hand = self.wanted()
        return {
            "dpos": np.array([x, y, z]),
            "rotation": np.eye(3),
            "raw_drotation": np.array([ry, rx, -rz]),
            "grasp": int(hand > 0),
            "reset": 0,
            "base_mode": 0,
        }

    def _postprocess_device_outputs(self, dpos: np.ndarray, drotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return dpos, drotation


class Script(Device):
    """Moves the same way for ever, as a config can name it."""

    def __init__(self, *, action: Sequence[float] = (1, 0, 0, 0, 0, 0, -1)) -> None:
        super().__init__(Scripted(lambda: action))


class Finger(Handset):
    """Somebody who reaches for the right thing on the plane, and asks for what `asks` says at which reading."""

    axes = 3

    def __init__(self, scene: Scene, asks: Sequence[int] = ()) -> None:
        self.scene, self.asks, self.readings, self.starts = scene, asks, 0, 0

    def start(self) -> None:
        self.starts += 1

    def read(self) -> Reading:
        self.readings += 1
        step = self.scene._result(None)
        return Reading(Reach().act(step.observation, step.state), again=self.readings in self.asks)
