"""The arm's torques between two actions: robosuite's OSC_POSE with a fixed base, without its bookkeeping.

A control step is 25 substeps of 20–40 µs of physics, each with some 200 µs of controller in Python. What happens
between two actions, the simulator's own functions among it, is one compiled piece, whose torques are the stock ones
(a test compares them to 1e-6 over whole episodes).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numba
import numpy as np
from llvmlite.binding import load_library_permanently
from numba import types
from robosuite.robots.fixed_base_robot import FixedBaseRobot
from robosuite.utils.control_utils import nullspace_torques, orientation_error
from robosuite.utils.transform_utils import axisangle2quat, quat2mat

# the library that the package mujoco has loaded: compiled code calls it by the names of its own header
load_library_permanently(str(next(Path(mujoco.__file__).parent.glob("libmujoco*"))))
_AT = types.intp
_mj_step1: Any = types.ExternalFunction("mj_step1", types.void(_AT, _AT))
_mj_step2: Any = types.ExternalFunction("mj_step2", types.void(_AT, _AT))
_mj_full_mass: Any = types.ExternalFunction("mj_fullM", types.void(_AT, _AT, _AT))
_mj_site_jacobian: Any = types.ExternalFunction("mj_jacSite", types.void(_AT, _AT, _AT, _AT, types.int32))


class ArmControl:
    """A robot that is simulated while its arm follows an action; `sensors` (6,) are those of a wrench."""

    def __init__(
        self, robot: FixedBaseRobot, model: mujoco.MjModel, data: mujoco.MjData, *, sensors: np.ndarray
    ) -> None:
        self._robot, self._model, self._data = robot, model, data
        self._stock = stock = robot.composite_controller.part_controllers["right"]
        site, actuators = model.site(stock.ref_name).id, np.array(robot._ref_actuators_indexes_dict["right"])
        # views of what the simulator writes: to ask for them anew takes longer than to use them
        self._hand = (data.site_xpos[site], data.site_xmat[site].reshape(3, 3))
        self._simulator = (model._address, data._address, site)
        self._arrays = (data.qpos, data.qvel, data.qM, data.qfrc_bias, data.ctrl, data.sensordata)
        self._arm = (np.array(stock.qvel_index), np.array(stock.qpos_index), actuators, sensors)
        self._limits = np.ascontiguousarray(model.actuator_ctrlrange[actuators].T)

    def begin(self, action: np.ndarray) -> None:
        """Take an action, as the stock controllers do: before the first substep's torques, the hand's for good."""
        mujoco.mj_step1(self._model, self._data)
        whole, stock = self._robot.composite_controller, self._stock
        parts = {part: action[slice(*where)] for part, where in whole._action_split_indexes.items()}
        for part, controller in whole.part_controllers.items():
            if controller is not stock:
                controller.set_goal(whole.grippers[part].format_action(parts[part]))
                numbers = self._robot._ref_actuators_indexes_dict[part]
                limits = self._model.actuator_ctrlrange[numbers].T
                self._data.ctrl[numbers] = np.clip(controller.run_controller(), *limits)
        delta, base = stock.scale_action(parts["right"]), whole.get_controller_base_pose("right")[1]
        position, rotation = self._hand
        turn = base @ quat2mat(axisangle2quat(delta[3:])) @ base.T  # the action's axes are those of the robot's base
        self._goal = (position + base @ delta[:3], turn @ rotation)
        self._settings = (np.stack([stock.kp, stock.kd]), stock.initial_joint, self._limits)
        self._begun = True

    def advance(self, substeps: int, reading: np.ndarray) -> None:
        """Some substeps toward that; `reading` (6,) becomes the wrench of the last."""
        _advance(
            (self._simulator, self._arrays, self._hand, self._arm),
            (self._goal, self._settings),
            (substeps, self._begun),
            reading,
        )
        self._begun = False


@numba.njit(cache=True)
def _advance(robot: tuple, aim: tuple, count: tuple[int, bool], reading: np.ndarray) -> None:
    (model, data, site), (qpos, qvel, packed_mass, bias, ctrl, sensordata), hand, arm = robot
    dofs, joints, actuators, sensors = arm
    substeps, begun = count
    mass, jacobian = np.empty((len(qvel), len(qvel))), np.empty((6, len(qvel)))
    for substep in range(substeps):
        if substep > 0 or not begun:
            _mj_step1(model, data)
        _mj_site_jacobian(model, data, jacobian[:3].ctypes.data, jacobian[3:].ctypes.data, site)
        _mj_full_mass(model, mass.ctypes.data, packed_mass.ctypes.data)
        ctrl[actuators] = osc_torques((mass, jacobian, bias), (dofs, joints), aim, (*hand, qpos, qvel))
        if substep == substeps - 1:
            reading[:] = sensordata[sensors]  # of the state that the substep begins from
        _mj_step2(model, data)


@numba.njit(cache=True)
def osc_torques(
    dynamics: tuple[np.ndarray, np.ndarray, np.ndarray],  # of every degree of freedom of the scene: the mass (V, V),
    # the Jacobian of the hand (6, V), gravity and Coriolis (V,)
    arm: tuple[np.ndarray, np.ndarray],  # (7,) which of the degrees of freedom, and which of qpos, are the arm's
    aim: tuple[tuple, tuple],  # (3,) and (3, 3), where the hand shall be; kp and kd (2, 6), where the null space is
    # drawn to (7,), least and largest torques (2, 7)
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],  # (3,) and (3, 3), where it is; qpos, qvel
) -> np.ndarray:
    """(7,) [N·m]: OscController.run_controller (Khatib 1987) in one compiled piece."""
    whole_mass, whole_jacobian, whole_bias = dynamics
    dofs, joints = arm
    position, rotation, qpos, qvel = state
    goal, (gains, rest, limits) = aim
    mass, jacobian = np.empty((len(dofs), len(dofs))), np.empty((6, len(dofs)))
    for column, dof in enumerate(dofs):
        jacobian[:, column] = whole_jacobian[:, dof]
        for row, other in enumerate(dofs):
            mass[row, column] = whole_mass[other, dof]
    velocity, speeds = whole_jacobian @ qvel, qvel[dofs]
    force = gains[0, :3] * (goal[0] - position) - gains[1, :3] * velocity[:3]
    moment = gains[0, 3:] * orientation_error(goal[1], rotation) - gains[1, 3:] * velocity[3:]
    # as opspace_matrices, with inverses where that takes pseudo-inverses: the same to 1e-13, in a third of the time
    motion = np.linalg.solve(mass, jacobian.T)  # (7, 6) M⁻¹ Jᵀ
    resistance = jacobian @ motion  # (6, 6), of which the inverse is the mass that the hand feels
    inertia, turning = np.linalg.inv(resistance[:3, :3].copy()), np.linalg.inv(resistance[3:, 3:].copy())
    wrench = np.concatenate((inertia @ force, turning @ moment))
    nullspace = np.eye(len(dofs)) - motion @ np.linalg.solve(resistance, jacobian)
    torques = jacobian.T @ wrench + whole_bias[dofs]
    torques += nullspace_torques(mass, nullspace, rest, qpos[joints], speeds)
    return np.minimum(np.maximum(torques, limits[0]), limits[1])
