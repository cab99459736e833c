"""The compiled model made to look and weigh what an episode's draws say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from mmil.scenes.furnish import TABLE_TEXTURE
from mmil.scenes.things import SHAPES
from mmil.scenes.viewpoints import Viewpoints
from mmil.scenes.world import TabletopWorld

CAMERAS = {"front": "front", "wrist": "robot0_eye_in_hand", "side": "side"}  # ours → the model's


class Parts:
    """The numbers by which mujoco knows the parts of a TabletopWorld."""

    def __init__(self, world: TabletopWorld) -> None:
        model, gripper = world.sim.model, world.robots[0].gripper["right"]
        self.cameras = {name: model.camera_name2id(theirs) for name, theirs in CAMERAS.items()}
        self.bodies = [model.body_name2id(slot.root_body) for slot in world.slots]
        self.geoms = [
            {shape: model.geom_name2id(f"{slot.name}_{shape}") for shape in world.shapes} for slot in world.slots
        ]
        self.joints = [model.get_joint_qpos_addr(slot.joints[0])[0] for slot in world.slots]
        sides = (gripper.important_geoms["left_finger"], gripper.important_geoms["right_finger"])
        self.tips = sorted({model.geom_name2id(geom) for side in sides for geom in side})
        self.gripper = [model.actuator_name2id(name) for name in gripper.actuators]
        self.table, self.top = model.geom_name2id("table_visual"), model.geom_name2id("table_collision")
        names = {name: model.geom_name2id(name) for name in model.geom_names if name}
        self.floor, self.walls = names["floor"], [geom for name, geom in names.items() if name.startswith("wall_")]
        self.textures = [i for i in range(model.nmat) if model._model.material(i).name.startswith(TABLE_TEXTURE)]


class Dressing:
    """Writes draws into a compiled model; whatever an earlier episode wrote is overwritten."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, parts: Parts) -> None:
        self._model, self._data, self._parts = model, data, parts
        # mujoco skips pairs by boxes around the geoms as they were compiled: things would sink into the table
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
        self._viewpoints = Viewpoints(model, parts.cameras)
        for geoms in parts.geoms:
            for shape, geom in geoms.items():
                if SHAPES[shape].geom == "mesh":
                    _centre(model, geom)
        self._stock = {
            name: getattr(model, name).copy()
            for name in ("geom_friction", "geom_matid", "geom_rgba", "actuator_gainprm", "actuator_biasprm")
        }

    def apply(self, draws: Mapping[str, Any]) -> None:
        """Shapes, sizes, masses, colours, cameras, lights, friction and the strength of the gripper."""
        model, physics = self._model, draws["physics"]
        for slot, item in enumerate(draws["objects"]):
            self._slot(slot, item, mass=physics["mass"][slot])
        self._viewpoints.apply(draws["cameras"])
        self._look(draws)
        slippery = [self._parts.top, *(geom for geoms in self._parts.geoms for geom in geoms.values())]
        model.geom_friction[slippery] = self._stock["geom_friction"][slippery] * physics["friction"]
        for name in ("actuator_gainprm", "actuator_biasprm"):
            stock = self._stock[name][self._parts.gripper]
            getattr(model, name)[self._parts.gripper] = stock * draws["control"]["grip"]
        mujoco.mj_setConst(model, self._data)  # masses changed: what follows from them must too

    def _look(self, draws: Mapping[str, Any]) -> None:
        """Light, table, floor and walls."""
        light, model, parts = draws["light"], self._model, self._parts
        model.light_pos[0], model.light_diffuse[0] = light["position"], light["diffuse"]
        model.light_specular[0] = 0.1  # more would bleach colours seen from above
        headlight = model.vis.headlight
        headlight.ambient[:], headlight.diffuse[:], headlight.specular[:] = light["headlight"], 0.15, 0.0
        share, textures = draws["table"]["texture"], parts.textures
        model.geom_rgba[parts.table] = [*draws["table"]["rgb"], 1.0]
        model.geom_matid[parts.table] = textures[int(share * len(textures))] if share is not None and textures else -1
        for geoms, rgb in (([parts.floor], draws["room"]["floor"]), (parts.walls, draws["room"]["walls"])):
            model.geom_matid[geoms] = self._stock["geom_matid"][geoms] if rgb is None else -1
            model.geom_rgba[geoms] = self._stock["geom_rgba"][geoms] if rgb is None else [*rgb, 1.0]

    def _slot(self, slot: int, item: Mapping[str, Any], *, mass: float) -> None:
        model, chosen = self._model, item["thing"]["shape"]
        body, geoms = self._parts.bodies[slot], self._parts.geoms[slot]
        half_size = np.array(item["half_size"])
        for shape, geom in geoms.items():
            solid = shape == chosen
            model.geom_contype[geom] = model.geom_conaffinity[geom] = int(solid)
            model.geom_rgba[geom] = [*item["rgb"], float(solid)]  # what is transparent is not drawn
        geom, kind = geoms[chosen], SHAPES[chosen]
        if kind.geom != "mesh":
            model.geom_size[geom] = kind.geom_size(half_size)
            model.geom_rbound[geom] = np.linalg.norm(half_size)
            model.geom_aabb[geom] = [0, 0, 0, *half_size]
        model.body_mass[body], model.body_inertia[body] = mass * kind.mass(half_size), mass * kind.inertia(half_size)
        model.body_ipos[body], model.body_iquat[body] = 0.0, [1.0, 0.0, 0.0, 0.0]


def _centre(model: mujoco.MjModel, geom: int) -> None:
    """Move a mesh so that the middle of its bounding box is where its body is."""
    mesh, rotation = model.geom_dataid[geom], np.empty(9)
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    points = model.mesh_vert[first : first + count] @ rotation.reshape(3, 3).T
    model.geom_pos[geom] = -(points.min(axis=0) + points.max(axis=0)) / 2
