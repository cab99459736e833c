"""The objects a table can hold: shapes a gripper can take, in colours a person would not confuse."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from mmil.contracts import Thing


@dataclass(frozen=True)
class Shape:
    """A mujoco primitive with the band its half sizes are drawn from [m]."""

    geom: Literal["box", "cylinder"]
    radius: tuple[float, float]  # half width, or radius
    half_height: tuple[float, float]
    density: float  # [kg/m³]

    def draw_size(self, rng: np.random.Generator) -> np.ndarray:
        """float64 (3,) half extents of its bounding box [m]; a cube has three equal ones."""
        radius = rng.uniform(*self.radius)
        height = radius if self.radius == self.half_height else rng.uniform(*self.half_height)
        return np.array([radius, radius, height])

    def mass(self, half_size: np.ndarray) -> float:
        """[kg] of a solid of that size."""
        x, y, z = half_size
        volume = 8 * x * y * z if self.geom == "box" else 2 * np.pi * x * y * z
        return float(self.density * volume)

    def inertia(self, half_size: np.ndarray) -> np.ndarray:
        """float64 (3,) principal moments of that solid [kg·m²]."""
        x, y, z = half_size
        mass = self.mass(half_size)
        if self.geom == "box":
            return mass / 3 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])
        side = mass * (3 * x * x + 4 * z * z) / 12
        return np.array([side, side, mass * x * x / 2])

    def geom_size(self, half_size: np.ndarray) -> np.ndarray:
        """float64 (3,) in mujoco's order: half extents of a box, radius and half height of a cylinder."""
        return half_size if self.geom == "box" else np.array([half_size[0], half_size[2], 0.0])

    @property
    def yaw_symmetry(self) -> float:
        """[rad] after which a turn about the vertical changes nothing; 0 for any turn."""
        return np.pi / 2 if self.geom == "box" else 0.0


SHAPES = MappingProxyType(
    {
        "cube": Shape("box", radius=(0.019, 0.023), half_height=(0.019, 0.023), density=400.0),
        "cylinder": Shape("cylinder", radius=(0.017, 0.022), half_height=(0.026, 0.036), density=400.0),
    }
)

# hue [turns], saturation, value; the hue may move by HUE_JITTER without reaching a neighbour
COLOURS = MappingProxyType(
    {
        "red": (0.995, 0.90, 0.80),
        "orange": (0.070, 0.95, 0.95),
        "yellow": (0.155, 0.90, 0.95),
        "green": (0.350, 0.85, 0.60),
        "blue": (0.610, 0.90, 0.80),
        "purple": (0.780, 0.75, 0.65),
    }
)
HUE_JITTER = 0.012


def every_thing() -> tuple[Thing, ...]:
    """All shapes in all colours, in a fixed order."""
    return tuple(Thing(shape=shape, colour=colour) for shape in SHAPES for colour in COLOURS)
