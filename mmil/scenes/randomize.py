"""What may differ between two episodes, drawn from the episode's own seed and stored with it as JSON values.

A pose parameter is drawn as u · width with u in [−1, 1] in the training band, and with 1 < |u| ≤ 1.5 in the
held-out band, so that every parameter of a held-out camera lies outside what training saw.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mmil.contracts import Goal, Thing, UserError
from mmil.scenes.things import COLOURS, HUE_JITTER, SHAPES

Band = Literal["none", "train", "held_out"]
HELD_OUT_REACH = 1.5
STREAMS = ("layout", "front", "wrist", "light", "table", "robot", "goal")  # of random numbers, in a fixed order
LOOK_AT = np.array([0.0, 0.0, 0.87])  # [m], world: what the front camera is turned to, before its own jitter
WORKSPACE = ((-0.11, 0.13), (-0.19, 0.19))  # [m], x and y of things on the table
CLEARANCE = 0.09  # [m], between the centres of two things: a finger fits in
LAYOUT_TRIES = 5000
NOMINAL = {"azimuth": 0.0, "elevation": 38.0, "distance": 0.78, "fovy": 43.0}  # front camera [deg, deg, m, deg]
WRIST_FOVY = 75.0  # [deg]


@dataclass(frozen=True, kw_only=True)
class Randomisation:
    """Half widths of the bands, and which band cameras are drawn from."""

    cameras: Band = "train"
    azimuth: float = 14.0  # [deg], front camera around the look-at point
    elevation: float = 5.0  # [deg]
    distance: float = 0.06  # [m]
    look_at: float = 0.025  # [m], each of x, y, z
    roll: float = 2.0  # [deg]
    front_fovy: float = 3.0  # [deg]
    wrist_offset: float = 0.006  # [m], each of x, y, z
    wrist_tilt: float = 2.5  # [deg], each of the three axes
    wrist_fovy: float = 3.0  # [deg]
    light: bool = True
    table_colour: bool = True
    joints: float = 0.03  # [rad], standard deviation of the initial joint positions

    def draw(self, seed: int, *, things: int, pool: tuple[Thing, ...]) -> dict[str, Any]:
        """Every draw of an episode; parts have streams of their own, so that switching one off moves no other."""
        children = np.random.SeedSequence(seed).spawn(len(STREAMS))
        rng = {name: np.random.default_rng(child) for name, child in zip(STREAMS, children, strict=True)}
        objects = draw_objects(rng["layout"], count=things, pool=pool)
        return {
            "objects": objects,
            "cameras": {"front": self._front(rng["front"]), "wrist": self._wrist(rng["wrist"])},
            "light": self._light(rng["light"]),
            "table": self._table(rng["table"]),
            "robot": {"joint_offset": (self.joints * rng["robot"].standard_normal(7)).tolist()},
        }

    def choose(self, seed: int, goals: Sequence[Goal]) -> Goal:
        """One of the goals that turned out feasible: a verb first, so that one with many goals weighs no more."""
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(len(STREAMS))[STREAMS.index("goal")])
        verbs = sorted({goal.verb for goal in goals})
        verb = verbs[rng.integers(len(verbs))]
        of_verb = [goal for goal in goals if goal.verb == verb]
        return of_verb[rng.integers(len(of_verb))]

    def _units(self, rng: np.random.Generator, count: int) -> np.ndarray:
        # drawn whatever the band, so that the band changes the camera and nothing after it
        u, sign = rng.uniform(0, 1, count), rng.choice([-1.0, 1.0], count)
        if self.cameras == "held_out":
            return sign * (1 + (HELD_OUT_REACH - 1) * (1 - u))
        return sign * u * (self.cameras == "train")

    def _front(self, rng: np.random.Generator) -> dict[str, Any]:
        widths = [self.azimuth, self.elevation, self.distance, self.roll, self.front_fovy, *[self.look_at] * 3]
        azimuth, elevation, distance, roll, fovy, *shift = widths * self._units(rng, 8)
        values = {
            "azimuth": NOMINAL["azimuth"] + azimuth,
            "elevation": NOMINAL["elevation"] + elevation,
            "distance": NOMINAL["distance"] + distance,
            "roll": roll,
        }
        target = LOOK_AT + shift
        position, quaternion = orbit(target, **values)
        return {
            "band": self.cameras,
            "position": position.tolist(),
            "quaternion_wxyz": quaternion.tolist(),
            "fovy": NOMINAL["fovy"] + fovy,
            "look_at": target.tolist(),
            **{name: float(value) for name, value in values.items()},
        }

    def _wrist(self, rng: np.random.Generator) -> dict[str, Any]:
        units = self._units(rng, 7)
        return {
            "band": self.cameras,
            "offset": (self.wrist_offset * units[:3]).tolist(),  # [m], from where robosuite mounts it
            "tilt": (self.wrist_tilt * units[3:6]).tolist(),  # [deg], rotation vector
            "fovy": WRIST_FOVY + self.wrist_fovy * units[6],
        }

    def _light(self, rng: np.random.Generator) -> dict[str, Any]:
        draws = rng.uniform(-1, 1, 8) * self.light
        return {
            "position": [1.0 + 0.6 * draws[0], 1.0 * draws[1], 1.6 + 0.3 * draws[2]],
            "diffuse": (0.5 + 0.15 * draws[3] + 0.04 * draws[4:7]).tolist(),
            "headlight": 0.35 + 0.10 * draws[7],
        }

    def _table(self, rng: np.random.Generator) -> dict[str, Any]:
        hue, saturation, value = rng.uniform((0, 0, 0.35), (1, 0.3, 0.9))
        if not self.table_colour:
            hue, saturation, value = 0.0, 0.0, 0.7
        return {"rgb": list(colorsys.hsv_to_rgb(hue, saturation, value))}


def draw_places(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """`count` spots (2,) [m] on the table that keep their distance; a layout that is too tight is drawn anew."""
    for _ in range(LAYOUT_TRIES):
        spots = [rng.uniform(*np.transpose(WORKSPACE)) for _ in range(count)]
        if all(np.linalg.norm(a - b) >= CLEARANCE for i, a in enumerate(spots) for b in spots[:i]):
            return spots
    raise UserError(f"no room for {count} things on the table, {CLEARANCE} m apart; ask for fewer")


def draw_objects(rng: np.random.Generator, *, count: int, pool: tuple[Thing, ...]) -> list[dict[str, Any]]:
    """`count` different things with size [m], place [m], yaw [rad] and colour."""
    if not 2 <= count <= len(pool):
        raise UserError(f"{count} things on the table, expected 2 to {len(pool)}: two goals must be feasible")
    chosen = [pool[i] for i in rng.choice(len(pool), count, replace=False)]
    return [_object(rng, thing, spot) for thing, spot in zip(chosen, draw_places(rng, count), strict=True)]


def _object(rng: np.random.Generator, thing: Thing, spot: np.ndarray) -> dict[str, Any]:
    hue, saturation, value = COLOURS[thing.colour]
    jitter = rng.uniform(-1, 1, 3)
    hue = (hue + HUE_JITTER * jitter[0]) % 1.0
    rgb = colorsys.hsv_to_rgb(hue, min(1.0, saturation + 0.08 * jitter[1]), min(1.0, value + 0.08 * jitter[2]))
    return {
        "thing": {"shape": thing.shape, "colour": thing.colour},
        "half_size": SHAPES[thing.shape].draw_size(rng).tolist(),
        "position": spot.tolist(),
        "yaw": float(rng.uniform(-np.pi, np.pi)),
        "rgb": list(rgb),
    }


def orbit(
    target: np.ndarray, *, azimuth: float, elevation: float, distance: float, roll: float
) -> tuple[np.ndarray, np.ndarray]:
    """Position [m] and quaternion wxyz of a camera (looking along −z, y up) turned to `target`; angles [deg]."""
    around, above, turn = np.radians([azimuth, elevation, roll])
    outward = np.array([np.cos(above) * np.cos(around), np.cos(above) * np.sin(around), np.sin(above)])
    right = np.array([-np.sin(around), np.cos(around), 0.0])
    up = np.cross(outward, right)
    right, up = np.cos(turn) * right + np.sin(turn) * up, np.cos(turn) * up - np.sin(turn) * right
    return target + distance * outward, quaternion_wxyz(np.stack([right, up, outward], axis=1))


def quaternion_wxyz(rotation: np.ndarray) -> np.ndarray:
    """float64 (4,) of a rotation matrix (3, 3)."""
    import mujoco

    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(rotation, dtype=np.float64).ravel())
    return quaternion
