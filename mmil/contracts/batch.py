"""What a policy trains on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass
class Batch:
    """What a policy trains on, in physical units; normalisation happens inside the policy.

    Where features are cached, `images[camera]` is a list of float16 feature maps (B, K, C, h', w'), one a stage.
    """

    images: dict[str, Any]  # camera → uint8 (B, K, 3, h, w)
    signals: dict[str, torch.Tensor]  # name → float32 (B, K, …)
    instruction: list[str]  # B sentences
    actions: torch.Tensor  # float32 (B, H, A)
    valid: torch.Tensor  # bool (B, H), false past the end, and where another thing is asked for than was taken
    weight: torch.Tensor | None = None  # float32 (B,), how much each window counts in imitation; None: all alike
    privileged: dict[str, torch.Tensor] = field(default_factory=dict)  # name → float32 (B, K, …), for lessons alone
    maps: dict[str, torch.Tensor] = field(default_factory=dict)  # <camera>.depth → float32 (B, K, 1, h, w) [m], 0: none
    asked: torch.Tensor | None = None  # int64 (B,), which of the N things the instruction asks for; −1: unknown
    target: torch.Tensor | None = None  # int64 (B,), which of them that one is brought to; −1: none
