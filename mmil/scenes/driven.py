"""A Panda in any of robosuite's environments: quick control, wrench readings, draws from a seed, and no renderer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib.resources import files

import mujoco
import numpy as np
from robosuite.controllers import load_composite_controller_config
from robosuite.environments.manipulation.manipulation_env import ManipulationEnv
from robosuite.utils.errors import RandomizationError

from mmil.contracts import Infeasible
from mmil.scenes.control import ArmControl

CONTROL_HZ = 20
READINGS = 5  # wrench readings in a control step, evenly spaced
WRENCH = ("force_ee", "torque_ee")  # sensors of three numbers each
CONTROLLER = files("mmil.scenes") / "controllers" / "panda_osc_pose.json"


class Driven(ManipulationEnv):
    """To be built on, or mixed in before a task: class LiftWorld(Driven, robosuite…Lift)."""

    stiffness = 1.0  # of the arm, of the pinned controller's; from the next reset on

    def __init__(self, *, processors: Sequence[Callable[[str], str]] = (), stock_control: bool = False) -> None:
        self._processors, self._stock_control = tuple(processors), stock_control
        self.wrench = np.zeros((READINGS, 6))
        self.contacts = np.zeros(READINGS)  # [N], in the last control step: of the world on the hand and what it holds
        super().__init__(
            robots="Panda",
            controller_configs=load_composite_controller_config(controller=str(CONTROLLER)),
            use_camera_obs=False,
            has_renderer=False,
            has_offscreen_renderer=False,
            renderer="mujoco",
            control_freq=CONTROL_HZ,
            ignore_done=True,
            hard_reset=False,
            seed=0,  # of the model, which some tasks draw; episodes have their own
        )

    def edit_model_xml(self, xml_str: str) -> str:
        xml = super().edit_model_xml(xml_str)
        for process in self._processors:
            xml = process(xml)
        return xml

    def _setup_observables(self) -> OrderedDict:
        return OrderedDict()  # the scene reads the simulator, once a control step instead of once a substep

    def _setup_references(self) -> None:
        super()._setup_references()
        gripper, model = self.robots[0].gripper["right"], self.sim.model
        first = (model.sensor_adr[model.sensor_name2id(gripper.important_sensors[name])] for name in WRENCH)
        self._sensors = np.concatenate([np.arange(address, address + 3) for address in first])
        names = [model.geom_id2name(geom) or "" for geom in range(model.ngeom)]
        self.hand = np.array([name.startswith(gripper.naming_prefix) for name in names])  # (geoms,), or held by it
        self._substeps = round(self.control_timestep / self.model_timestep)

    def _reset_internal(self) -> None:
        super()._reset_internal()
        arm = self.robots[0].composite_controller.part_controllers["right"]
        arm.kp, arm.kd = arm.kp * self.stiffness, arm.kd * np.sqrt(self.stiffness)  # damped as before
        model, data = self.sim.model._model, self.sim.data._data
        self._control = ArmControl(self.robots[0], model, data, sensors=self._sensors)

    def place(self, rng: np.random.Generator) -> None:
        """Reset with what robosuite draws (placements, the arm's pose) drawn from `rng`."""
        # its samplers share one generator with it: the state is exchanged, not the object
        self.rng.bit_generator.state = rng.bit_generator.state
        try:
            self.reset()
        except RandomizationError as error:
            raise Infeasible(f"robosuite finds no placement: {error}") from None

    def advance(self, action: np.ndarray) -> None:
        """One control step, of robosuite's own controller or of its quick equal."""
        model, data = self.sim.model._model, self.sim.data._data
        every = self._substeps // READINGS
        for number, reading in enumerate(self.wrench):
            if self._stock_control:
                self._advance_as_stock(action, every, reading, first=number == 0)
            else:
                if number == 0:
                    self._control.begin(action)
                self._control.advance(every, reading)
            self.contacts[number] = self._net_contact()
        # what is seen and told is the state that is stored, not the one a substep before
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        self.timestep += 1
        self.cur_time += self.control_timestep

    def _advance_as_stock(self, action: np.ndarray, substeps: int, reading: np.ndarray, *, first: bool) -> None:
        model, data = self.sim.model._model, self.sim.data._data
        for substep in range(substeps):
            mujoco.mj_step1(model, data)
            self._pre_action(action, policy_step=first and substep == 0)
            reading[:] = data.sensordata[self._sensors]
            mujoco.mj_step2(model, data)

    def _net_contact(self) -> float:
        """[N] of the contacts between the hand, with what it holds, and all else: a squeeze cancels out."""
        model, data = self.sim.model._model, self.sim.data._data
        mine = self.hand[data.contact.geom]  # (contacts, 2)
        between = np.flatnonzero(mine[:, 0] != mine[:, 1])
        if not len(between):
            return 0.0
        total, force = np.zeros(3), np.zeros(6)
        for i in between:
            mujoco.mj_contactForce(model, data, int(i), force)
            push = data.contact.frame[i].reshape(3, 3).T @ force[:3]  # on the second geom
            total += push if mine[i, 1] else -push
        return float(np.linalg.norm(total))
