"""A calibrated camera turned a little where it stands: its picture, its pose and its depth say the same of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from mmil.contracts import UserError
from mmil.data.augment import Shot, Transform, uniform
from mmil.pinhole import cell_rays, rotate, turned

NEARLY_BESIDE = 1e-3  # what looks farther to the side, or back, sees the edge


@dataclass(frozen=True, kw_only=True)
class Turn(Transform):
    """Each sample seen by its camera turned by up to `degrees` about each of its axes, and zoomed by up to 1 ± `zoom`.

    A camera that turns about its centre sees no more and no less than a homography of its picture tells, so that the
    pose that goes with it is exact (Hartley & Zisserman 2004, 8.4.2); edges are repeated, and depth ends there.
    """

    degrees: float = 4.0
    zoom: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 45 or not 0 <= self.zoom < 1:
            raise UserError(f"degrees {self.degrees}, zoom {self.zoom}: 0 to 45 degrees, and a share below 1")

    def shot(self, shot: Shot, *, generator: torch.Generator | None = None) -> Shot:
        if shot.pose is None:
            raise UserError("Turn is told of cameras whose pose the data have; take Shift and Crop without one")
        if not self.degrees and not self.zoom:
            return shot
        batch, past, _, height, width = shot.images.shape
        turn, zoom = self._drawn(shot.pose, generator)
        tangent = torch.tan(shot.pose[:, :, 7:, None] / 2)  # (B, K, 1, 1)
        ours = cell_rays((height, width), width / height, device=turn.device)  # (N, 3), of the turned camera
        ours = ours * torch.cat([tangent * zoom[..., None]] * 2 + [torch.ones_like(tangent)], dim=-1)  # (B, K, N, 3)
        theirs = rotate(turn[:, :, None], ours)  # the same rays, as the camera that took the picture sees them
        ahead = (-theirs[..., 2:]).clamp(min=NEARLY_BESIDE)
        shape = theirs.new_tensor([width / height, -1.0])  # x to the right, y down
        places = (theirs[..., :2] / ahead / tangent / shape).view(batch * past, height, width, 2)
        images = _sampled(shot.images, places, mode="bilinear", padding_mode="border").round_().clamp_(0, 255)
        changed = replace(shot, images=images.to(torch.uint8), pose=turned(shot.pose, turn, zoom))
        if shot.depth is None:
            return changed
        rows, columns = shot.depth.shape[-2:]
        if (rows, columns) != (height, width):
            raise UserError(f"depth of {rows} × {columns} pixels of a picture of {height} × {width}: not one camera's")
        depth = _sampled(shot.depth, places, mode="nearest", padding_mode="zeros")
        return replace(changed, depth=depth / ahead.view(depth.shape))  # along our axis, no longer along theirs

    def posed(self, pose: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        return turned(pose, *self._drawn(pose, generator)) if self.degrees or self.zoom else pose

    def _drawn(self, pose: torch.Tensor, generator: torch.Generator | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Quaternions (B, 1, 4) in the cameras' frames, and factors (B, 1, 1) of the half field's tangent."""
        draws = uniform(pose, 4, generator=generator)
        angles = draws[:, :3] * math.radians(self.degrees)
        angle = angles.norm(dim=1, keepdim=True).clamp(min=1e-9)
        turn = torch.cat([angles / angle * torch.sin(angle / 2), torch.cos(angle / 2)], dim=1)
        return turn[:, None], (1 + self.zoom * draws[:, 3:])[:, None]


def _sampled(frames: torch.Tensor, places: torch.Tensor, *, mode: str, padding_mode: str) -> torch.Tensor:
    """float32 of frames (B, K, C, h, w), read at places (B · K, h, w, 2)."""
    options = {"mode": mode, "padding_mode": padding_mode, "align_corners": False}
    return F.grid_sample(frames.flatten(0, 1).float(), places, **options).view(frames.shape)
