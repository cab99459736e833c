"""Context (B, C) → a chunk of actions (B, H, A)."""

from mmil.heads.head import Head
from mmil.heads.mixture import Mixture
from mmil.heads.regression import Regression

__all__ = ["Head", "Mixture", "Regression"]
