"""Several views of every cached frame: what frozen features of augmented images are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmil.contracts import UserError
from mmil.data.augment import Shot, Transform, augment, posed
from mmil.data.sentences import number


@dataclass(frozen=True, kw_only=True)
class Views:
    """`count` versions of each frame: as it is, then under the transforms, drawn once an episode, camera and view."""

    count: int = 1
    transforms: Sequence[Transform] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"views is {self.count}; there is at least the frame as it is")
        if self.count > 1 and not self.transforms:
            raise UserError(f"views is {self.count}, but augment names nothing that would make them differ")

    @property
    def about(self) -> dict[str, Any]:
        """JSON that changes whenever the views would; {} where there is but one."""
        if self.count == 1:
            return {}
        return {"views": self.count, "augment": [repr(transform) for transform in self.transforms], "seed": self.seed}

    def of(
        self,
        frames: np.ndarray,
        *,
        key: str,
        camera: str,
        pose: np.ndarray | None = None,
        depth: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 (count · N, h, w, 3) of the N frames (N, h, w, 3) of an episode: one view after another.

        And, where it is given, their depth, uint16 (N, h, w) [mm]. pose: float32 (N, 8), of the camera.
        """
        images = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]  # (1, N, 3, h, w): one draw for all
        metres = None if depth is None else torch.from_numpy(depth.astype(np.float32) / 1000)[None, :, None]
        views = [Shot(images, None if pose is None else torch.from_numpy(pose)[None], metres)]
        for view in range(1, self.count):
            views.append(augment(views[0], self.transforms, seed=self._seed(key, camera, view)))
        seen = torch.cat([view.images for view in views], dim=1)[0].permute(0, 2, 3, 1).contiguous().numpy()
        deep = [view.depth for view in views if view.depth is not None]
        return seen, np.rint(1000 * torch.cat(deep, dim=1)[0, :, 0].numpy()).astype(np.uint16) if deep else None

    def posed(self, pose: torch.Tensor, *, key: str, camera: str, view: int) -> torch.Tensor:
        """The camera's pose (K, 8) in a view of an episode."""
        return posed(pose[None], self.transforms, seed=self._seed(key, camera, view))[0] if view else pose

    def _seed(self, key: str, camera: str, view: int) -> int:
        return number(self.seed, "view", key, camera, view)
