"""An instant: as a robot could know it, and as the simulator does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mmil.contracts.errors import UserError
from mmil.contracts.goal import Goal, Outcome, Thing

BODY_POSES = "body_poses"  # the privileged state every scene has: where its things are


@dataclass(frozen=True)
class Observation:
    """An instant as a robot could know it. `images` and `maps` may render on first access (see Scene.observe)."""

    images: Mapping[str, np.ndarray]  # camera → uint8 (h, w, 3)
    signals: Mapping[str, np.ndarray]  # name → float32 (…)
    instruction: str
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)  # <camera>.<stream> → (h, w), see maps.py


@dataclass(frozen=True)
class Body:
    """An object of the scene as the simulator knows it."""

    thing: Thing
    position: np.ndarray  # float64 (3,) [m], world
    quaternion: np.ndarray  # float64 (4,) xyzw, world from body
    half_size: np.ndarray  # float64 (3,) [m]
    held: bool  # both fingers touch it
    touched: bool = False  # a finger does
    symmetry: float = 0.0  # [rad], the turn about z after which it looks the same; 0: any
    fixed: bool = False  # part of the furniture
    room: float = 0.10  # [m], between its middle and that of a thing put beside it
    value: float = 0.0  # of a fixture: how far a drawer is open [m]; of a button, a lever, a spot: 0 to 1
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))  # (M, 3) [m], world: where work is left to do

    @property
    def rotation(self) -> np.ndarray:
        """float64 (3, 3), world from body."""
        x, y, z, w = self.quaternion
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    @property
    def half_height(self) -> float:
        """[m], of its bounding box as it stands or lies."""
        return float(np.abs(self.rotation[2]) @ self.half_size)

    @property
    def yaw(self) -> float:
        """[rad], about the world's z axis."""
        x, y, z, w = self.quaternion
        return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


@dataclass(frozen=True)
class State:
    """Privileged state: what experts and outcomes may read and policies may not."""

    goal: Goal
    bodies: tuple[Body, ...]
    eef_position: np.ndarray  # float64 (3,) [m], world, between the finger tips
    eef_rotation: np.ndarray  # float64 (3, 3), world from gripper
    gripper_width: float  # [m], between the finger pads
    gripper_command: float  # last commanded: −1 open, +1 closed
    table_height: float  # [m]
    force: np.ndarray = field(default_factory=lambda: np.zeros(3))  # float64 (3,) [N], world: on the hand, tared
    contact: float = 0.0  # [N], median of the last control step: on the hand and what it holds, a squeeze apart
    taken: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))  # (n, 4) x, y, radius, height [m] of fixtures

    @property
    def privileged(self) -> dict[str, np.ndarray]:
        """What episodes keep of it, by the names of Spec.privileged: float32, metres and quaternions xyzw, world."""
        poses = [np.concatenate([body.position, body.quaternion]) for body in self.bodies]
        return {BODY_POSES: np.array(poses, np.float32)}  # (N, 7)

    def body(self, thing: Thing) -> Body:
        for body in self.bodies:
            if body.thing == thing:
                return body
        raise UserError(f"no {thing} in the scene; there are {', '.join(str(b.thing) for b in self.bodies)}")


@dataclass(frozen=True)
class Step:
    """The result of one action. `outcome` is None while the episode goes on."""

    observation: Observation
    state: State
    reward: float
    outcome: Outcome | None
