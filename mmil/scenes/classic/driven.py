"""Any of robosuite's tasks with a Panda: quick control, wrench readings, placements from a seed, and no renderer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from robosuite.controllers import load_composite_controller_config
from robosuite.environments.manipulation.manipulation_env import ManipulationEnv
from robosuite.utils.errors import RandomizationError

from mmil.contracts import Infeasible
from mmil.scenes.control import ArmControl
from mmil.scenes.world import CONTROL_HZ, CONTROLLER, READINGS, TabletopWorld


class Driven(ManipulationEnv):
    """To be mixed in before a task: class LiftWorld(Driven, robosuite…Lift)."""

    def __init__(self, *, processors: Sequence[Callable[[str], str]] = (), stock_control: bool = False) -> None:
        self._processors, self._stock_control = tuple(processors), stock_control
        self.wrench, self.contact = np.zeros((READINGS, 6)), 0.0
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
        self._force, self._torque = (
            model.sensor_adr[model.sensor_name2id(gripper.important_sensors[name])]
            for name in ("force_ee", "torque_ee")
        )
        names = [model.geom_id2name(geom) or "" for geom in range(model.ngeom)]
        self.hand = np.array([name.startswith(gripper.naming_prefix) for name in names])  # (geoms,), or held by it
        self._substeps = round(self.control_timestep / self.model_timestep)

    def _reset_internal(self) -> None:
        super()._reset_internal()
        self._control = ArmControl(self.robots[0], self.sim.model._model, self.sim.data._data)

    def place(self, rng: np.random.Generator) -> None:
        """Reset with what robosuite draws (placements, the arm's pose) drawn from `rng`."""
        # its samplers share one generator with it: the state is exchanged, not the object
        self.rng.bit_generator.state = rng.bit_generator.state
        try:
            self.reset()
        except RandomizationError as error:
            raise Infeasible(f"robosuite finds no placement: {error}") from None

    advance = TabletopWorld.advance  # one way to drive for all scenes
    _net_contact = TabletopWorld._net_contact
