"""Recipes that train a policy."""

from mmil.algos.bc import BC
from mmil.algos.dagger import DAgger

__all__ = ["BC", "DAgger"]
