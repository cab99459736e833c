"""An actor that does what demonstrations show, in layouts they never saw (MimicGen, Mandlekar et al. 2023).

It is no expert: what it does next depends on how far it has come, so it labels nobody's actions but its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmil.contracts import Actor, Goal, Observation, State, UserError
from mmil.experts.demonstration import Demonstration, Segment, grasps
from mmil.experts.motion import CLOSED, METRES, OPEN, RADIANS
from mmil.experts.transfer import Transfer
from mmil.experts.transit import transit

ARRIVED, FACING = 0.012, 0.12  # [m], [rad]: near enough to where a segment begins
ASTRAY = (
    0.003,
    0.015,
)  # [m], between where it is and should be: more is waited for; at a segment's end, and far from it
SHARE = 0.3  # of the way that is left: the same
PATIENCE = 15  # steps to wait in a segment, for the hand to come or the thing to be held
PACE = (0.012, 0.05)  # [m], of a step between segments
ALIKE = 0.06  # how much less alike than the most similar one a demonstration may be to be drawn
UNLIKE: Mapping[str, float] = {"relation": 1.0, "manner": 2.0, "shape": 0.5, "target": 0.5}  # what a difference costs


class Transferred(Actor):
    """Takes a demonstration of the same verb, of the most similar one by the episode's seed, and follows it here."""

    def __init__(self, demonstrations: Sequence[Demonstration]) -> None:
        self._known = tuple(demonstrations)
        self._follower: _Follower | None = None

    @property
    def quality(self) -> str:
        return "multiplied"

    @property
    def provenance(self) -> Mapping[str, str]:
        return {} if self._follower is None else {"demonstration": self._follower.demo.key}

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 3])
        self._follower = None

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "who transfers demonstrations reads privileged state"
        if self._follower is None:
            self._follower = _Follower(self._choose(state), state)
        return self._follower.act(state)

    def _choose(self, state: State) -> Demonstration:
        suitable = [demo for demo in self._known if demo.goal.verb == state.goal.verb]
        if not suitable:
            verbs = ", ".join(sorted({demo.goal.verb for demo in self._known}))
            raise UserError(f"no demonstration of {state.goal.verb!r}; there are some of {verbs or 'nothing'}")
        costs = np.array([unlikeness(demo, state) for demo in suitable])
        alike = np.flatnonzero(costs <= costs.min() + ALIKE)
        return suitable[self._rng.choice(alike)]


def unlikeness(demo: Demonstration, state: State) -> float:
    """How different what is asked for and how it lies are; a metre, or a radian over 10, costs 1."""
    theirs, ours = demo.goal, state.goal
    differences = {
        "relation": theirs.relation != ours.relation,
        "manner": theirs.manner != ours.manner,
        "shape": theirs.object.shape != ours.object.shape,
        "target": bool(theirs.target and ours.target and theirs.target.shape != ours.target.shape),
    }
    there, here = _layout(demo.start, theirs), _layout(state, ours)
    apart = float(np.linalg.norm(there - here))
    return apart + sum(UNLIKE[name] for name, differs in differences.items() if differs)


def _layout(state: State, goal: Goal) -> np.ndarray:
    """(7,): from the hand to the object, from there to the target, and the object's size."""
    body = state.body(goal.object)
    target = body if goal.target is None else state.body(goal.target)
    offsets = (body.position - state.eef_position)[:2], (target.position - body.position)[:2]
    return np.concatenate([*offsets, 2 * body.half_size])


class _Follower:
    """Follows one demonstration through one episode."""

    def __init__(self, demo: Demonstration, state: State) -> None:
        self.demo = demo
        self._pace = float(np.clip(demo.pace, *PACE))
        self._start(state)

    def act(self, state: State) -> np.ndarray:
        if self._segment.carried and not self._has_it(state):
            if self._waited > PATIENCE:
                self._start(state)
                return self.act(state)
            self._waited += 1
            return _action(np.zeros(3), np.zeros(3), CLOSED)
        if self._at == len(self.demo):
            return self._go_on(state)
        return self._follow(state) if self._arrived else self._approach(state)

    @property
    def _segment(self) -> Segment:
        return self.demo.segments[self._number]

    def _start(self, state: State) -> None:
        """From the first segment on, aimed at where things are now."""
        self._transfer = Transfer(self.demo, state)
        self._enter(0)

    def _enter(self, number: int) -> None:
        segment = self.demo.segments[number]
        self._number, self._at, self._waited = number, segment.begin, 0
        self._arrived, self._took = segment.joins, False

    def _has_it(self, state: State) -> bool:
        """Whether it is held; a grasp that slips for a moment is waited for."""
        held = grasps(state.body(state.goal.object), state)
        if held and not self._took:
            self._transfer.take(state)
            self._took, self._waited = True, 0
        return held

    def _approach(self, state: State) -> np.ndarray:
        """Through free space to where the segment begins."""
        offset, turn = self._errors(state)
        if np.linalg.norm(offset) < ARRIVED and np.linalg.norm(turn) < FACING:
            self._arrived = True
            return self._follow(state)
        carried = state.body(state.goal.object) if self._segment.carried else None
        point = state.eef_position if carried is None else carried.position
        way = transit(state, point, point + offset, carried=carried)
        way *= min(1.0, self._pace / max(float(np.linalg.norm(way)), 1e-9))
        return _action(way, turn, self._gripper())

    def _follow(self, state: State) -> np.ndarray:
        offset, turn = self._errors(state)
        if np.linalg.norm(offset) > self._tolerance() and self._waited < PATIENCE:
            self._waited += 1
            return _action(offset, turn, self._gripper())
        at, segment = self._at, self._segment
        self._at += 1
        if self._at == segment.end < len(self.demo):
            self._enter(self._number + 1)
        lead, turning = self._transfer.lead(at, segment), self._transfer.turning(at)
        return _action(offset + lead, turn + turning, self.demo.gripper[at])

    def _go_on(self, state: State) -> np.ndarray:
        """As it ended, until the scene says that it is enough; where work is left, from the beginning."""
        if len(state.body(state.goal.object).points):
            self._start(state)
            return self.act(state)
        last = len(self.demo) - 1
        return _action(self._transfer.lead(last, self._segment), np.zeros(3), self.demo.gripper[last])

    def _errors(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """[m] and [rad], from where hand or thing is and how the hand is turned to how it would be."""
        point = state.body(state.goal.object).position if self._segment.carried else state.eef_position
        place = self._transfer.place(self._at, self._segment, state)
        return place - point, _turn(state.eef_rotation, self._transfer.rotation(self._at))

    def _gripper(self) -> float:
        """Of a hand that is not yet where the demonstration's does something with it."""
        return float(self.demo.gripper[self._at - 1] if self._at else OPEN)

    def _tolerance(self) -> float:
        """[m], finer where the segment ends."""
        way = self.demo.object if self._segment.carried else self.demo.hand
        left = float(np.linalg.norm(way[self._at] - way[self._segment.end - 1]))
        return float(np.clip(SHARE * left, *ASTRAY))


def _action(offset: np.ndarray, turn: np.ndarray, gripper: float) -> np.ndarray:
    """float32 (7,) of the pinned controller."""
    action = np.concatenate([offset / METRES, turn / RADIANS])
    return np.append(np.clip(action, -1.0, 1.0), gripper).astype(np.float32)


def _turn(now: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """float64 (3,) rotation vector [rad], world, from one rotation to another."""
    turn = wanted @ now.T
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sine, cosine = float(np.linalg.norm(axis)), float(np.trace(turn) - 1) / 2
    return axis * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 0.0)
