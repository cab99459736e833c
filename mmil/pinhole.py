"""A calibrated camera, told as 8 numbers: position [m], quaternion xyzw, vertical field of view [rad]; world frame.

It looks along −z with y up and has no distortion. aspect: width over height of its picture.
"""

from __future__ import annotations

import torch


def world_rays(camera: torch.Tensor, *, grid: tuple[int, int], aspect: float) -> torch.Tensor:
    """(…, N, 3): through the middles of the cells of a camera (…, 8), in the world's frame; of no certain length."""
    rays = cell_rays(grid, aspect, device=camera.device)  # (N, 3)
    tangent = torch.tan(camera[..., 7] / 2)[..., None]
    across, up = rays[:, 0] * tangent, rays[:, 1] * tangent
    return rotate(camera[..., None, 3:7], torch.stack([across, up, rays[:, 2].expand_as(up)], dim=-1))


def picture_place(
    camera: torch.Tensor, point: torch.Tensor, *, aspect: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column (…, 2) in [−1, 1], −1 on top and left, where a camera (…, 8) shows `point` (…, 3), world [m].

    And whether it does, bool (…): in front of it and inside the picture, be it hidden behind something.
    """
    back = camera[..., 3:7] * camera.new_tensor([-1.0, -1.0, -1.0, 1.0])  # the turn back
    x, y, z = rotate(back, point - camera[..., :3]).unbind(-1)
    reach = torch.tan(camera[..., 7] / 2) * (-z).clamp(min=1e-3)
    place = torch.stack([-y / reach, x / (reach * aspect)], dim=-1)
    return place, (z < 0) & (place.abs() <= 1).all(dim=-1)


def cell_rays(grid: tuple[int, int], aspect: float, *, device: torch.device | None = None) -> torch.Tensor:
    """(N, 3) through the middles of the cells, for a field of view whose half has tangent 1; row 0 on top."""
    rows, columns = grid
    up = 1 - (torch.arange(rows, device=device) + 0.5) * 2 / rows
    right = ((torch.arange(columns, device=device) + 0.5) * 2 / columns - 1) * aspect
    y, x = torch.meshgrid(up, right, indexing="ij")
    return torch.stack([x, y, -torch.ones_like(x)], dim=-1).flatten(0, 1)


def rotate(quaternion: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (…, 3) turned by unit quaternions xyzw (…, 4)."""
    axis, vectors = torch.broadcast_tensors(quaternion[..., :3], vectors)
    w = quaternion[..., 3:]
    across = 2 * torch.linalg.cross(axis, vectors)
    return vectors + w * across + torch.linalg.cross(axis, across)


def joined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Quaternion xyzw (…, 4) of the turn `second` in the frame that the turn `first` gives."""
    first, second = torch.broadcast_tensors(first, second)
    axis, w, other, v = first[..., :3], first[..., 3:], second[..., :3], second[..., 3:]
    across = w * other + v * axis + torch.linalg.cross(axis, other)
    return torch.cat([across, w * v - (axis * other).sum(dim=-1, keepdim=True)], dim=-1)


def turned(camera: torch.Tensor, turn: torch.Tensor, zoom: torch.Tensor) -> torch.Tensor:
    """(…, 8): a camera turned by quaternions (…, 4) in its own frame, its half field's tangent times zoom (…, 1)."""
    field = 2 * torch.atan(torch.tan(camera[..., 7:] / 2) * zoom)
    return torch.cat([camera[..., :3], joined(camera[..., 3:7], turn), field], dim=-1)
