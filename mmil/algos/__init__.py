"""Recipes that train a policy."""

from mmil.algos.bc import BC

__all__ = ["BC"]
