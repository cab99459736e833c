"""Looking lessons: a camera's first point belongs on the thing asked for, its second on what that is brought to.

Where the thing is shows in a few axes of a few actions only, so that a policy that is told nothing else takes many
demonstrations to learn what a word looks like. Simulated demonstrations know where the thing stood.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mmil.contracts import BODY_POSES, Batch, Spec
from mmil.heads.head import LEAST
from mmil.pinhole import picture_place
from mmil.ranks import shared


def looking_told(spec: Spec) -> bool:
    """Whether data of this Spec say where the thing is, and where each camera."""
    return BODY_POSES in spec.privileged and all(f"camera_{camera}" in spec.signals for camera in spec.cameras)


def looking_loss(
    looks: Mapping[str, torch.Tensor],
    batch: Batch,
    *,
    grids: Mapping[str, tuple[int, int]],
    aspects: Mapping[str, float],
) -> torch.Tensor:
    """Cross-entropy of each camera's first two maps with the cells around object and target, where a picture has them.

    looks: camera → (B, K, points, N), logarithms of weights over the cells.
    """
    assert batch.asked is not None, "the lesson needs to know what was asked for"
    poses = batch.privileged[BODY_POSES]  # (B, K, N, 7)
    lost, seen = [], []
    for point, which in enumerate((batch.asked, batch.target)):
        if which is None:
            continue
        thing = poses[torch.arange(len(poses), device=poses.device), :, which, :3]  # (B, K, 3)
        for camera, maps in looks.items():
            if point == maps.shape[2]:
                continue  # a policy of one point a camera
            place, inside = picture_place(batch.signals[f"camera_{camera}"], thing, aspect=aspects[camera])
            wanted = around(place, grids[camera])  # (B, K, N)
            inside = inside & (which >= 0)[:, None]  # −1: there is none, or nobody wrote down which it is
            lost.append(-(wanted * maps[:, :, point].float()).sum(dim=-1) * inside)
            seen.append(inside)
    return torch.stack(lost).sum() / shared(torch.stack(seen).sum()).clamp(min=LEAST)


def around(place: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """(…, N): bilinear weights of the up to four cells around `place` (…, 2), row and column in [−1, 1]."""
    sizes = torch.tensor(grid, device=place.device)
    cell = ((place + 1) * sizes / 2 - 0.5).clamp(min=torch.zeros_like(sizes), max=sizes - 1)
    near = [
        (1 - (cell[..., axis, None] - torch.arange(size, device=place.device)).abs()).clamp(min=0)
        for axis, size in enumerate(grid)
    ]
    return (near[0][..., :, None] * near[1][..., None, :]).flatten(-2)
