"""Expert for robosuite's Door: the hand points at the door, takes the lever, turns with it, and pulls."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Body, Observation, State, Thing
from mmil.experts.classic.grasp import EMPTY
from mmil.experts.classic.reach import toward
from mmil.experts.classic.rotations import about, rotation_vector
from mmil.experts.motion import CLOSED, OPEN

HANDLE = Thing("handle")
SITE = np.array([0.125, -0.10, 0.0])  # [m], from where the lever turns to where it is taken, in its own frame
BEFORE = 0.09  # [m], before the lever: where the hand comes to
ASIDE, TURNED, NEAR = 0.015, 0.2, 0.012  # [m], [rad], [m]: well enough to go ahead, and to close
STILL_NEAR = 0.03  # [m]: a hand that is closing goes on
UNLATCHED, FULL = -1.2, -1.35  # [rad], of the lever: from there the door moves; up, for the wrist turns no farther down
AHEAD = 0.5  # [rad], that the hand is ahead of the lever
PULL = 0.06  # [m], towards us


class Door(Actor):
    """Takes the lever from before, turns it up until the latch is free, and pulls the door open."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        door, handle = state.body(state.goal.object), state.body(HANDLE)
        towards_us = -door.rotation[:, 1]
        wanted = _hand(handle, towards_us)
        offset = handle.position - state.eef_position
        depth = float(offset @ towards_us)
        aside = float(np.linalg.norm(offset - depth * towards_us))
        closing = state.gripper_command > 0 and (handle.held or state.gripper_width > EMPTY)
        if closing and np.linalg.norm(offset) < STILL_NEAR:
            return self._turn(state, handle, wanted, towards_us) if handle.held else _act(state, offset, wanted, CLOSED)
        turned = float(np.linalg.norm(rotation_vector(wanted @ state.eef_rotation.T)))
        if aside > ASIDE or turned > TURNED:
            offset = offset + BEFORE * towards_us
        near = aside < ASIDE and turned < TURNED and abs(depth) < NEAR
        return _act(state, offset, wanted, CLOSED if near else OPEN)

    @staticmethod
    def _turn(state: State, handle: Body, wanted: np.ndarray, towards_us: np.ndarray) -> np.ndarray:
        lever = handle.rotation
        further = about(lever[:, 1], float(np.clip(FULL - handle.value, -AHEAD, AHEAD)))
        arm = lever @ SITE
        offset = handle.position - arm + further @ arm - state.eef_position
        if handle.value < UNLATCHED:
            offset = offset + PULL * towards_us
        return _act(state, offset, further @ wanted, CLOSED)


def _hand(handle: Body, towards_us: np.ndarray) -> np.ndarray:
    """(3, 3): the hand points at the door, and its pads close over the lever from above and below."""
    pads = -handle.rotation[:, 2]
    return np.stack([pads, np.cross(-towards_us, pads), -towards_us], axis=1)


def _act(state: State, offset: np.ndarray, wanted: np.ndarray, gripper: float) -> np.ndarray:
    return toward(offset, rotation_vector(wanted @ state.eef_rotation.T), gripper=gripper)
