"""The arm's torques between two actions: robosuite's OSC_POSE with a fixed base, without its bookkeeping.

A control step is 25 substeps of 20–40 µs of physics, each with some 200 µs of controller in Python. What can change
between two actions is a handful of arrays: they go through one compiled piece, whose torques are the stock ones (a
test compares them to 1e-6 over whole episodes).
"""

from __future__ import annotations

import mujoco
import numba
import numpy as np
from robosuite.robots.fixed_base_robot import FixedBaseRobot
from robosuite.utils.control_utils import nullspace_torques, orientation_error


class ArmControl:
    """Torques of one arm toward the goal that its stock controller was given at the last action."""

    def __init__(self, robot: FixedBaseRobot, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._robot, self._model, self._data = robot, model, data
        self._stock = stock = robot.composite_controller.part_controllers["right"]
        self._site = model.site(stock.ref_name).id
        self._dofs, self._joints = np.array(stock.qvel_index), np.array(stock.qpos_index)
        self._actuators = np.array(robot._ref_actuators_indexes_dict["right"])
        self._limits = np.ascontiguousarray(model.actuator_ctrlrange[self._actuators].T)
        self._gains = np.stack([stock.kp, stock.kd])
        self._jacobian = np.zeros((6, model.nv))
        self._mass = np.zeros((model.nv, model.nv))
        # views of what the simulator writes: to ask for them anew takes longer than to use them
        self._state = (data.site_xpos[self._site], data.site_xmat[self._site].reshape(3, 3), data.qpos, data.qvel)
        self._bias, self._packed_mass, self._ctrl = data.qfrc_bias, data.qM, data.ctrl

    def begin(self, action: np.ndarray) -> None:
        """Have robosuite set its goals, and write the controls of the first substep, the gripper's for all of them."""
        robot, stock = self._robot, self._stock
        robot.composite_controller.update_state()
        robot.composite_controller.set_goal(action)
        for part, controller in robot.composite_controller.part_controllers.items():
            if controller is not stock:
                numbers = robot._ref_actuators_indexes_dict[part]
                self._ctrl[numbers] = np.clip(controller.run_controller(), *self._model.actuator_ctrlrange[numbers].T)
        stock.new_update = True  # as its own run would say: the next goal is one from where the hand is then
        self._goal = (stock.origin_pos + stock.origin_ori @ stock.goal_pos, stock.origin_ori @ stock.goal_ori)
        self.apply()

    def apply(self) -> None:
        """Write the arm's controls for the coming substep; the gripper's stay as the action set them."""
        mujoco.mj_jacSite(self._model, self._data, self._jacobian[:3], self._jacobian[3:], self._site)
        mujoco.mj_fullM(self._model, self._mass, self._packed_mass)
        self._ctrl[self._actuators] = osc_torques(
            (self._mass, self._jacobian, self._bias),
            (self._dofs, self._joints),
            self._goal,
            self._state,
            (self._gains, self._stock.initial_joint, self._limits),
        )


@numba.njit(cache=True)
def osc_torques(
    dynamics: tuple[np.ndarray, np.ndarray, np.ndarray],  # of every degree of freedom of the scene: the mass (V, V),
    # the Jacobian of the hand (6, V), gravity and Coriolis (V,)
    arm: tuple[np.ndarray, np.ndarray],  # (7,) which of the degrees of freedom, and which of qpos, are the arm's
    goal: tuple[np.ndarray, np.ndarray],  # (3,) and (3, 3), where the hand shall be
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],  # (3,) and (3, 3), where it is; qpos, qvel
    settings: tuple[np.ndarray, np.ndarray, np.ndarray],  # kp and kd (2, 6), where the null space is drawn to (7,),
    # least and largest torques (2, 7)
) -> np.ndarray:
    """(7,) [N·m]: OscController.run_controller (Khatib 1987) in one compiled piece."""
    whole_mass, whole_jacobian, whole_bias = dynamics
    dofs, joints = arm
    position, rotation, qpos, qvel = state
    gains, rest, limits = settings
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
