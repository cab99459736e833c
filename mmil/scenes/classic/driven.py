"""Any of robosuite's tasks with a Panda: quick control, wrench readings, placements from a seed, and no renderer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from robosuite.controllers import load_composite_controller_config
from robosuite.environments.manipulation.manipulation_env import ManipulationEnv

from mmil.scenes.control import ArmControl
from mmil.scenes.world import CONTROL_HZ, CONTROLLER, READINGS


class Driven(ManipulationEnv):
    """To be mixed in before a task: class LiftWorld(Driven, robosuite…Lift)."""

    def __init__(self, *, processors: Sequence[Callable[[str], str]] = (), stock_control: bool = False) -> None:
        self._processors, self._stock_control = tuple(processors), stock_control
        self.wrench = np.zeros((READINGS, 6))
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
        sensors, model = self.robots[0].gripper["right"].important_sensors, self.sim.model
        self._force, self._torque = (
            model.sensor_adr[model.sensor_name2id(sensors[name])] for name in ("force_ee", "torque_ee")
        )
        self._substeps = round(self.control_timestep / self.model_timestep)

    def _reset_internal(self) -> None:
        super()._reset_internal()
        self._control = ArmControl(self.robots[0], self.sim.model._model, self.sim.data._data)

    def place(self, rng: np.random.Generator) -> None:
        """Reset with what robosuite draws (placements, the arm's pose) drawn from `rng`."""
        # its samplers share one generator with it: the state is exchanged, not the object
        self.rng.bit_generator.state = rng.bit_generator.state
        self.reset()

    def advance(self, action: np.ndarray) -> None:
        """One control step: robosuite takes the action and drives the first substep, ArmControl the others."""
        model, data = self.sim.model._model, self.sim.data._data
        every = self._substeps // READINGS
        for substep in range(1, self._substeps + 1):
            mujoco.mj_step1(model, data)
            if substep == 1 or self._stock_control:
                self._pre_action(action, policy_step=substep == 1)
            else:
                self._control.apply()
            if substep % every == 0:  # what step1 measured, before the substep moves on
                row = self.wrench[substep // every - 1]
                row[:3] = data.sensordata[self._force : self._force + 3]
                row[3:] = data.sensordata[self._torque : self._torque + 3]
            mujoco.mj_step2(model, data)
        # what is seen and told is the state that is stored, not the one a substep before
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        self.timestep += 1
        self.cur_time += self.control_timestep
