"""The objects a table can hold: shapes a gripper can take, in colours a person would not confuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from mmil.contracts import Thing

BALL_FILL = np.pi / 6  # of its bounding box
PALM = 0.052  # [m], over the table while the finger tips are 2 cm over it; it reaches 10 cm to both sides


@dataclass(frozen=True)
class Shape:
    """A solid with the band its half sizes are drawn from [m]; a mesh has one size, and a texture for a colour."""

    geom: Literal["box", "cylinder", "sphere", "mesh"]
    radius: tuple[float, float]  # half width along x, or radius
    half_height: tuple[float, float]
    density: float  # [kg/m³]
    half_depth: tuple[float, float] | None = None  # half width along y where it is another
    symmetry: float = 0.0  # [rad], the turn about z after which it looks the same; 0: any
    flat: bool = True  # another thing can stand on it

    @property
    def coloured(self) -> bool:
        return self.geom != "mesh"

    @property
    def tall(self) -> bool:
        """Whether the palm of a hand that takes a low thing beside it would touch it."""
        return 2 * self.half_height[1] > PALM

    def draw_size(self, rng: np.random.Generator, *, share: float = 1.0) -> np.ndarray:
        """float64 (3,) half extents of its bounding box [m], from a share of the bands; a cube has three equal ones."""
        radius = rng.uniform(*_narrowed(self.radius, share))
        height = radius if self.radius == self.half_height else rng.uniform(*_narrowed(self.half_height, share))
        depth = rng.uniform(*_narrowed(self.half_depth, share)) if self.half_depth else radius
        return np.array([radius, depth, height])

    def mass(self, half_size: np.ndarray) -> float:
        """[kg] of a solid of that size."""
        x, y, z = half_size
        fill = {"cylinder": 2 * np.pi, "sphere": 8 * BALL_FILL}.get(self.geom, 8)
        return float(self.density * fill * x * y * z)

    def inertia(self, half_size: np.ndarray) -> np.ndarray:
        """float64 (3,) principal moments of that solid [kg·m²]."""
        x, y, z = half_size
        mass = self.mass(half_size)
        if self.geom == "sphere":
            return np.full(3, 0.4 * mass * x * x)
        if self.geom == "cylinder":
            side = mass * (3 * x * x + 4 * z * z) / 12
            return np.array([side, side, mass * x * x / 2])
        return mass / 3 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])

    def geom_size(self, half_size: np.ndarray) -> np.ndarray:
        """float64 (3,) in mujoco's order: half extents of a box, radius and half height of a cylinder."""
        if self.geom == "box":
            return half_size
        return np.array([half_size[0], half_size[2] if self.geom == "cylinder" else 0.0, 0.0])


def _narrowed(band: tuple[float, float], share: float) -> tuple[float, float]:
    low, high = band
    return (
        (low, high)
        if share == 1
        else ((low + high - share * (high - low)) / 2, (low + high + share * (high - low)) / 2)
    )


def _mesh(x: float, y: float, z: float, *, symmetry: float = 0.0, flat: bool = False) -> Shape:
    density = 120.0  # mostly packed air, as in robosuite
    return Shape("mesh", (x, x), (z, z), density, half_depth=(y, y), symmetry=symmetry, flat=flat)


SQUARE, OBLONG = np.pi / 2, np.pi
SHAPES = MappingProxyType(
    {
        "cube": Shape("box", radius=(0.019, 0.023), half_height=(0.019, 0.023), density=400.0, symmetry=SQUARE),
        "cylinder": Shape("cylinder", radius=(0.017, 0.022), half_height=(0.026, 0.036), density=400.0),
        "ball": Shape("sphere", radius=(0.020, 0.024), half_height=(0.020, 0.024), density=300.0, flat=False),
        "bar": Shape(
            "box", radius=(0.036, 0.044), half_height=(0.016, 0.019), density=400.0,
            half_depth=(0.014, 0.018), symmetry=OBLONG,
        ),
        "peg": Shape("cylinder", radius=(0.012, 0.013), half_height=(0.038, 0.042), density=500.0, flat=False),
        # robosuite's own; their half sizes are those of their meshes
        "milk": _mesh(0.0199, 0.0199, 0.0720, symmetry=SQUARE),
        "can": _mesh(0.0250, 0.0250, 0.0400, flat=True),
        "bread": _mesh(0.0240, 0.0200, 0.0240, symmetry=OBLONG),
        "cereal": _mesh(0.0500, 0.0150, 0.0750, symmetry=OBLONG),
        "lemon": _mesh(0.0338, 0.0200, 0.0200, symmetry=OBLONG),
        "bottle": _mesh(0.0276, 0.0293, 0.0800),
    }
)  # fmt: skip
BASIC = ("cube", "cylinder")
HOUSEHOLD = tuple(name for name, shape in SHAPES.items() if shape.geom == "mesh")

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


def every_thing(shapes: Iterable[str], colours: Iterable[str]) -> tuple[Thing, ...]:
    """These shapes in all of these colours, in a fixed order; what has its own look comes once."""
    wanted = tuple(colours)
    return tuple(
        Thing(shape=shape, colour=colour)
        for shape in shapes
        for colour in (wanted if SHAPES[shape].coloured else ("",))
    )
