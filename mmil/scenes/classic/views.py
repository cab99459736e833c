"""Where the cameras of robosuite's tasks stand: drawn as tabletop's are, around a view of each task's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmil.scenes.cameras import draw_standing, draw_wrist
from mmil.scenes.randomize import Randomisation

NAMES = {"front": "agentview", "wrist": "robot0_eye_in_hand"}  # ours → robosuite's


@dataclass(frozen=True)
class View:
    """What the front camera sees unless it is moved: from azimuth 0 it looks along −x, and down."""

    look_at: tuple[float, float, float]  # [m], world
    distance: float  # [m]
    azimuth: float = 0.0  # [deg]
    elevation: float = 38.0  # [deg]
    fovy: float = 43.0  # [deg]

    def draw(self, rng: np.random.Generator, randomisation: Randomisation) -> dict[str, Any]:
        """Poses and fields of view of both cameras, as JSON values."""
        bands, band = randomisation.bands, randomisation.cameras
        nominal = {name: getattr(self, name) for name in ("azimuth", "elevation", "distance", "fovy")}
        return {
            "front": draw_standing(rng, bands, band=band, nominal=nominal, look_at=np.array(self.look_at)),
            "wrist": draw_wrist(rng, bands, band=band),
        }
