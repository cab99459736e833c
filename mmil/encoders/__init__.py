"""Modality → tokens (B, N, D), and their fusion; the only home of timm and transformers."""

from mmil.encoders.cross import CrossFusion
from mmil.encoders.depth import DepthTokens
from mmil.encoders.film import FilmFusion
from mmil.encoders.fusion import Context, Fusion, Sizes
from mmil.encoders.language import Sentence, TextTokens
from mmil.encoders.signals import SignalTokens
from mmil.encoders.transformer import TransformerFusion
from mmil.encoders.vision import TimmVision
from mmil.encoders.wrench import WrenchTokens

__all__ = [
    "Context",
    "CrossFusion",
    "DepthTokens",
    "FilmFusion",
    "Fusion",
    "Sentence",
    "SignalTokens",
    "Sizes",
    "TextTokens",
    "TimmVision",
    "TransformerFusion",
    "WrenchTokens",
]
