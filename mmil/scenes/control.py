"""The arm's torques between two actions: robosuite's OSC_POSE with a fixed base, without its bookkeeping.

A control step is 25 substeps of 20–40 µs of physics, each with some 200 µs of controller in Python. What can change
between two actions is a handful of arrays: they are read once, and go through robosuite's own compiled functions, so
that the torques are the stock ones (a test compares them to 1e-6 over whole episodes).
"""

from __future__ import annotations

import mujoco
import numpy as np
from robosuite.robots.fixed_base_robot import FixedBaseRobot
from robosuite.utils.control_utils import nullspace_torques, opspace_matrices, orientation_error


class ArmControl:
    """Torques of one arm toward the goal that its stock controller was given at the last action."""

    def __init__(self, robot: FixedBaseRobot, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model, self._data = model, data
        self._stock = stock = robot.composite_controller.part_controllers["right"]
        self._site = model.site(stock.ref_name).id
        self._dofs, self._joints = np.array(stock.qvel_index), np.array(stock.qpos_index)
        self._block = np.ix_(self._dofs, self._dofs)
        self._actuators = np.array(robot._ref_actuators_indexes_dict["right"])
        self._low, self._high = model.actuator_ctrlrange[self._actuators].T
        self._jacobian = np.zeros((6, model.nv))
        self._mass = np.zeros((model.nv, model.nv))

    def apply(self) -> None:
        """Write the arm's controls for the coming substep; the gripper's stay as the action set them."""
        data, stock, jacobian = self._data, self._stock, self._jacobian
        mujoco.mj_jacSite(self._model, data, jacobian[:3], jacobian[3:], self._site)
        mujoco.mj_fullM(self._model, self._mass, data.qM)
        mass, arm = self._mass[self._block], np.ascontiguousarray(jacobian[:, self._dofs])
        velocity = jacobian @ data.qvel
        rotation = data.site_xmat[self._site].reshape(3, 3)
        position_error = stock.origin_pos + stock.origin_ori @ stock.goal_pos - data.site_xpos[self._site]
        turn_error = orientation_error(stock.origin_ori @ stock.goal_ori, rotation)
        force = stock.kp[:3] * position_error - stock.kd[:3] * velocity[:3]
        moment = stock.kp[3:] * turn_error - stock.kd[3:] * velocity[3:]
        _, inertia, turning, nullspace = opspace_matrices(mass, arm, arm[:3], arm[3:])
        wrench = np.concatenate([inertia @ force, turning @ moment])
        torques = arm.T @ wrench + data.qfrc_bias[self._dofs]
        torques += nullspace_torques(
            mass, nullspace, stock.initial_joint, data.qpos[self._joints], data.qvel[self._dofs]
        )
        data.ctrl[self._actuators] = np.clip(torques, self._low, self._high)
