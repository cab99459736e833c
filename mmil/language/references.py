"""Saying a thing by what else is there: by its shape or colour alone, by its neighbour, or by the side it is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mmil.contracts import SIDES, Body, Thing

CLEARLY = 0.7  # of the next one's distance, at most
APART = 0.05  # [m], further left than the next one


def landmarks(thing: Thing, among: Sequence[Body]) -> dict[str, Thing | None]:
    """The kinds of reference that mean `thing` and nothing else of what is there, each with its landmark if any."""
    others = [body for body in among if body.thing != thing]
    mine = next(body for body in among if body.thing == thing)
    alike = [body for body in others if body.thing.shape == thing.shape]
    found: dict[str, Thing | None] = {}
    if not alike and thing.colour:
        found["shape"] = None
    if thing.colour and all(body.thing.colour != thing.colour for body in others):
        found["colour"] = None
    if alike:
        for side, name in (("left", "leftmost"), ("right", "rightmost")):
            if all((mine.position - body.position)[:2] @ np.array(SIDES[side]) > APART for body in alike):
                found[name] = None
        near = [body.thing for body in others if body not in alike and _nearest(mine, alike, to=body)]
        if near:
            found["next_to"] = near[0]
    return found


def _nearest(mine: Body, alike: Sequence[Body], *, to: Body) -> bool:
    def distance(body: Body) -> float:
        return float(np.linalg.norm((body.position - to.position)[:2]))

    return all(distance(mine) < CLEARLY * distance(body) for body in alike)


def parts(thing: Thing, landmark: Thing | None, say: Callable[[Thing], Mapping[str, str]]) -> dict[str, str]:
    """Words for the slots of a reference's template; `say` gives those of a thing's colour and shape."""
    words = dict(say(thing))
    if landmark is not None:
        said = say(landmark)
        words["landmark"] = " ".join(said[part] for part in ("colour", "shape") if part in said)
    return words
