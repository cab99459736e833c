"""Where a picture's cells lie in the world: calibrated cameras, and a plane that things stand on."""

from __future__ import annotations

import torch

STEEPEST = -0.05  # a ray closer to the horizon than this (direction's z) is bent down to it
REACH = 0.2  # [m], the unit in which places on the ground are told to the network
FARTHEST = 0.6  # [m], sideways from the hand; what lies beyond is drawn to the rim


def ground_places(
    camera: torch.Tensor, hand: torch.Tensor, *, grid: tuple[int, int], height: torch.Tensor, aspect: float = 1.0
) -> torch.Tensor:
    """(…, N, 2) [m]: from under the hand to where each cell's ray meets the plane z = `height`, row by row.

    camera: (…, 8), position [m], quaternion xyzw and vertical field of view [rad] of a camera that looks along −z with
    y up. hand: (…, 3) [m]. Both in the world's frame. aspect: width over height of the picture.
    """
    position, world = camera[..., :3], world_rays(camera, grid=grid, aspect=aspect)
    down = world[..., 2].clamp(max=STEEPEST)
    reach = (height - position[..., 2:3]) / down  # (…, N)
    places = position[..., None, :2] + reach[..., None] * world[..., :2]
    return (places - hand[..., None, :2]).clamp(-FARTHEST, FARTHEST)


def pluecker_rays(
    camera: torch.Tensor, hand: torch.Tensor, *, grid: tuple[int, int], aspect: float = 1.0
) -> torch.Tensor:
    """(…, N, 6): direction of length 1 and moment [m] about the hand of each cell's ray, its Plücker coordinates.

    camera, hand, aspect: as in ground_places.
    """
    directions = torch.nn.functional.normalize(world_rays(camera, grid=grid, aspect=aspect), dim=-1)
    origin = (camera[..., :3] - hand)[..., None, :].expand_as(directions)
    return torch.cat([directions, torch.linalg.cross(origin, directions)], dim=-1)


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
    axis, w = quaternion[..., :3].expand_as(vectors), quaternion[..., 3:]
    across = 2 * torch.linalg.cross(axis, vectors)
    return vectors + w * across + torch.linalg.cross(axis, across)
