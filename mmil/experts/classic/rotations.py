"""Rotations as experts need them: of bodies, from one direction to another, about an axis."""

from __future__ import annotations

import numpy as np


def between(now: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(3,) rotation vector [rad], the shortest from one unit vector to the other."""
    axis = np.cross(now, wanted)
    sine, cosine = float(np.linalg.norm(axis)), float(now @ wanted)
    return axis * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 0.0)


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """(3,) [rad], axis times angle."""
    skew = (rotation - rotation.T) / 2
    axis = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    sine, cosine = float(np.linalg.norm(axis)), (float(np.trace(rotation)) - 1) / 2
    return axis * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 1.0)


def about(axis: np.ndarray, angle: float) -> np.ndarray:
    """(3, 3), of a unit axis and [rad] (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def level(offsets: np.ndarray, angle: float) -> np.ndarray:
    """(P, 2), turned by [rad] about the vertical."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return offsets @ np.array([[cosine, sine], [-sine, cosine]])


def shortest(turn: float, symmetry: float) -> float:
    """[rad], the least of the turns that look the same; 0 where any does."""
    return float((turn + symmetry / 2) % symmetry - symmetry / 2) if symmetry else 0.0
