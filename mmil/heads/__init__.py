"""Context (B, C) → a chunk of actions (B, H, A)."""

from mmil.heads.corrected import Corrected
from mmil.heads.diffusion import Diffusion
from mmil.heads.ensemble import Ensemble
from mmil.heads.flow import Flow
from mmil.heads.head import Head
from mmil.heads.mixture import Mixture
from mmil.heads.regression import Regression

__all__ = ["Corrected", "Diffusion", "Ensemble", "Flow", "Head", "Mixture", "Regression"]
