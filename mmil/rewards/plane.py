"""The toy's plane in cells: its layouts as finite problems, and episodes as what they met of a few features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from mmil.contracts import BODY_POSES, Episode, Goal, State, Thing, UserError
from mmil.rewards.maxent import Problem

SCENE = "toy"
HALF, RADIUS, STRIDE = 0.30, 0.03, 0.03  # [m], as it has them: to import scenes would be to import all simulators
FEATURES = ("touches what is told", "touches something else", "presses on nothing", "moves on")
MOVES = tuple((right, up) for right in (-1, 0, 1) for up in (-1, 0, 1))
PRESS = len(MOVES)  # the action after the moves: to the middle of the cell, and down


class Plane:
    """Cells as wide as a step, of which any neighbour is a step away; a touch ends in a state of its own."""

    def __init__(self) -> None:
        self.side = round(2 * HALF / STRIDE) + 1
        cells = np.linspace(-HALF, HALF, self.side)
        self.middles = np.stack(np.meshgrid(cells, cells, indexing="ij"), axis=-1).reshape(-1, 2)  # (C, 2) [m]
        self.over = len(self.middles)  # the state after a touch

    def cell(self, place: np.ndarray) -> int:
        """The one that a place (2,) [m] lies in."""
        right, up = np.clip(np.rint((place + HALF) / STRIDE).astype(int), 0, self.side - 1)
        return int(right * self.side + up)

    def problem(self, finger: np.ndarray, things: Mapping[Thing, np.ndarray], told: Thing, *, horizon: int) -> Problem:
        """What can be done from where the finger is. finger, things: places (2,) [m]."""
        follows, features = self._moving.copy(), np.zeros((self.over + 1, PRESS + 1, len(FEATURES)))
        features[: self.over, :PRESS, FEATURES.index("moves on")] = 1.0
        near = {thing: np.linalg.norm(self.middles - place, axis=1) < RADIUS for thing, place in things.items()}
        own, every = near[told], np.any(list(near.values()), axis=0)
        for name, cells in zip(FEATURES, (own, every & ~own, ~every), strict=False):
            features[: self.over, PRESS, FEATURES.index(name)] = cells
        follows[np.arange(self.over), PRESS, np.where(every, self.over, np.arange(self.over))] = 1.0
        return Problem(follows, np.eye(self.over + 1)[self.cell(finger)], features, horizon)

    @cached_property
    def _moving(self) -> np.ndarray:
        """float64 (C+1, A, C+1): where moves lead; of pressing, nothing yet, but that what is over stays so."""
        follows = np.zeros((self.over + 1, PRESS + 1, self.over + 1))
        for cell, middle in enumerate(self.middles):
            for action, move in enumerate(MOVES):
                follows[cell, action, self.cell(middle + STRIDE * np.array(move))] = 1.0
        follows[self.over, :, self.over] = 1.0
        return follows

    def done(self, finger: np.ndarray, action: int) -> np.ndarray:
        """float32 (3,): what does an action of the problem from this place, as the toy takes it."""
        move = (0, 0) if action == PRESS else MOVES[action]
        there = np.clip(self.middles[self.cell(finger)] + STRIDE * np.array(move), -HALF, HALF)
        press = 1.0 if action == PRESS else -1.0
        return np.append(np.clip((there - finger) / STRIDE, -1, 1), press).astype(np.float32)


def problem_of(plane: Plane, state: State, *, horizon: int) -> Problem:
    """That an instant of the toy stands before."""
    things = {body.thing: body.position[:2] for body in state.bodies}
    return plane.problem(state.eef_position[:2], things, state.goal.object, horizon=horizon)


def shown_of(plane: Plane, episode: Episode, *, horizon: int) -> tuple[Problem, np.ndarray]:
    """The problem that a demonstration stood before, and what it met (F,) of the features."""
    if episode.scene != SCENE:
        raise UserError(f"{episode.key} is of scene {episode.scene}; the plane's cells are those of {SCENE}")
    places = dict(zip(episode.things, episode.privileged[BODY_POSES][0, :, :2].astype(float), strict=True))
    fingers = episode.signals["eef_pos_world"][:, :2].astype(float)
    met = np.zeros(len(FEATURES))
    for finger, action in zip(fingers[1:], episode.actions, strict=True):
        met[_feature(finger, places, episode.goal, pressed=bool(action[2] > 0))] += 1
    return plane.problem(fingers[0], places, episode.goal.object, horizon=horizon), met


def _feature(finger: np.ndarray, places: Mapping[Thing, np.ndarray], goal: Goal, *, pressed: bool) -> int:
    if not pressed:
        return FEATURES.index("moves on")
    touched: Sequence[Thing] = [
        thing for thing, place in places.items() if float(np.linalg.norm(place - finger)) < RADIUS
    ]
    if not touched:
        return FEATURES.index("presses on nothing")
    return FEATURES.index("touches what is told" if touched == [goal.object] else "touches something else")
