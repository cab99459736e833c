"""Several views of every cached frame: what frozen features of augmented images are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmil.contracts import UserError
from mmil.data.augment import Transform, augment
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

    def of(self, frames: np.ndarray, *, key: str, camera: str) -> np.ndarray:
        """uint8 (count · N, h, w, 3) of the N frames (N, h, w, 3) of an episode: one view after another."""
        images = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]  # (1, N, 3, h, w): one draw for all
        views = [images]
        for view in range(1, self.count):
            generator = torch.Generator().manual_seed(number(self.seed, "view", key, camera, view) >> 1)
            views.append(augment(images, self.transforms, generator=generator))
        return torch.cat(views, dim=1)[0].permute(0, 2, 3, 1).contiguous().numpy()
