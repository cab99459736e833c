"""The robosuite side of `tabletop`: a Panda, a table, and slots that can become any of the things.

The model is built once; a new episode only changes numbers in it (soft reset, 0.04 s instead of 1 s).
A slot is one free body with a geom for every shape, of which one at a time is solid and visible; fixtures stand on the
table or, in episodes without them, out of sight.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from robosuite.models.arenas import TableArena
from robosuite.models.objects import MujocoGeneratedObject
from robosuite.models.tasks import ManipulationTask
from robosuite.utils.mjcf_utils import new_body, new_geom, new_joint, new_site

from mmil.scenes.driven import Driven
from mmil.scenes.fixtures import Fixture
from mmil.scenes.furnish import furnish
from mmil.scenes.things import BASIC, SHAPES

TABLE_SIZE = (0.8, 0.8, 0.05)  # [m], full
TABLE_TOP = np.array([0.0, 0.0, 0.8])  # [m], world
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


class TabletopWorld(Driven):
    """A Panda at a table with `slots` things; robosuite renders nothing and observes nothing here."""

    def __init__(
        self,
        *,
        slots: int,
        shapes: Sequence[str] = BASIC,
        fixtures: Sequence[Fixture] = (),
        textures: bool = False,
        processors: Sequence[Callable[[str], str]] = (),
        stock_control: bool = False,
    ) -> None:
        self.shapes, self._slot_names = tuple(shapes), [f"slot{i}" for i in range(slots)]
        furnished = partial(
            furnish, slots=self._slot_names, shapes=self.shapes, fixtures=tuple(fixtures), textures=textures
        )
        super().__init__(processors=(furnished, *processors), stock_control=stock_control)

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

    def reward(self, action: np.ndarray | None = None) -> float:
        return 0.0  # the scene judges, from privileged state

    def _check_success(self) -> bool:
        return False
