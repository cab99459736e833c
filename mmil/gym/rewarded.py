"""An environment whose reward is one that was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from mmil.contracts import UserError
from mmil.gym.environment import Environment

if TYPE_CHECKING:
    from mmil.rewards.learned import LearnedReward


class Rewarded(gymnasium.Wrapper[dict[str, Any], np.ndarray, dict[str, Any], np.ndarray]):
    """Rewarded(gymnasium.make("mmil/Lift-v0"), "runs/airl"): the scene's own reward is in info["scene_reward"]."""

    def __init__(self, env: gymnasium.Env[dict[str, Any], np.ndarray], reward: str | Path | LearnedReward) -> None:
        super().__init__(env)
        if not isinstance(env.unwrapped, Environment):
            raise UserError(f"{env.unwrapped} is no environment of mmil.gym, which alone show what a reward looks at")
        if isinstance(reward, str | Path):
            from mmil.rewards.learned import load_reward  # torch, which environments do not wait for

            reward = load_reward(reward)
        self.scene, self.reward = env.unwrapped, reward
        self.scene.scene.spec.require(reward.spec, mine="the environment", theirs="the reward's Spec")

    def reset(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self.env.reset(**options)
        self.reward.reset(self.scene.now.observation)
        return found

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        observation, own, terminated, truncated, info = self.env.step(action)
        earned = self.reward.step(self.scene.now.observation, ended=terminated)
        return observation, earned, terminated, truncated, {**info, "scene_reward": own}
