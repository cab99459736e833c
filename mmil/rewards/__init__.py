"""What an expert wanted, inferred from what it did."""

from mmil.rewards.maxent import Problem, fit_maxent

__all__ = ["Problem", "fit_maxent"]
