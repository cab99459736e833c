"""robosuite's devices as handsets: keyboard, SpaceMouse and DualSense gamepad."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from types import SimpleNamespace
from typing import Any

import numpy as np

from mmil.contracts import UserError
from mmil.experts.teleop import Handset, Reading

ONE_ARM = SimpleNamespace(robots=[SimpleNamespace(arms=["right"])])  # all that a device asks of an environment
NO_DISPLAY = (
    "robosuite's devices listen to a display, and there is none (DISPLAY is {display}): run on a desktop, or ssh -X"
)
NO_HID = (
    "the {name} needs hidapi: type pip install hidapi, and on Debian-like systems apt-get install -y libhidapi-hidraw0"
)
NOT_THERE = "no {name} answers ({error}): is it plugged in, and may you read /dev/hidraw*? A udev rule can allow it"


class Device(Handset):
    """Any robosuite Device of one arm with a gripper; moved right it moves the hand right in the front picture."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def start(self) -> None:
        self.driver.start_control()

    def read(self) -> Reading:
        """What Device.input2action gives the OSC_POSE controller of an arm, which asks for a whole environment."""
        state = self.driver.get_controller_state()
        roll, pitch, yaw = state["raw_drotation"]
        motion = self.driver._postprocess_device_outputs(np.array(state["dpos"]), np.array([pitch, roll, -yaw]))
        action = np.append(np.clip(np.concatenate(motion), -1.0, 1.0), 1.0 if state["grasp"] else -1.0)
        return Reading(action.astype(np.float32), again=bool(state["reset"]))


class Keyboard(Device):
    """A key pressed (or held: it repeats) asks for `speed` · 19 cm or `turn` · 0.075 rad, at most an action of 1."""

    controls = "arrows: over the table; . and ;: down and up; o p, y h, e r: turn; space: hand; q: again"

    def __init__(self, *, speed: float = 0.1, turn: float = 1.0) -> None:
        super().__init__(_open("keyboard", "Keyboard", pos_sensitivity=speed, rot_sensitivity=turn))


class SpaceMouse(Device):
    """A 3Dconnexion SpaceMouse, whichever is plugged in."""

    controls = "push, pull and twist the cap; left button (hold): hand; right button: again"

    def __init__(self, *, speed: float = 1.0, turn: float = 1.0) -> None:
        super().__init__(_open("spacemouse", "SpaceMouse", pos_sensitivity=speed, rot_sensitivity=turn))


class Gamepad(Device):
    """A DualSense gamepad."""

    controls = "left stick: over the table; L2, with L1: height; right stick, R2: turn; circle: hand; square: again"

    def __init__(self, *, speed: float = 1.0, turn: float = 1.0) -> None:
        super().__init__(_open("dualsense", "DualSense", pos_sensitivity=speed, rot_sensitivity=turn, reverse_xy=True))


def _open(module: str, name: str, **options: Any) -> Any:
    """A device's driver; robosuite prints its own table of controls, with those of robots that we do not have."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return getattr(importlib.import_module(f"robosuite.devices.{module}"), name)(ONE_ARM, **options)
        except ImportError as error:
            if "hid" in str(error):
                raise UserError(NO_HID.format(name=name)) from None
            raise UserError(NO_DISPLAY.format(display=os.environ.get("DISPLAY") or "unset")) from None
        except OSError as error:
            raise UserError(NOT_THERE.format(name=name, error=error)) from None
