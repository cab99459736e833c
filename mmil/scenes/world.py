"""The robosuite side of `tabletop`: a Panda, a table, and slots that can become any of the things.

The model is built once; a new episode only changes numbers in it (soft reset, 0.04 s instead of 1 s).
A slot is one free body with a geom for every shape, of which one at a time is solid and visible; fixtures stand on the
table or, in episodes without them, out of sight.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import mujoco
import numpy as np
from robosuite.controllers import load_composite_controller_config
from robosuite.environments.manipulation.manipulation_env import ManipulationEnv
from robosuite.models.arenas import TableArena
from robosuite.models.objects import MujocoGeneratedObject
from robosuite.models.tasks import ManipulationTask
from robosuite.utils.mjcf_utils import new_body, new_geom, new_joint, new_site

from mmil.scenes.control import ArmControl
from mmil.scenes.fixtures import Fixture
from mmil.scenes.furnish import furnish
from mmil.scenes.things import BASIC, SHAPES

TABLE_SIZE = (0.8, 0.8, 0.05)  # [m], full
TABLE_TOP = np.array([0.0, 0.0, 0.8])  # [m], world
CONTROL_HZ = 20
READINGS = 5  # wrench readings in a control step, evenly spaced
CONTROLLER = files("mmil.scenes") / "controllers" / "panda_osc_pose.json"
AWAY = np.array([0.0, 0.0, 5.0])  # where a camera is until its first pose is drawn


class Slot(MujocoGeneratedObject):
    """A free body that can be any shape; which one, how large and of what colour is set in the compiled model."""

    def __init__(self, name: str, shapes: Sequence[str]) -> None:
        super().__init__()
        self._name, self._shapes = name, shapes
        self._obj = self._get_object_subtree()
        self._get_object_properties()

    def _get_object_subtree(self) -> ET.Element:
        body = new_body(name="root")
        body.append(new_joint(name="joint0", type="free", damping="0.0005"))
        # robosuite derives inertia from collision geoms alone; the drawn shape's own replaces this one
        body.append(ET.Element("inertial", pos="0 0 0", mass="0.03", diaginertia="1e-5 1e-5 1e-5"))
        for shape in self._shapes:
            kind = SHAPES[shape]
            if kind.geom == "mesh":  # robosuite's objects would rename it: furnish() adds it
                continue
            size = {"box": [0.02, 0.02, 0.02], "cylinder": [0.02, 0.02]}.get(kind.geom, [0.02])
            geom = new_geom(name=shape, type=kind.geom, size=size, group=1, density=400)
            geom.set("friction", "1 0.005 0.0001")
            geom.set("condim", "4")  # torsional friction, so that a held thing does not spin between the pads
            geom.set("solref", "0.01 1")
            if kind.geom == "sphere":
                geom.set("condim", "6")  # it rolls to a halt
                geom.set("friction", "1 0.005 0.002")
            body.append(geom)
        body.append(new_site(name="default_site", rgba=[0, 0, 0, 0]))
        return body

    @property
    def bottom_offset(self) -> np.ndarray:
        return np.array([0.0, 0.0, -0.02])

    @property
    def top_offset(self) -> np.ndarray:
        return np.array([0.0, 0.0, 0.02])

    @property
    def horizontal_radius(self) -> float:
        return 0.03


class TabletopWorld(ManipulationEnv):
    """A Panda at a table with `slots` things; robosuite renders nothing and observes nothing here."""

    def __init__(
        self,
        *,
        slots: int,
        shapes: Sequence[str] = BASIC,
        fixtures: Sequence[Fixture] = (),
        textures: bool = False,
        processors: tuple[Any, ...] = (),
        stock_control: bool = False,
    ) -> None:
        self._stock_control = stock_control
        self.shapes, self.fixtures, self._textures = tuple(shapes), tuple(fixtures), textures
        self.contact = 0.0  # [N], highest in the last control step: the world's push against the hand and what it holds
        self.stiffness = 1.0  # of the arm, of the pinned controller's
        self._slot_names = [f"slot{i}" for i in range(slots)]
        self._processors = processors
        self.wrench = np.zeros((READINGS, 6))
        super().__init__(
            robots="Panda",
            controller_configs=load_composite_controller_config(controller=str(CONTROLLER)),
            gripper_types="default",
            base_types="default",
            initialization_noise=None,
            use_camera_obs=False,
            has_renderer=False,
            has_offscreen_renderer=False,
            renderer="mujoco",
            control_freq=CONTROL_HZ,
            ignore_done=True,
            hard_reset=False,
        )

    def edit_model_xml(self, xml_str: str) -> str:
        parts = {"shapes": self.shapes, "fixtures": self.fixtures, "textures": self._textures}
        xml = furnish(super().edit_model_xml(xml_str), self._slot_names, **parts)
        for process in self._processors:
            xml = process(xml)
        return xml

    def _load_model(self) -> None:
        super()._load_model()
        robot = self.robots[0].robot_model
        robot.set_base_xpos(robot.base_xpos_offset["table"](TABLE_SIZE[0]))
        arena = TableArena(table_full_size=TABLE_SIZE, table_offset=TABLE_TOP)
        arena.set_origin([0, 0, 0])
        for camera in ("front", "side"):
            arena.set_camera(camera_name=camera, pos=AWAY, quat=np.array([1.0, 0.0, 0.0, 0.0]))
        self.slots = [Slot(name, self.shapes) for name in self._slot_names]
        self.model = ManipulationTask(mujoco_arena=arena, mujoco_robots=[robot], mujoco_objects=self.slots)

    def _setup_observables(self) -> OrderedDict:
        # observations are read from the simulator by the scene, once a control step instead of once a substep
        return OrderedDict()

    def _setup_references(self) -> None:
        super()._setup_references()
        gripper = self.robots[0].gripper["right"]
        model = self.sim.model
        self._force, self._torque = (
            model.sensor_adr[model.sensor_name2id(gripper.important_sensors[name])]
            for name in ("force_ee", "torque_ee")
        )
        self.hand = np.zeros(model.ngeom, bool)  # which geoms are the hand, or held by it
        for geom in range(model.ngeom):
            self.hand[geom] = (model.geom_id2name(geom) or "").startswith(gripper.naming_prefix)
        self._substeps = round(self.control_timestep / self.model_timestep)

    def _reset_internal(self) -> None:
        super()._reset_internal()
        arm = self.robots[0].composite_controller.part_controllers["right"]
        arm.kp, arm.kd = arm.kp * self.stiffness, arm.kd * np.sqrt(self.stiffness)  # damped as before
        self._control = ArmControl(self.robots[0], self.sim.model._model, self.sim.data._data)

    def advance(self, action: np.ndarray) -> None:
        """One control step: robosuite takes the action and drives the first substep, ArmControl the others."""
        model, data = self.sim.model._model, self.sim.data._data
        every = self._substeps // READINGS
        self.contact = 0.0
        for substep in range(1, self._substeps + 1):
            mujoco.mj_step1(model, data)
            if substep == 1 or self._stock_control:
                self._pre_action(action, policy_step=substep == 1)
                self._control.aim()
            else:
                self._control.apply()
            if substep % every == 0:  # what step1 measured, before the substep moves on
                row = self.wrench[substep // every - 1]
                row[:3] = data.sensordata[self._force : self._force + 3]
                row[3:] = data.sensordata[self._torque : self._torque + 3]
            mujoco.mj_step2(model, data)
            if substep % every == 0:
                self.contact = max(self.contact, self._net_contact())
        # what is seen and told is the state that is stored, not the one a substep before
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        self.timestep += 1
        self.cur_time += self.control_timestep

    def _net_contact(self) -> float:
        """[N] of the contacts between the hand, with what it holds, and all else: a squeeze cancels out."""
        model, data = self.sim.model._model, self.sim.data._data
        mine = self.hand[data.contact.geom]  # (contacts, 2)
        total, force = np.zeros(3), np.zeros(6)
        for i in np.flatnonzero(mine[:, 0] != mine[:, 1]):
            mujoco.mj_contactForce(model, data, int(i), force)
            push = data.contact.frame[i].reshape(3, 3).T @ force[:3]  # on the second geom
            total += push if mine[i, 1] else -push
        return float(np.linalg.norm(total))

    def reward(self, action: np.ndarray | None = None) -> float:
        return 0.0  # the scene judges, from privileged state

    def _check_success(self) -> bool:
        return False
