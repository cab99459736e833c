"""Feature-wise scale and shift: how a sentence changes what cells answer (FiLM, Perez 2018)."""

from __future__ import annotations

import torch


def film(tokens: torch.Tensor, scale_shift: torch.Tensor) -> torch.Tensor:
    """tokens (B, K, N, D) scaled and shifted by (B, 2·D)."""
    scale, shift = scale_shift[:, None, None].chunk(2, dim=-1)
    return tokens * (1 + scale) + shift
