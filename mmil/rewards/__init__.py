"""What an expert wanted, inferred from what it did."""

from mmil.rewards.airl import AIRL
from mmil.rewards.discriminator import Discriminator
from mmil.rewards.gail import GAIL
from mmil.rewards.maxent import Problem, fit_maxent

__all__ = ["AIRL", "GAIL", "Discriminator", "Problem", "fit_maxent"]
