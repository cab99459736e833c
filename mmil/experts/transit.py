"""How a hand, and what it holds, gets from one segment of a demonstration to the next: up, over what is there, down."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmil.contracts import Body, State

CLEAR = 0.025  # [m], between what moves and what it passes over
PASSING = 0.09  # [m], around the way: what stands nearer has to be cleared
FUNNEL, STEEP = 0.010, 3.0  # [m], sideways error from which on height is kept; and how much of it an error costs
LEVEL = 0.02  # [m], under the height that is wanted: up before it goes anywhere


def transit(state: State, point: np.ndarray, place: np.ndarray, *, carried: Body | None) -> np.ndarray:
    """float64 (3,) [m]: from `point`, of the hand or of what is carried, the way to go next to get to `place`."""
    offset = place - point
    sideways = float(np.linalg.norm(offset[:2]))
    lowest = carried.half_height if carried else 0.0
    over = max(_highest(state, point, place, carried=carried) + CLEAR + lowest - place[2], 0.0)
    height = min(over, STEEP * max(0.0, sideways - FUNNEL))
    if point[2] < place[2] + height - LEVEL:
        offset[:2] *= 0.15
    offset[2] += height
    return offset


def _highest(state: State, point: np.ndarray, place: np.ndarray, *, carried: Body | None) -> float:
    """[m], of all that stands on the way."""
    way = (place - point)[:2]
    highest = state.table_height
    for middle, radius, top in _obstacles(state, carried):
        along = float(np.clip((middle - point[:2]) @ way / max(float(way @ way), 1e-9), 0, 1))
        if np.linalg.norm(point[:2] + along * way - middle) < PASSING + radius:
            highest = max(highest, top)
    return highest


def _obstacles(state: State, carried: Body | None) -> Iterator[tuple[np.ndarray, float, float]]:
    """Middle (2,), radius and top [m] of each."""
    for body in state.bodies:
        if carried is None or body.thing != carried.thing:
            yield body.position[:2], float(max(body.half_size[:2])), float(body.position[2] + body.half_height)
    for x, y, radius, height in state.taken:
        yield np.array([x, y]), float(radius) / 2, float(state.table_height + height)
