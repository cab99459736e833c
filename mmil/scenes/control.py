"""The arm's torques between two actions: robosuite's OSC_POSE with a fixed base, without its bookkeeping.

A control step is 25 substeps of 20–40 µs of physics, each with some 200 µs of controller in Python. What can change
between two actions is a handful of arrays: they are read once, and go through robosuite's own compiled functions, so
that the torques are the stock ones (a test compares them to 1e-6 over whole episodes).
"""

from __future__ import annotations

import mujoco
import numba
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
        self._actuators = np.array(robot._ref_actuators_indexes_dict["right"])
        self._limits = np.ascontiguousarray(model.actuator_ctrlrange[self._actuators].T)
        self._gains = np.stack([stock.kp, stock.kd])
        self._jacobian = np.zeros((6, model.nv))
        self._mass = np.zeros((model.nv, model.nv))

    def apply(self) -> None:
        """Write the arm's controls for the coming substep; the gripper's stay as the action set them."""
        data, stock = self._data, self._stock
        mujoco.mj_jacSite(self._model, data, self._jacobian[:3], self._jacobian[3:], self._site)
        mujoco.mj_fullM(self._model, self._mass, data.qM)
        data.ctrl[self._actuators] = osc_torques(
            self._mass,
            self._jacobian,
            self._dofs,
            stock.origin_pos + stock.origin_ori @ stock.goal_pos - data.site_xpos[self._site],
            stock.origin_ori @ stock.goal_ori,
            data.site_xmat[self._site].reshape(3, 3),
            self._gains,
            stock.initial_joint,
            data.qpos[self._joints],
            data.qvel,
            data.qfrc_bias,
            self._limits,
        )


@numba.njit(cache=True)
def osc_torques(
    whole_mass: np.ndarray,  # (V, V) of every degree of freedom of the scene
    whole_jacobian: np.ndarray,  # (6, V)
    dofs: np.ndarray,  # (7,) which of them are the arm's
    offset: np.ndarray,  # (3,) to the goal
    wanted: np.ndarray,  # (3, 3) goal's rotation
    rotation: np.ndarray,  # (3, 3) the hand's
    gains: np.ndarray,  # (2, 6) kp and kd
    rest: np.ndarray,  # (7,) where the null space is drawn to
    joints: np.ndarray,  # (7,)
    whole_speeds: np.ndarray,  # (V,)
    whole_bias: np.ndarray,  # (V,) gravity and Coriolis
    limits: np.ndarray,  # (2, 7)
) -> np.ndarray:
    """(7,) [N·m]: OscController.run_controller (Khatib 1987) in one compiled piece."""
    mass, jacobian = whole_mass[dofs][:, dofs], np.ascontiguousarray(whole_jacobian[:, dofs])
    velocity, speeds, bias = whole_jacobian @ whole_speeds, whole_speeds[dofs], whole_bias[dofs]
    turn = orientation_error(wanted, rotation)
    force = gains[0, :3] * offset - gains[1, :3] * velocity[:3]
    moment = gains[0, 3:] * turn - gains[1, 3:] * velocity[3:]
    _, inertia, turning, nullspace = opspace_matrices(mass, jacobian, jacobian[:3], jacobian[3:])
    wrench = np.concatenate((inertia @ force, turning @ moment))
    torques = jacobian.T @ wrench + bias
    torques += nullspace_torques(mass, nullspace, rest, joints, speeds)
    return np.minimum(np.maximum(torques, limits[0]), limits[1])
