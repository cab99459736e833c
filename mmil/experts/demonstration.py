"""A demonstration that shall be done again elsewhere, cut where the hand takes the thing or lets it go.

Cutting into segments that each belong to one object is MimicGen's idea (Mandlekar et al. 2023, arXiv 2310.17596); here
what was held and when tells where to cut. What leads from one to the next through free space is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from mmil.contracts import SIDES, Body, Goal, State
from mmil.experts.grasp import EMPTY, grasp_yaw
from mmil.experts.motion import CLOSED, METRES, RADIANS

BRIEF = 3  # steps: what is held, or not, for less is a flicker
FREE = 0.045  # [m], between hand and thing: further away the way does not matter
ABOUT = 0.025  # [m], sideways, between a carried thing and where it will be let go: the same
FLANK = 0.008  # [m], under its top: a hand that meets the thing lower comes from the side


@dataclass(frozen=True)
class Segment:
    """Instants `begin` to `end` (exclusive), in which what counts is where one thing is relative to another.

    carried: the object, relative to the goal's target or to where it was; else the hand, relative to the object.
    """

    begin: int
    end: int
    carried: bool
    joins: bool  # it goes on where the one before it ends


@dataclass(frozen=True)
class Demonstration:
    """T instants of a success, in world coordinates."""

    key: str  # of the episode
    goal: Goal
    start: State
    hand: np.ndarray  # (T, 3) [m]
    rotation: np.ndarray  # (T, 3, 3), world from gripper
    lead: np.ndarray  # (T, 3) [m], of the controller's target before the hand
    turn: np.ndarray  # (T, 3) rotation vector [rad], the same
    gripper: np.ndarray  # (T,), commanded
    object: np.ndarray  # (T, 3) [m]
    top: np.ndarray  # (T,) [m], of the object
    target: np.ndarray  # (T, 3) [m]; of the object again where the goal has none
    carried: np.ndarray  # (T,) bool; what was taken and lost again before does not count
    misfit: float  # [rad], by which the hand that took it was not turned as grasp.take turns it

    @classmethod
    def of(cls, key: str, goal: Goal, states: Sequence[State], actions: np.ndarray) -> Demonstration:
        """`states`: T of them or more, before each of the actions (T, 7)."""
        states = states[: len(actions)]
        things = [state.body(goal.object) for state in states]
        targets = things if goal.target is None else [state.body(goal.target) for state in states]
        # not from states alone: those that were stored do not say what had been commanded
        commands = np.concatenate([[-1.0], np.sign(actions[:-1, 6])])
        grasped = [grasps(body, state) for body, state in zip(things, states, strict=True)]
        carried = _last(_steady(np.array(grasped)), closed=commands > 0)
        taken = int(np.argmax(carried)) if carried.any() else None
        opens = carried & np.append(~carried[1:], True)  # at its end; an opening before that lost nothing
        return cls(
            key=key,
            goal=goal,
            start=states[0],
            hand=np.array([state.eef_position for state in states]),
            rotation=np.array([state.eef_rotation for state in states]),
            lead=METRES * actions[:, :3].astype(float),
            turn=RADIANS * actions[:, 3:6].astype(float),
            gripper=np.where(carried & ~opens, CLOSED, actions[:, 6]).astype(float),
            object=np.array([body.position for body in things]),
            top=np.array([body.position[2] + body.half_height for body in things]),
            target=np.array([body.position for body in targets]),
            carried=carried,
            misfit=0.0 if taken is None else grasp_yaw(things[taken], states[taken]),
        )

    def __len__(self) -> int:
        return len(self.hand)

    @cached_property
    def body(self) -> Body:
        """The object as it was at first."""
        return self.start.body(self.goal.object)

    @property
    def takes(self) -> bool:
        return bool(self.carried.any())

    @cached_property
    def taken(self) -> int:
        """The instant from which on the object is held."""
        return int(np.argmax(self.carried))

    @property
    def pace(self) -> float:
        """[m] of a step, as the hand is asked for where nothing is near."""
        return float(np.quantile(np.linalg.norm(self.lead, axis=1), 0.8))

    @cached_property
    def flanks(self) -> bool:
        """Whether the hand moves it from the side."""
        return self.goal.relation in SIDES and bool((self.hand[:, 2] < self.top - FLANK).any())

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._cut())

    def _cut(self) -> Iterator[Segment]:
        begin = 0
        for carried, run in groupby(self.carried.tolist()):
            end = begin + len(list(run))
            leaves = not carried and begin > 0 and end == len(self)
            start = begin if leaves else self._near(begin, end, carried)
            yield Segment(start, end, carried, joins=begin > 0 and start == begin)
            begin = end

    def _near(self, begin: int, end: int, carried: bool) -> int:
        """From where on hand and thing, or thing and place, are near each other."""
        if carried and self.goal.target is None:
            return begin
        if carried:
            far = np.linalg.norm((self.object - self.object[end - 1])[begin:end, :2], axis=1) > ABOUT
        else:
            far = self._gap(begin, end) > FREE
        if len(self.body.points):  # the work is all that was done since the hand first came near
            far = far[: int(np.argmin(far))]
        begin += int(np.flatnonzero(far)[-1]) if far.any() else 0
        # a hand that opens again had missed, or lost what it had: that is not shown
        opened = np.flatnonzero((self.gripper[begin : end - 1] > 0) & (self.gripper[begin + 1 : end] < 0))
        return begin if carried or not len(opened) else begin + 1 + int(opened[-1])

    def _gap(self, begin: int, end: int) -> np.ndarray:
        """(end − begin,) [m], between the hand and the cylinder around the object."""
        offset = (self.hand - self.object)[begin:end]
        sideways = np.linalg.norm(offset[:, :2], axis=1) - max(self.body.half_size[:2])
        height = np.abs(offset[:, 2]) - (self.top - self.object[:, 2])[begin:end]
        return np.hypot(np.maximum(sideways, 0.0), np.maximum(height, 0.0))


def grasps(body: Body, state: State) -> bool:
    """Whether it is between the fingers, and not only felt by both."""
    return body.held and state.gripper_width > EMPTY


def _last(held: np.ndarray, *, closed: np.ndarray) -> np.ndarray:
    """(T,) bool: the last run in which the hand was told to hold it, from its first to its last such instant."""
    both = np.flatnonzero(held & closed)
    gaps = np.flatnonzero(~held[: both[-1]]) if len(both) else both
    inside = both[both > gaps[-1]] if len(gaps) else both
    at = np.arange(len(held))
    return (at >= inside[0]) & (at <= inside[-1]) if len(inside) else np.zeros(len(held), bool)


def _steady(flags: np.ndarray) -> np.ndarray:
    """(T,) bool: the same without short runs in between; first the gaps are filled."""
    for value in (False, True):
        at = 0
        for flag, run in groupby(flags.tolist()):
            end = at + len(list(run))
            if flag == value and end - at < BRIEF and at > 0 and end < len(flags):
                flags[at:end] = not value
            at = end
    return flags
