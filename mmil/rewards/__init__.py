"""What an expert wanted, inferred from what it did."""

from mmil.rewards.airl import AIRL
from mmil.rewards.discriminator import Discriminator
from mmil.rewards.gail import GAIL
from mmil.rewards.maxent import Problem, fit_maxent
from mmil.rewards.planned import Planned

__all__ = ["AIRL", "GAIL", "Discriminator", "Planned", "Problem", "fit_maxent"]
