"""How much may differ between two episodes: named profiles, each a YAML in configs/randomisation/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

import yaml

from mmil.contracts import UserError, require_known

FOLDER = Path(__file__).parents[2] / "configs" / "randomisation"
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Bands:
    """Half widths of what is drawn evenly around its nominal value, unless another meaning is given."""

    # cameras
    azimuth: float  # [deg], a standing camera around the look-at point
    elevation: float  # [deg]
    distance: float  # [m]
    look_at: float  # [m], each of x, y, z
    roll: float  # [deg]
    front_fovy: float  # [deg]
    wrist_offset: float  # [m], each of x, y, z
    wrist_tilt: float  # [deg], each of the three axes
    wrist_fovy: float  # [deg]
    camera_loss: float  # chance that a camera is dead for an episode; one always lives
    # light
    light: float  # 1: place, strength and tint as they may be
    # look
    table_colour: float  # 1: any colour; 0: grey
    room_colour: float  # of floor and walls, as above
    textures: float  # chance that the table has a texture
    # objects
    size: float  # share of the band that a shape's size is drawn from
    mass: float  # log of the factor
    friction: float  # log of the factor, of things and the table
    # robot
    joints: float  # [rad], standard deviation of the initial joint positions
    # control
    gains: float  # log of the factor of the arm's stiffness
    grip: float  # log of the factor of the gripper's force
    # sensors
    image_noise: float  # [of 255], highest standard deviation
    image_loss: float  # highest chance that a frame is lost, and the last one is shown again
    image_latency: float  # [control steps], longest
    signal_noise: float  # highest standard deviation, as a share of what is usual for the signal
    signal_loss: float  # highest chance that a reading is lost, and the last one is given again
    signal_latency: float  # [control steps], longest


AXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cameras": (
            *("azimuth", "elevation", "distance", "look_at", "roll", "front_fovy"),
            *("wrist_offset", "wrist_tilt", "wrist_fovy", "camera_loss"),
        ),
        "light": ("light",),
        "look": ("table_colour", "room_colour", "textures"),
        "objects": ("size", "mass", "friction"),
        "robot": ("joints",),
        "control": ("gains", "grip"),
        "images": ("image_noise", "image_loss", "image_latency"),
        "signals": ("signal_noise", "signal_loss", "signal_latency"),
    }
)


def load_bands(profile: str, *, only: Sequence[str] = (), values: Mapping[str, float] | None = None) -> Bands:
    """The bands of a profile; with `only`, those axes of it and the others as in `none`; `values` come last."""
    bands = _read(profile)
    if only:
        require_known("axis of randomisation", only, AXES)
        bands = {**_read(NONE), **{name: bands[name] for axis in only for name in AXES[axis]}}
    known = [field.name for field in fields(Bands)]
    require_known("band", values or {}, known)
    for name, value in (values or {}).items():
        if not isinstance(value, int | float) or not value >= 0:
            raise UserError(f"{name} is {value!r}; a band is a number, 0 or more")
    return Bands(**{**bands, **(values or {})})


def profile_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def _read(profile: str) -> dict[str, float]:
    require_known("profile of randomisation", [profile], profile_names())
    return yaml.safe_load((FOLDER / f"{profile}.yaml").read_text())
