"""How a hand takes a thing: where, turned how, and how it comes down on it."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Body, State
from mmil.experts.motion import CLOSED, OPEN, move

NEAR = 0.010  # [m], sideways and vertically: close the hand
CENTRED, LEVEL = 0.0005, 0.003  # [m], of a gentle hand: both pads meet the thing at once, and do not tip it
FINE, FIRM = 0.004, 3.0  # [m], sideways: from here on a gentle hand insists, or it would stay 0.3 mm off
FELT, BLOCKED = 1.5, 0.022  # [N] from below, [m]: a gentle hand that cannot come down further closes where it is
STILL_NEAR = 0.018  # [m]: a hand that is closing already goes on
FUNNEL = 0.012  # [m], sideways error below which the hand goes all the way down
STEEP = 2.5  # height over the grasp a sideways error costs
LOOKS = 0.06  # [m], sideways: from here on the hand turns, for a policy sees how only from near
TURNED = 0.15  # [rad], of the hand to the thing's sides: well enough to close
TWIST = 0.08  # [m/rad], height over the grasp that more than this costs
HOVER = 0.09  # [m], highest approach over the grasp
EMPTY = 0.012  # [m], narrower than any thing: a closed hand that holds nothing
LOWEST = 0.012  # [m], of the finger tips' middle over the table
UPPER, LOWER = 0.022, 0.028  # [m], under the top of a tall thing; of a gentle hand, which tips it less
UPRIGHT = 0.8  # of a whole turn of its axis away from the table: what is less lies


def take(state: State, body: Body, *, over: float = 0.0) -> np.ndarray:
    """float32 (7,): the next action of a hand that goes over the thing, down a funnel, and closes.

    over: [m] to stay above everything on the way, where there is something to meet.
    """
    grasp = grasp_point(body, state)
    offset = grasp - state.eef_position
    yaw = grasp_yaw(body, state)
    sideways, vertical = float(np.linalg.norm(offset[:2])), abs(float(offset[2]))
    closing = state.gripper_command > 0 and (body.held or state.gripper_width > EMPTY)
    if state.goal.manner == "gently" and sideways < FINE:
        offset[:2] *= FIRM
    beside, level = _close_enough(state, closing=closing)
    if sideways < beside and vertical < level and (closing or abs(yaw) < TURNED):
        return move(state, offset, yaw=None, gripper=CLOSED)
    offset[2] += min(max(HOVER, over), STEEP * max(0.0, sideways - FUNNEL) + TWIST * max(0.0, abs(yaw) - TURNED))
    return move(state, offset, yaw=yaw if sideways < LOOKS else None, gripper=OPEN)


def _close_enough(state: State, *, closing: bool) -> tuple[float, float]:
    """[m], off the grasp sideways and vertically: from where the hand closes, or goes on closing."""
    if state.goal.manner != "gently":
        return (STILL_NEAR, STILL_NEAR) if closing else (NEAR, NEAR)
    if closing or state.force[2] > FELT:
        return STILL_NEAR, BLOCKED
    return CENTRED, LEVEL


def grasp_point(body: Body, state: State) -> np.ndarray:
    """float64 (3,) [m]: the middle of the thing, upper half of a tall one, never through the table."""
    point, under = body.position.copy(), LOWER if state.goal.manner == "gently" else UPPER
    point[2] += max(0.0, (body.half_size[2] if _upright(body) else body.half_height) - under)
    point[2] = max(point[2], state.table_height + LOWEST)
    return point


def grasp_yaw(body: Body, state: State) -> float:
    """[rad] to turn the hand so that the pads meet its flat or narrow sides; the shortest of the equal turns."""
    # the pads close across the hand's y axis, which therefore wants to lie along the thing
    hand = float(np.arctan2(state.eef_rotation[1, 1], state.eef_rotation[0, 1]))
    if _upright(body):
        if not body.symmetry:
            return 0.0
        wide = body.half_size[1] > body.half_size[0]
        return _shortest(body.yaw + (np.pi / 2 if wide else 0.0) - hand, body.symmetry)
    along = body.rotation[:, _longest(body)]
    return _shortest(float(np.arctan2(along[1], along[0])) - hand, np.pi)


def _upright(body: Body) -> bool:
    return bool(abs(body.rotation[2, 2]) > UPRIGHT)


def _longest(body: Body) -> int:
    """The axis of a thing that lies along which it must not be taken: the longest of those that are level."""
    level = 1 - np.abs(body.rotation[2])
    return int(np.argmax(level * body.half_size))


def _shortest(turn: float, symmetry: float) -> float:
    return float((turn + symmetry / 2) % symmetry - symmetry / 2)
