"""Recipes that train a policy."""

from mmil.algos.bc import BC
from mmil.algos.dagger import DAgger
from mmil.algos.maxent import MaxEnt

__all__ = ["BC", "DAgger", "MaxEnt"]
