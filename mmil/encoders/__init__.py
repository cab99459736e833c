"""Modality → tokens (B, N, D); the only home of timm and transformers."""

from mmil.encoders.depth import DepthTokens
from mmil.encoders.fusion import FilmFusion
from mmil.encoders.language import TextTokens
from mmil.encoders.signals import SignalTokens
from mmil.encoders.vision import TimmVision
from mmil.encoders.wrench import WrenchTokens

__all__ = ["DepthTokens", "FilmFusion", "SignalTokens", "TextTokens", "TimmVision", "WrenchTokens"]
