"""Where cameras stand: drawn around a nominal pose, from the band of training or from the one held out.

A pose parameter is drawn as u · width with u in [−1, 1] in the training band, and with 1 < |u| ≤ 1.5 in the
held-out band, so that every parameter of a held-out camera lies outside what training saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from mmil.scenes.profiles import Bands

Band = Literal["none", "train", "held_out"]
HELD_OUT_REACH = 1.5
LOOK_AT = np.array([0.0, 0.0, 0.87])  # [m], world: what a standing camera is turned to, before its own jitter
NOMINAL = {"azimuth": 0.0, "elevation": 38.0, "distance": 0.78, "fovy": 43.0}  # front camera [deg, deg, m, deg]
SIDE = {**NOMINAL, "azimuth": 75.0, "distance": 0.85}
WRIST_FOVY = 75.0  # [deg]


def draw_standing(
    rng: np.random.Generator, bands: Bands, *, band: Band, nominal: Mapping[str, float], look_at: np.ndarray = LOOK_AT
) -> dict[str, Any]:
    """A camera that stands beside the table and looks at its middle, or at another point."""
    widths = [bands.azimuth, bands.elevation, bands.distance, bands.roll, bands.front_fovy, *[bands.look_at] * 3]
    azimuth, elevation, distance, roll, fovy, *shift = widths * _units(rng, 8, band)
    values = {
        "azimuth": nominal["azimuth"] + azimuth,
        "elevation": nominal["elevation"] + elevation,
        "distance": nominal["distance"] + distance,
        "roll": roll,
    }
    target = look_at + shift
    position, quaternion = orbit(target, **values)
    return {
        "band": band,
        "position": position.tolist(),
        "quaternion_wxyz": quaternion.tolist(),
        "fovy": nominal["fovy"] + fovy,
        "look_at": target.tolist(),
        **{name: float(value) for name, value in values.items()},
    }


def draw_wrist(rng: np.random.Generator, bands: Bands, *, band: Band) -> dict[str, Any]:
    """The camera in the hand, moved and turned a little from where it is mounted."""
    units = _units(rng, 7, band)
    return {
        "band": band,
        "offset": (bands.wrist_offset * units[:3]).tolist(),  # [m], from where it is mounted
        "tilt": (bands.wrist_tilt * units[3:6]).tolist(),  # [deg], rotation vector
        "fovy": WRIST_FOVY + bands.wrist_fovy * units[6],
    }


def _units(rng: np.random.Generator, count: int, band: Band) -> np.ndarray:
    # drawn whatever the band, so that the band changes the camera and nothing after it
    u, sign = rng.uniform(0, 1, count), rng.choice([-1.0, 1.0], count)
    if band == "held_out":
        return sign * (1 + (HELD_OUT_REACH - 1) * (1 - u))
    return sign * u * (band == "train")


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
