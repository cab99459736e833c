"""Where a picture's cells lie in the world: calibrated cameras, and a plane that things stand on."""

from __future__ import annotations

import torch

from mmil.pinhole import world_rays

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
