"""What can be read of a Panda and its hand in a compiled model: signals, touches, force."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np
from robosuite.environments.robot_env import RobotEnv

HAND_JOINTS = 2


class Panda:
    """The numbers by which mujoco knows the arm, the hand and the cameras `names` (ours → the model's)."""

    def __init__(self, world: RobotEnv, names: Mapping[str, str]) -> None:
        self._model, self._data = world.sim.model._model, world.sim.data._data
        model, robot = world.sim.model, world.robots[0]
        gripper = robot.gripper["right"]
        self.cameras = {name: model.camera_name2id(theirs) for name, theirs in names.items()}
        sides = (gripper.important_geoms["left_finger"], gripper.important_geoms["right_finger"])
        self.fingers = [{model.geom_name2id(geom) for geom in side} for side in sides]
        self.grip_site = model.site_name2id(gripper.important_sites["grip_site"])
        self.flange = model.site_name2id(f"{gripper.naming_prefix}ft_frame")
        self.base = model.body_name2id(robot.robot_model.root_body)
        self._arm_qpos, self._arm_dof = np.array(robot._ref_joint_pos_indexes), np.array(robot._ref_joint_vel_indexes)
        self._finger_qpos = np.array(robot._ref_gripper_joint_pos_indexes["right"] or [], int)

    @property
    def joints(self) -> np.ndarray:
        """(7,) [rad]."""
        return self._data.qpos[self._arm_qpos]

    @property
    def position(self) -> np.ndarray:
        """(3,) [m], world, between the finger tips."""
        return self._data.site_xpos[self.grip_site].copy()

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3), world from gripper."""
        return self._data.site_xmat[self.grip_site].reshape(3, 3).copy()

    @property
    def width(self) -> float:
        """[m], between the finger pads; 0 where there are no fingers."""
        return float(np.ptp(self._fingers)) if len(self._finger_qpos) else 0.0

    @property
    def _fingers(self) -> np.ndarray:
        return self._data.qpos[self._finger_qpos] if len(self._finger_qpos) else np.zeros(HAND_JOINTS)

    def signals(self, wrench: np.ndarray) -> dict[str, np.ndarray]:
        """By the names of SIGNALS; `wrench` (R, 6) is tared already."""
        data, quaternion = self._data, np.empty(4)
        mujoco.mju_mat2Quat(quaternion, data.site_xmat[self.grip_site])
        w, x, y, z = quaternion if quaternion[1] >= 0 else -quaternion
        values = {
            "joint_pos": self.joints,
            "joint_vel": data.qvel[self._arm_dof],
            "joint_torque": data.qfrc_actuator[self._arm_dof],
            "eef_pos_world": data.site_xpos[self.grip_site],
            "eef_quat_xyzw": [x, y, z, w],
            "gripper_pos": self._fingers,
            "wrench": wrench,
        }
        return {**{name: np.array(value, np.float32) for name, value in values.items()}, **self.camera_poses()}

    def camera_poses(self) -> dict[str, np.ndarray]:
        """The signals camera_<name>, float32 (8,)."""
        return {f"camera_{name}": self._camera(number).astype(np.float32) for name, number in self.cameras.items()}

    def force(self, wrench: np.ndarray) -> np.ndarray:
        """(3,) [N], world: what the world does to the hand."""
        return -self._data.site_xmat[self.flange].reshape(3, 3) @ wrench[:, :3].mean(axis=0)

    def touched(self) -> list[set[int]]:
        """The geoms that each finger touches."""
        pairs = self._data.contact.geom.tolist()  # (contacts, 2)
        pairs += [(second, first) for first, second in pairs]
        return [{other for mine, other in pairs if mine in finger} for finger in self.fingers]

    def _camera(self, camera: int) -> np.ndarray:
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self._data.cam_xmat[camera])
        w, x, y, z = quaternion if quaternion[0] >= 0 else -quaternion
        return np.array([*self._data.cam_xpos[camera], x, y, z, w, np.radians(self._model.cam_fovy[camera])])
