"""Learning from what actions lead to: attempts, what is remembered of them, and who learns from that."""

try:
    import torchrl  # noqa: F401
except ImportError:
    raise ImportError("reinforcement needs torchrl, which is not installed: pip install 'mmil[rl]'") from None

from mmil.reinforcing.adversary import Adversary
from mmil.reinforcing.experience import Budget
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.ladder import Ladder
from mmil.reinforcing.learner import Learner
from mmil.reinforcing.ppo import PPO
from mmil.reinforcing.rl import RL
from mmil.reinforcing.sac import SAC

__all__ = ["PPO", "RL", "SAC", "Adversary", "Budget", "Guidance", "Ladder", "Learner"]
