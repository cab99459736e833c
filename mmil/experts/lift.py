"""Expert for `lift`: a function of the state alone, so that it can answer in any state a policy reaches."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Body, Observation, State
from mmil.experts.motion import CLOSED, OPEN, move

NEAR = 0.010  # [m], sideways and vertically: close the hand
STILL_NEAR = 0.018  # [m]: a hand that is closing already goes on
FUNNEL = 0.012  # [m], sideways error below which the hand goes all the way down
STEEP = 2.5  # height over the grasp a sideways error costs
LOOKS = 0.06  # [m], sideways: from here on the hand turns, for a policy sees how only from near
TURNED = 0.15  # [rad], of the hand to the thing's sides: well enough to close
TWIST = 0.08  # [m/rad], height over the grasp that more than this costs
HOVER = 0.09  # [m], highest approach over the grasp
RISE = 0.16  # [m], over the table: where a held thing is carried
EMPTY = 0.012  # [m], narrower than any thing: a closed hand that holds nothing
LOWEST = 0.012  # [m], of the finger tips' middle over the table


class Lift(Actor):
    """Goes over the thing, down a funnel, closes, and rises once both pads hold it."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        grasp = grasp_point(body, state)
        offset = grasp - state.eef_position
        yaw = grasp_yaw(body, state)
        sideways, vertical = float(np.linalg.norm(offset[:2])), abs(float(offset[2]))
        closing = state.gripper_command > 0 and (body.held or state.gripper_width > EMPTY)
        if body.held and state.gripper_command > 0:
            rise = np.array([0.0, 0.0, state.table_height + RISE - state.eef_position[2]])
            return move(state, rise, yaw=None, gripper=CLOSED)
        near = STILL_NEAR if closing else NEAR
        if sideways < near and vertical < near and (closing or abs(yaw) < TURNED):
            return move(state, offset, yaw=None, gripper=CLOSED)
        offset[2] += min(HOVER, STEEP * max(0.0, sideways - FUNNEL) + TWIST * max(0.0, abs(yaw) - TURNED))
        return move(state, offset, yaw=yaw if sideways < LOOKS else None, gripper=OPEN)


def grasp_point(body: Body, state: State) -> np.ndarray:
    """float64 (3,) [m]: the middle of the thing, upper half of a tall one, never through the table."""
    point = body.position.copy()
    point[2] += max(0.0, body.half_size[2] - 0.022)
    point[2] = max(point[2], state.table_height + LOWEST)
    return point


def grasp_yaw(body: Body, state: State) -> float:
    """[rad] to turn the hand so that the pads meet a flat side; the shortest of the equal turns."""
    if body.thing.shape != "cube":
        return 0.0
    # the pads close along the hand's y axis
    hand = float(np.arctan2(state.eef_rotation[1, 1], state.eef_rotation[0, 1]))
    quarter = np.pi / 2
    return float((body.yaw - hand + quarter / 2) % quarter - quarter / 2)
