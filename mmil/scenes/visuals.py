"""Lighter copies of robosuite's visual meshes: rendering in software is bound by the number of triangles.

Collision meshes are left alone, so that the physics is the stock one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import fast_simplification
import numpy as np

# Share of the triangles taken away, and how many a mesh keeps: fine is a fifth slower, for scenes that show the robot's
# mount and much else that is far from the table
COARSE, FINE = (0.95, 800), (0.8, 2400)
SEAM = 1 / 400  # of a mesh's length: in one of many loose pieces, points that are closer are one
FEWEST = 400  # a mesh with no more triangles than this is left as it is


def cache_folder() -> Path:
    """Where simplified meshes are kept: $MMIL_CACHE, or the user's cache folder."""
    root = os.environ.get("MMIL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "mmil"
    return Path(root) / "meshes"


def simplify_visuals(xml: str, *, fine: bool = False) -> str:
    """The same model with every mesh that only the eye uses replaced by a simplified copy."""
    root = ET.fromstring(xml)
    seen = {geom.get("mesh") for geom in root.iter("geom") if geom.get("group") == "1"}
    felt = {geom.get("mesh") for geom in root.iter("geom") if geom.get("group") != "1"}
    for mesh in root.iter("mesh"):
        if mesh.get("name") in seen - felt:
            mesh.set("file", str(simplified(Path(mesh.get("file", "")), fine=fine)))
    return ET.tostring(root, encoding="unicode")


def simplified(source: Path, *, fine: bool = False) -> Path:
    """A cached copy of the mesh with far fewer triangles; the mesh itself if it is small already."""
    reader = {".obj": _read_obj, ".stl": _read_stl}.get(source.suffix.lower())
    if reader is None:
        return source
    content, (share, most) = source.read_bytes(), FINE if fine else COARSE
    name = hashlib.sha256(content + f"{share} {FEWEST} {most} {SEAM}".encode()).hexdigest()[:24]
    target = cache_folder() / f"{name}.obj"
    if target.exists():
        return target
    points, faces = reader(content)
    if len(faces) <= FEWEST:
        return source
    reduction = max(min(share, 1 - FEWEST / len(faces)), 1 - most / len(faces))
    wanted, (points, faces) = len(faces) * (1 - reduction), _reduced(points, faces, reduction)
    if len(faces) > 2 * wanted:  # too many loose pieces
        points, faces = _reduced(*_welded(points, faces, seam=SEAM), 1 - wanted / len(faces))
    _write_obj(target, points, faces)
    return target


def _read_obj(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    points: list[list[float]] = []
    faces: list[list[int]] = []
    for line in content.decode().splitlines():
        parts = line.split()
        if parts[:1] == ["v"]:
            points.append([float(value) for value in parts[1:4]])
        elif parts[:1] == ["f"]:
            corners = [int(corner.split("/")[0]) - 1 for corner in parts[1:]]
            faces.extend([corners[0], corners[i], corners[i + 1]] for i in range(1, len(corners) - 1))
    return _welded(np.array(points, np.float32), np.array(faces, np.int32))


def _read_stl(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangles = np.frombuffer(content, record, offset=84)["corners"]
    return _welded(triangles.reshape(-1, 3), np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3))


def _reduced(points: np.ndarray, faces: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    return fast_simplification.simplify(points, faces, target_reduction=min(max(share, 0.0), 0.999))


def _welded(points: np.ndarray, faces: np.ndarray, *, seam: float = 1e-6) -> tuple[np.ndarray, np.ndarray]:
    # copies of a point at seams would hold the simplifier back
    cells = np.round(points / (np.ptp(points, axis=0).max() * seam))
    _, first, inverse = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    faces = inverse.reshape(-1)[faces].astype(np.int32)
    a, b, c = faces.T
    return points[first], faces[(a != b) & (b != c) & (c != a)]


def _write_obj(target: Path, points: np.ndarray, faces: np.ndarray) -> None:
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in points]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    target.parent.mkdir(parents=True, exist_ok=True)
    # several workers may write the same mesh: the last rename wins, and all are equal
    with tempfile.NamedTemporaryFile("w", dir=target.parent, suffix=".tmp", delete=False) as file:
        file.write("\n".join(lines) + "\n")
    os.replace(file.name, target)
