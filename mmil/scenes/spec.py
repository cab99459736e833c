"""What every scene with a Panda observes and is driven by: one Spec, so that their data can be mixed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np

from mmil import __version__
from mmil.contracts import BODY_POSES, MOST_THINGS, Goal, Spec, Stream, Thing, UserError, map_name
from mmil.contracts.maps import MEANING, require_streams
from mmil.scenes.driven import CONTROL_HZ, CONTROLLER, READINGS

PACKAGES = ("mujoco", "robosuite", "numpy", "numba")  # whose version may change what an action does
ACTION = ("dx", "dy", "dz", "rx", "ry", "rz", "gripper")
CONVENTIONS = {
    "image": "RGB uint8, row 0 on top",
    "action": "OSC_POSE delta in the base frame, 1 = 0.05 m / 0.5 rad; gripper -1 open, +1 closed",
    "quaternion": "xyzw, x >= 0",
    "camera": "position [m], quaternion xyzw (looks along -z, y up), field of view [rad]; world frame",
    "wrench": "force [N] then torque [N m] in the sensor frame, tared after settling",
}
SIGNALS: Mapping[str, tuple[int, ...]] = {
    "joint_pos": (7,),
    "joint_vel": (7,),
    "joint_torque": (7,),
    "eef_pos_world": (3,),
    "eef_quat_xyzw": (4,),
    "gripper_pos": (2,),
    "wrench": (READINGS, 6),
}
CAMERA = (8,)  # the signal camera_<name>: position [m], quaternion xyzw, vertical field of view [rad]
NO_GOAL = Goal(verb="", object=Thing(shape="", colour=""))  # before one is chosen from those that are feasible
SETTLE_STEPS = 4  # control steps with the hand open and still, before the first observation


def spec_of(
    scene: str,
    *,
    cameras: Sequence[str],
    image_size: tuple[int, int],
    bodies: int,
    model: str,
    streams: Sequence[Stream] = (),
) -> Spec:
    """The Spec of a scene with so many bodies, whose compiled model has this sha256."""
    shown = require_streams(streams)
    if "segmentation" in shown and bodies > MOST_THINGS:
        raise UserError(f"{bodies} things; segmentation can tell {MOST_THINGS} apart")
    return Spec(
        scene=scene,
        cameras={camera: (*image_size, 3) for camera in cameras},
        signals={**SIGNALS, **{f"camera_{name}": CAMERA for name in cameras}},
        action=ACTION,
        control_hz=CONTROL_HZ,
        controller={"name": "OSC_POSE", "sha256": hashlib.sha256(CONTROLLER.read_bytes()).hexdigest()},
        conventions={**CONVENTIONS, **{stream: MEANING[stream] for stream in shown}},
        privileged={BODY_POSES: (bodies, 7)},
        versions={**{name: version(name) for name in PACKAGES}, "mmil": __version__, "model": model},
        maps={map_name(camera, stream): image_size for camera in cameras for stream in shown},
    )


def checked_action(action: np.ndarray) -> np.ndarray:
    """float64 (A,) in [−1, 1], of what an actor answered; what is none is refused."""
    action = np.asarray(action, np.float64)
    if action.shape != (len(ACTION),) or not np.isfinite(action).all():
        raise UserError(f"action of shape {action.shape} with values {action}, expected {len(ACTION)} finite numbers")
    return np.clip(action, -1.0, 1.0)


def require_unbegun(elapsed: int) -> None:
    """Refuse to be told a goal after so many steps, unless there were none."""
    if elapsed:
        raise UserError(f"a scene is told its goal before the first step, not after step {elapsed}")
