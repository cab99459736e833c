"""The compiled model made to look and weigh what an episode's draws say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from mmil.scenes.things import SHAPES
from mmil.scenes.world import TabletopWorld

CAMERAS = {"front": "front", "wrist": "robot0_eye_in_hand"}  # ours → robosuite's
WRIST_POSITION, WRIST_LEAN = np.array([0.095, 0.0, 0.0]), -np.radians(30.0)  # [m], [rad]


class Parts:
    """The numbers by which mujoco knows the parts of a TabletopWorld."""

    def __init__(self, world: TabletopWorld) -> None:
        model, robot = world.sim.model, world.robots[0]
        gripper = robot.gripper["right"]
        self.cameras = {name: model.camera_name2id(theirs) for name, theirs in CAMERAS.items()}
        self.bodies = [model.body_name2id(slot.root_body) for slot in world.slots]
        self.geoms = [{shape: model.geom_name2id(f"{slot.name}_{shape}") for shape in SHAPES} for slot in world.slots]
        self.joints = [model.get_joint_qpos_addr(slot.joints[0])[0] for slot in world.slots]
        self.fingers = [
            {model.geom_name2id(geom) for geom in gripper.important_geoms[side]}
            for side in ("left_finger", "right_finger")
        ]
        self.grip_site = model.site_name2id(gripper.important_sites["grip_site"])
        self.arm_qpos, self.arm_dof = np.array(robot._ref_joint_pos_indexes), np.array(robot._ref_joint_vel_indexes)
        self.finger_qpos = np.array(robot._ref_gripper_joint_pos_indexes["right"])
        self.table = model.geom_name2id("table_visual")


class Dressing:
    """Writes draws into a compiled model; whatever an earlier episode wrote is overwritten."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, parts: Parts) -> None:
        self._model, self._data, self._parts = model, data, parts
        self._wrist_home = wrist_mount(model.cam_quat[parts.cameras["wrist"]])
        model.geom_matid[parts.table] = -1  # its colour is drawn, not its texture

    def apply(self, draws: Mapping[str, Any]) -> None:
        """Shapes, sizes, masses, colours, cameras and lights."""
        for body, geoms, item in zip(self._parts.bodies, self._parts.geoms, draws["objects"], strict=True):
            self._slot(body, geoms, item)
        self._cameras(draws["cameras"])
        light, model = draws["light"], self._model
        model.light_pos[0], model.light_diffuse[0] = light["position"], light["diffuse"]
        model.light_specular[0] = 0.1  # more would bleach colours seen from above
        headlight = model.vis.headlight
        headlight.ambient[:], headlight.diffuse[:], headlight.specular[:] = light["headlight"], 0.15, 0.0
        model.geom_rgba[self._parts.table] = [*draws["table"]["rgb"], 1.0]
        mujoco.mj_setConst(model, self._data)  # masses changed: what follows from them must too

    def _slot(self, body: int, geoms: Mapping[str, int], item: Mapping[str, Any]) -> None:
        model, chosen = self._model, item["thing"]["shape"]
        half_size = np.array(item["half_size"])
        for shape, geom in geoms.items():
            solid = shape == chosen
            model.geom_contype[geom] = model.geom_conaffinity[geom] = int(solid)
            model.geom_rgba[geom] = [*item["rgb"], float(solid)]  # what is transparent is not drawn
        geom, kind = geoms[chosen], SHAPES[chosen]
        model.geom_size[geom] = kind.geom_size(half_size)
        model.geom_rbound[geom] = np.linalg.norm(half_size)
        model.geom_aabb[geom] = [0, 0, 0, *half_size]
        model.body_mass[body], model.body_inertia[body] = kind.mass(half_size), kind.inertia(half_size)
        model.body_ipos[body], model.body_iquat[body] = 0.0, [1.0, 0.0, 0.0, 0.0]

    def _cameras(self, draws: Mapping[str, Any]) -> None:
        model, cameras = self._model, self._parts.cameras
        front, wrist = cameras["front"], cameras["wrist"]
        model.cam_pos[front], model.cam_quat[front] = draws["front"]["position"], draws["front"]["quaternion_wxyz"]
        tilt, turned = np.radians(draws["wrist"]["tilt"]), np.empty(4)
        angle = float(np.linalg.norm(tilt))
        mujoco.mju_axisAngle2Quat(turned, tilt / angle if angle else np.array([0.0, 0.0, 1.0]), angle)
        position, quaternion = self._wrist_home
        model.cam_pos[wrist] = position + draws["wrist"]["offset"]
        mujoco.mju_mulQuat(model.cam_quat[wrist], quaternion, turned)
        model.cam_fovy[front], model.cam_fovy[wrist] = draws["front"]["fovy"], draws["wrist"]["fovy"]


def wrist_mount(stock: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position [m] and quaternion wxyz in the hand's frame: in front of it, tilted so that the finger tips show.

    Where robosuite mounts its eye-in-hand camera (`stock` quaternion), the hand hides what is between the fingers.
    """
    lean, mounted = np.empty(4), np.empty(4)
    mujoco.mju_axisAngle2Quat(lean, np.array([1.0, 0.0, 0.0]), WRIST_LEAN)
    mujoco.mju_mulQuat(mounted, stock, lean)
    return WRIST_POSITION, mounted
