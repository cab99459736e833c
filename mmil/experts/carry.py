"""Experts that take a thing somewhere and let it go: `place`, `stack`, `put`, `insert`."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from mmil.contracts import BESIDE, Actor, Body, Observation, State
from mmil.experts.grasp import take
from mmil.experts.motion import CLOSED, OPEN, move

CLEAR = 0.025  # [m], between a carried thing and what it passes over
FUNNEL = 0.010  # [m], sideways error below which it goes down
STEEP = 3.0  # height over the place a sideways error costs
DOWN = 0.006  # [m], over the place: low enough to let go of what cannot be felt to stand
LOW, SUNK = 0.012, -0.004  # [m], over the place: where what holds it up is what it shall stand on; where it must stand
FELT, PRESS = 2.5, 0.008  # [N], from below: it stands; [m], under the place that a hand which waits for that aims at
NEAR = 0.014  # [m], sideways: a hand that is opening goes on
AWAY = 0.10  # [m], over the place: where the hand goes once it let go
CLOSE = 0.03  # [m], between a carried thing and one that it has to clear first: no nearer
PASSING = 0.09  # [m], around the way there: what stands nearer has to be cleared


class Carry(Actor):
    """Takes the thing, carries it over everything on the way, lowers it, lets go and leaves."""

    funnel, near = FUNNEL, NEAR

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    @abstractmethod
    def place(self, body: Body, state: State) -> np.ndarray:
        """float64 (3,) [m], world: where the middle of the thing should be when it is let go."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None and state.goal.object is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        place = self.place(body, state)
        offset = place - body.position
        sideways = float(np.linalg.norm(offset[:2]))
        if state.gripper_command < 0 and sideways < 0.03 and self._let_go(body, place, state):
            return self._leave(body, state)
        if not (body.held and state.gripper_command > 0):
            return take(state, body)
        if sideways < self.near and self._stands(-offset[2], state):
            return move(state, np.zeros(3), yaw=None, gripper=OPEN)
        over = self._clearance(body, place, state)
        height = min(over, STEEP * max(0.0, sideways - self.funnel))
        if over - height > 0.02 and body.position[2] < place[2] + height - 0.02:
            offset[:2] *= 0.15  # up before it goes anywhere
        elif height == over and self._blocked(body, offset[:2], state):
            offset[:2] = 0.0
        offset[2] += height if height or not self.feels(state) else -PRESS
        return move(state, offset, yaw=self.yaw(body, state), gripper=CLOSED)

    def feels(self, state: State) -> bool:
        """Whether it lets go when it feels that the thing stands: half a centimetre of height is hard to see."""
        return state.goal.manner != "gently"

    def yaw(self, body: Body, state: State) -> float | None:
        """[rad] to turn the hand by while it carries; None: as it is."""
        return None

    def _stands(self, over: float, state: State) -> bool:
        """Whether a thing that is `over` [m] its place can be let go of."""
        if not self.feels(state):
            return over < DOWN
        return over < SUNK or (over < LOW and bool(state.force[2] > FELT))

    def _let_go(self, body: Body, place: np.ndarray, state: State) -> bool:
        """Whether the thing is where it should be, or on its way down from there."""
        return bool(body.position[2] < place[2] + 0.02)

    def _leave(self, body: Body, state: State) -> np.ndarray:
        """Straight up, once the fingers are off it."""
        rise = AWAY if not body.touched else 0.0
        up = body.position[2] + body.half_height + rise - state.eef_position[2]
        slow = np.array([0.0, 0.0, min(max(up, 0.0), 0.05) if not body.touched else 0.004])
        return move(state, slow, yaw=None, gripper=OPEN)

    def _blocked(self, body: Body, way: np.ndarray, state: State) -> bool:
        """Whether something close by that it does not clear yet stands where it goes."""
        low, reach = body.position[2] - body.half_height, float(np.hypot(*body.half_size[:2]))
        for other in state.bodies:
            there = (other.position - body.position)[:2]
            gap = float(np.linalg.norm(there)) - max(other.half_size[:2]) - reach
            high = other.position[2] + other.half_height > low
            if other.thing != body.thing and high and gap < CLOSE and there @ way > 0:
                return True
        return False

    def _clearance(self, body: Body, place: np.ndarray, state: State) -> float:
        """[m], over the place: a height from which the thing passes over all that stands on the way."""
        start, way = body.position[:2], (place - body.position)[:2]
        length = float(np.linalg.norm(way))
        highest = state.table_height
        for other in state.bodies:
            if other.thing == body.thing:
                continue
            along = float(np.clip((other.position[:2] - start) @ way / max(length**2, 1e-9), 0, 1))
            if np.linalg.norm(start + along * way - other.position[:2]) < PASSING + max(other.half_size[:2]):
                highest = max(highest, other.position[2] + other.half_height)
        return max(highest + CLEAR + body.half_height - place[2], 0.03)


class Place(Carry):
    """Into a bin, or onto a plate."""

    def feels(self, state: State) -> bool:
        return state.goal.relation != "in" and super().feels(state)

    def place(self, body: Body, state: State) -> np.ndarray:
        holder = _target(state)
        if state.goal.relation == "in":  # over its rim, so that open fingers clear it
            height = state.table_height + 2 * holder.half_size[2]
        else:
            height = state.table_height + 2 * holder.half_size[2] + 0.002
        return np.array([*holder.position[:2], height + body.half_height])


class Stack(Carry):
    """Onto another thing."""

    funnel, near = 0.006, 0.008

    def place(self, body: Body, state: State) -> np.ndarray:
        lower = _target(state)
        return lower.position + np.array([0.0, 0.0, lower.half_height + body.half_height + 0.002])


class Put(Carry):
    """Beside another thing."""

    def place(self, body: Body, state: State) -> np.ndarray:
        other = _target(state)
        assert state.goal.relation is not None, "a thing is put on some side"
        spot = other.position[:2] + other.room * np.array(BESIDE[state.goal.relation])
        return np.array([*spot, state.table_height + body.half_height + 0.002])


class Insert(Carry):
    """A peg into a socket, whose mouth leads it."""

    funnel = 0.005

    def feels(self, state: State) -> bool:
        return False  # the rim would be felt too

    def place(self, body: Body, state: State) -> np.ndarray:
        return np.array([*_target(state).position[:2], state.table_height + body.half_height + 0.004])


def _target(state: State) -> Body:
    assert state.goal.target is not None, f"{state.goal} has no target"
    return state.body(state.goal.target)
