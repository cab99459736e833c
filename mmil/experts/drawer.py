"""Experts for `open` and `close`: a drawer by its handle."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.grasp import take
from mmil.experts.motion import CLOSED, move, stride

STRIDE = 0.02  # [m], of a pulling or pushing step
BEFORE = 0.035  # [m], before the handle: where the closed hand comes down to push
ASIDE = 0.015  # [m], across the way
CLEAR = 0.06  # [m], over the handle's top


class Open(Actor):
    """Takes the handle and pulls."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        handle = state.body(state.goal.object)
        if handle.held and state.gripper_command > 0:
            pull = stride(state, STRIDE) * handle.rotation[:, 0]
            pull[2] = handle.position[2] - state.eef_position[2]
            return move(state, pull, yaw=None, gripper=CLOSED)
        return take(state, handle)


class Close(Actor):
    """Comes down before the handle with a closed hand, and pushes."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        handle = state.body(state.goal.object)
        way = -handle.rotation[:, 0]
        hand = state.eef_position - handle.position
        along = float(hand @ way)
        across = hand - along * way
        across[2] = 0.0
        height = float(handle.position[2] - state.eef_position[2])
        if along < -0.012 and np.linalg.norm(across) < ASIDE + 0.01 and abs(height) < 0.015:
            return move(
                state, stride(state, STRIDE) * way - across + np.array([0.0, 0.0, height]), yaw=None, gripper=CLOSED
            )
        before = -BEFORE * way - hand
        before[2] = 0.0
        if np.linalg.norm(before) < ASIDE:
            return move(state, before + np.array([0.0, 0.0, height]), yaw=None, gripper=CLOSED)
        clear = float(handle.position[2] + handle.half_size[2] + CLEAR - state.eef_position[2])
        if clear > 0.02:  # up before it goes around
            before *= 0.2
        return move(state, before + np.array([0.0, 0.0, clear]), yaw=None, gripper=CLOSED)
