"""Context (B, C) → a chunk of actions (B, H, A)."""

from mmil.heads.regression import Regression

__all__ = ["Regression"]
