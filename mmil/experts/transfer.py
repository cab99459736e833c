"""A demonstration in another layout: where hand and thing would be at each of its instants, were it done here.

Positions are taken relative to what they depend on, turned about the vertical, and put where that is here. What differs
between things is their size: a hand keeps its height under the top of what it takes, and a carried thing the height of
its bottom over what it is put on.
"""

from __future__ import annotations

import numpy as np

from mmil.contracts import BESIDE, SIDES, Body, State
from mmil.experts.demonstration import Demonstration, Segment
from mmil.experts.grasp import LOWEST, grasp_yaw

LOW = 0.016  # [m], over the table: a hand that works on it
ON = 0.012  # [m], between a bottom and the top it stands on
ANGLES = np.linspace(-np.pi, np.pi, 72, endpoint=False)  # that a pattern of points may be turned by


class Transfer:
    """`demo` for the goal of `state`, aimed at what is there now."""

    def __init__(self, demo: Demonstration, state: State) -> None:
        self.demo, self.goal = demo, state.goal
        body = state.body(state.goal.object)
        self._around = _around(demo, body, state)  # [rad], of the way of the hand about the object
        self.turn = _turn(demo, self._around, state)  # [rad], of the hand
        beside = self.goal.relation in BESIDE and demo.goal.relation in BESIDE
        self._carrying = _between(demo, state) if beside else self._around if body.fixed else 0.0
        self._before = _reach(body, _way(self.goal.relation)) - _reach(demo.body, _way(demo.goal.relation))
        self._origin, self._shift = body.position, np.zeros(3)
        if 0 < len(body.points) < len(demo.body.points):
            self._shift = self._to_what_is_left(body, state)

    def take(self, state: State) -> None:
        """From here on the object is carried."""
        self._origin = state.body(self.goal.object).position

    def place(self, at: int, segment: Segment, state: State) -> np.ndarray:
        """float64 (3,) [m], world: of the object where it is carried, else of the hand."""
        return self._of_object(at, segment, state) if segment.carried else self._of_hand(at, state)

    def lead(self, at: int, segment: Segment) -> np.ndarray:
        """float64 (3,) [m], that the controller's target is ahead."""
        return _turned(self.demo.lead[at], self._carrying if segment.carried else self._around)

    def rotation(self, at: int) -> np.ndarray:
        """float64 (3, 3) of the hand, world from gripper."""
        return np.column_stack([_turned(axis, self.turn) for axis in self.demo.rotation[at].T])

    def turning(self, at: int) -> np.ndarray:
        """float64 (3,) rotation vector [rad], that the controller's target is ahead."""
        return _turned(self.demo.turn[at], self.turn)

    def _of_hand(self, at: int, state: State) -> np.ndarray:
        demo, body = self.demo, state.body(self.goal.object)
        place = body.position + _turned(demo.hand[at] - demo.object[at], self._around)
        over, under = demo.hand[at, 2] - demo.start.table_height, demo.hand[at, 2] - demo.top[at]
        place[2] = body.position[2] + body.half_height + under
        if demo.flanks:
            place -= self._before * _way(self.goal.relation)
            if under < 0:
                place[2] = state.table_height + over
        place[2] = max(place[2], state.table_height + min(over, LOWEST))
        return place + self._shift

    def _to_what_is_left(self, body: Body, state: State) -> np.ndarray:
        """float64 (3,) [m], level: after which the nearest of all strokes leads over one of the points."""
        low = np.flatnonzero(self.demo.hand[:, 2] - self.demo.start.table_height < LOW)
        ways = np.array([body.points - self._of_hand(at, state) for at in low])[..., :2].reshape(-1, 2)
        return np.append(ways[np.argmin(np.linalg.norm(ways, axis=1))], 0.0) if len(ways) else np.zeros(3)

    def _of_object(self, at: int, segment: Segment, state: State) -> np.ndarray:
        demo, body = self.demo, state.body(self.goal.object)
        if self.goal.target is None:
            return self._origin + _turned(demo.object[at] - demo.object[segment.begin], self._carrying)
        target, last = state.body(self.goal.target), segment.end - 1
        assert demo.goal.target is not None, "whatever has a target here has one there"
        theirs = demo.start.body(demo.goal.target)
        place = target.position + _turned(demo.object[at] - demo.target[at], self._carrying)
        if self.goal.relation in BESIDE:
            place += (target.room - theirs.room) * np.array([*BESIDE[self.goal.relation], 0.0])
        bottom = 2 * demo.object[:, 2] - demo.top
        on = abs(bottom[last] - theirs.position[2] - theirs.half_height) < ON
        ground, here = demo.start.table_height, state.table_height
        if on:
            ground, here = demo.target[last, 2] + theirs.half_height, target.position[2] + target.half_height
        place[2] = here + bottom[at] - ground + body.half_height
        return place


def _around(demo: Demonstration, body: Body, state: State) -> float:
    """[rad], to turn the way of the hand by about what it takes, moves or presses."""
    if demo.goal.relation in SIDES and state.goal.relation in SIDES:
        return _between(demo, state)
    if len(body.points) and len(demo.body.points):
        return _match(demo.body.points - demo.body.position, body.points - body.position)
    if body.fixed:
        return _wrapped(body.yaw - demo.body.yaw, body.symmetry) if body.symmetry else 0.0
    if demo.takes:
        hand = _yaw(state.eef_rotation) + grasp_yaw(body, state) - demo.misfit
        return _halved(hand - _yaw(demo.rotation[demo.taken]))
    return 0.0


def _turn(demo: Demonstration, around: float, state: State) -> float:
    """[rad], to turn the hand by: its two fingers are alike, and of two ways the joints allow the one near it."""
    shown = _yaw(demo.rotation[demo.taken if demo.takes else demo.segments[-1].begin])
    now = _yaw(state.eef_rotation)
    return now + _halved(shown + around - now) - shown


def _between(demo: Demonstration, state: State) -> float:
    """[rad], between the directions that the two relations name."""
    (a, b), (c, d) = _way(demo.goal.relation)[:2], _way(state.goal.relation)[:2]
    return float(np.arctan2(d, c) - np.arctan2(b, a))


def _way(relation: str | None) -> np.ndarray:
    return np.array([*{**SIDES, **BESIDE}.get(relation or "", (0.0, 0.0)), 0.0])


def _reach(body: Body, way: np.ndarray) -> float:
    """[m], from its middle to where it ends that way."""
    if not body.symmetry:
        return float(max(body.half_size[:2])) * float(np.linalg.norm(way))
    return float(np.abs(body.rotation.T @ way) @ body.half_size)


def _match(theirs: np.ndarray, ours: np.ndarray) -> float:
    """[rad], after which each of our points is near one of theirs; the smallest of such turns."""
    found = []
    for angle in ANGLES:
        apart = np.linalg.norm(ours[:, None, :2] - np.array([_turned(p, angle) for p in theirs])[None, :, :2], axis=2)
        found.append(apart.min(axis=1).sum() + 0.001 * abs(angle))
    return float(ANGLES[np.argmin(found)])


def _turned(vector: np.ndarray, angle: float) -> np.ndarray:
    """float64 (3,), about the vertical."""
    x, y, z = vector
    return np.array([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y, z])


def _yaw(rotation: np.ndarray) -> float:
    """[rad], of the axis across which the pads close."""
    return float(np.arctan2(rotation[1, 1], rotation[0, 1]))


def _halved(angle: float) -> float:
    return _wrapped(angle, np.pi)


def _wrapped(angle: float, period: float) -> float:
    return float((angle + period / 2) % period - period / 2)
