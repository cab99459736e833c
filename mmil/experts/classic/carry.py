"""How a thing is taken and carried over what stands in the way; each as a function of the state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmil.contracts import Actor, Body, Observation, State
from mmil.experts.classic.reach import Reach
from mmil.experts.motion import CLOSED, OPEN

NEAR, STILL_NEAR = 0.012, 0.018  # [m], sideways and vertically: close the hand; a hand that is closing goes on
FUNNEL, STEEP = 0.010, 2.5  # [m], sideways error below which a hand goes all the way down; height an error costs
TURNED, TWIST = 0.15, 0.08  # [rad] well enough turned; [m/rad] height that a worse turn costs
HOVER = 0.09  # [m], highest approach
EMPTY = 0.012  # [m], a closed hand that holds nothing
BLOCKED = 200.0  # [rad/m], what it costs to meet another thing
MARGIN = 0.008  # [m], around other things
# [m], points of an open hand: along the pads' axis, across it, and how high over the finger tips' middle it begins
FINGERS = [(x, y, -0.02) for x in (-0.062, -0.045, 0.045, 0.062) for y in (-0.010, 0.010)]
PALM = [(x, y, 0.030) for x in np.linspace(-0.10, 0.10, 9) for y in (-0.03, 0.0, 0.03)]
HAND = np.array(FINGERS + PALM)
FIRM = 3.0  # where the arm is stretched, its controller gives way to a small error
LEAP = 0.15  # of the way sideways, where it has to go up first


@dataclass(frozen=True)
class Grasp:
    """Where a hand takes a thing, and how far it has to turn for that."""

    point: np.ndarray  # (3,) [m], world
    turn: float  # [rad], about the vertical


def take(state: State, grasp: Grasp, *, held: bool, reach: Reach, ceiling: float = 0.0) -> np.ndarray:
    """float32 (7,): over the thing, not lower than `ceiling` [m] on the way, down a funnel, and close."""
    offset = grasp.point - state.eef_position
    if state.gripper_command > 0 and not held and state.gripper_width < EMPTY:
        return reach.move(state, np.array([0.0, 0.0, HOVER]), yaw=grasp.turn, gripper=OPEN)
    sideways, vertical = float(np.linalg.norm(offset[:2])), abs(float(offset[2]))
    closing = state.gripper_command > 0 and (held or state.gripper_width > EMPTY)
    near = STILL_NEAR if closing else NEAR
    if sideways < near and vertical < near and (closing or abs(grasp.turn) < TURNED):
        return reach.move(state, FIRM * offset, yaw=None, gripper=CLOSED)
    cost = STEEP * max(0.0, sideways - FUNNEL) + TWIST * max(0.0, abs(grasp.turn) - TURNED)
    offset[2] += min(max(HOVER, ceiling - grasp.point[2]), cost)
    if state.eef_position[2] + 0.02 < min(ceiling, grasp.point[2] + cost):
        offset[:2] *= LEAP
    return reach.move(state, FIRM * offset, yaw=grasp.turn, gripper=OPEN)


class Carry(Actor):
    """Takes the goal's thing, carries it over everything, lowers it and lets go."""

    near, down = 0.012, 0.008  # [m], sideways of the place and over it: it lets go
    funnel, steep = 0.008, STEEP  # [m], sideways of the place: it goes down; height that an error costs

    caught = np.inf  # [m], under the height it travels at: from there on it is guided
    walls: Sequence[Body] = ()  # that stand in every scene
    reach = Reach((-0.56, 0.0))

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    @abstractmethod
    def point(self, body: Body, state: State) -> np.ndarray:
        """(3,) [m], world: where the thing is taken."""

    @abstractmethod
    def yaws(self, body: Body, state: State) -> Sequence[tuple[float, float]]:
        """[rad], along which axes the pads may close on it, and what turn each is worse by."""

    @abstractmethod
    def place(self, body: Body, state: State) -> np.ndarray:
        """(3,) [m], world: where the thing's middle should be when it is let go."""

    @abstractmethod
    def travel(self, body: Body, state: State) -> float:
        """[m], world: how high the thing's middle is carried."""

    @abstractmethod
    def arrived(self, body: Body, state: State) -> bool:
        """Whether an open hand has to do nothing but leave."""

    def turn(self, body: Body, state: State) -> float | None:
        """[rad] to turn the hand by while it carries; None: as it is."""
        return None

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        body, reach = state.body(state.goal.object), self.reach
        holds = body.held and state.gripper_command > 0
        if not holds and self.arrived(body, state):
            return reach.move(state, np.array([0.0, 0.0, 0.01 if body.touched else 0.05]), yaw=None, gripper=OPEN)
        if not holds:
            ceiling = self.travel(body, state) - body.half_size[2]
            return take(state, self._grasp(body, state), held=body.held, reach=reach, ceiling=ceiling)
        place = self.place(body, state)
        offset = place - body.position
        sideways = float(np.linalg.norm(offset[:2]))
        if sideways < self.near and -offset[2] < self.down:
            return reach.move(state, np.zeros(3), yaw=None, gripper=OPEN)
        return self._carry(body, state, offset)

    def _grasp(self, body: Body, state: State) -> Grasp:
        """Where nothing is in the hand's way, and then the least turn."""
        point, others = self.point(body, state), [*(other for other in state.bodies if other is not body), *self.walls]
        turns = [(shortest(yaw - hand_yaw(state), np.pi), worse) for yaw, worse in self.yaws(body, state)]
        return Grasp(
            point,
            min(
                turns,
                key=lambda turn: abs(turn[0])
                + turn[1]
                + BLOCKED * blocked(point, hand_yaw(state) + turn[0], others),
            )[0],
        )

    def _carry(self, body: Body, state: State, offset: np.ndarray) -> np.ndarray:
        sideways = float(np.linalg.norm(offset[:2]))
        travel = self.travel(body, state)
        over = max(0.0, travel - (body.position + offset)[2])
        caught = travel - body.position[2] > self.caught and sideways < self.near
        height = 0.0 if caught else min(over, self.steep * max(0.0, sideways - self.funnel))
        if offset[2] + height > 0.02 and height > 0.5 * over:
            offset[:2] *= LEAP  # up before it goes anywhere
        offset[2] += height
        return self.reach.move(state, FIRM * offset, yaw=self.turn(body, state), gripper=CLOSED)


def blocked(point: np.ndarray, yaw: float, others: Sequence[Body]) -> float:
    """[m], how deep an open hand that takes something at `point` would be in these."""
    corners = point[:2] + turned(HAND[:, :2], yaw)  # (P, 2)
    depth = 0.0
    for other in others:
        over = other.position[2] + other.half_size[2] > point[2] + HAND[:, 2]  # (P,), what is that high
        outside = np.abs(turned(corners[over] - other.position[:2], -other.yaw)) - other.half_size[:2]
        depth += float(np.maximum(0.0, MARGIN - outside.max(axis=1, initial=-1.0)).sum()) if over.any() else 0.0
    return depth


def turned(offsets: np.ndarray, angle: float) -> np.ndarray:
    """(P, 2), about the vertical."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return offsets @ np.array([[cosine, sine], [-sine, cosine]])


def axes(body: Body) -> np.ndarray:
    """(3, 3), world from body."""
    x, y, z, w = body.quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def hand_yaw(state: State) -> float:
    """[rad], of the axis along which the pads close."""
    return float(np.arctan2(state.eef_rotation[1, 0], state.eef_rotation[0, 0]))


def shortest(turn: float, symmetry: float) -> float:
    """[rad], the least of the turns that look the same; 0 where any does."""
    return float((turn + symmetry / 2) % symmetry - symmetry / 2) if symmetry else 0.0
