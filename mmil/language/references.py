"""Saying a thing by what else is there: by its shape or colour alone, by its neighbour, or by the side it is on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mmil.contracts import SIDES, Goal, Thing
from mmil.language.bank import Bank, Phrases

CLEARLY = 0.7  # of the next one's distance, at most
APART = 0.05  # [m], further left than the next one
NEAR = 0.20  # [m], between the middles of things that are next to each other


class Placed(Protocol):
    """What is there: a Body, or what an episode keeps of one."""

    @property
    def thing(self) -> Thing: ...

    @property
    def position(self) -> np.ndarray: ...  # (3,) [m], world


@dataclass(frozen=True)
class Reference:
    """A way to say a goal's `object` or `target` that means it and nothing else of what is there."""

    slot: str
    phrases: Phrases
    thing: Thing
    landmark: Thing | None


def referring(goal: Goal, among: Sequence[Placed], bank: Bank) -> list[Reference]:
    """Every way to say one thing of `goal` by what else is there, of those that the bank has words for."""
    said = (goal.object, goal.target)
    moves = goal.target is not None or goal.relation is not None
    return [
        Reference(slot, bank.references[kind], thing, mark)
        for slot, thing in zip(("object", "target"), said, strict=True)
        if thing is not None
        for kind, mark in landmarks(thing, among, like=lookalikes(thing, bank)).items()
        if kind in bank.references and _fits(bank.references[kind], thing, moves=moves)
        if mark is None or (mark not in said and _known(mark, bank))
    ]


def lookalikes(thing: Thing, bank: Bank) -> set[str]:
    """Shapes that a word for this one could mean as well: a can is a cylinder, too."""
    own = bank.shapes[thing.shape].like if thing.shape in bank.shapes else ()
    return {*own, *(shape for shape, phrases in bank.shapes.items() if thing.shape in phrases.like)}


def landmarks(thing: Thing, among: Sequence[Placed], *, like: Collection[str] = ()) -> dict[str, Thing | None]:
    """The kinds of reference that mean `thing` and nothing else of what is there, each with its landmark if any.

    like: shapes that might be meant by a word for its own.
    """
    mine = [one for one in among if one.thing == thing]
    others = [one for one in among if one.thing != thing]
    if len(mine) != 1:
        return {}
    alike = [one for one in others if one.thing.shape in (thing.shape, *like)]
    found: dict[str, Thing | None] = {}
    if thing.colour and not alike:
        found["shape"] = None
    if thing.colour and all(one.thing.colour not in ("", thing.colour) for one in others):
        found["colour"] = None  # what has no colour of its own may have any
    if any(one.thing.shape == thing.shape for one in alike):
        found |= dict.fromkeys(_sides(mine[0], alike, others))
        near = _neighbour(mine[0], alike, others)
        found |= {"next_to": near, "that_is_next_to": near} if near else {}
    return found


def _sides(mine: Placed, alike: Sequence[Placed], others: Sequence[Placed]) -> Iterator[str]:
    """Sides of which it is the last; "on the left" is only what lies left of the middle, with no other beside it."""
    middle = np.mean([_place(one) for one in (mine, *others)], axis=0)
    for side in ("left", "right"):
        axis = np.array(SIDES[side])
        ahead = [float((_place(mine) - _place(one)) @ axis) for one in alike]
        if min(ahead) > APART:
            yield f"{side}most"
            past = [float((_place(one) - middle) @ axis) for one in (mine, *alike)]
            if past[0] > APART / 2 and max(past[1:]) < -APART / 2:
                yield f"on_the_{side}"


def _neighbour(mine: Placed, alike: Sequence[Placed], others: Sequence[Placed]) -> Thing | None:
    """The nearest thing of another shape that is next to this one and to none of those like it."""
    names = [one.thing for one in others]
    near = [
        (_between(mine, one), one.thing)
        for one in others
        if one.thing.shape != mine.thing.shape and names.count(one.thing) == 1 and _between(mine, one) < NEAR
        if all(_between(mine, one) < CLEARLY * _between(other, one) for other in alike if other is not one)
    ]
    return min(near)[1] if near else None


def _between(one: Placed, other: Placed) -> float:
    return float(np.linalg.norm(_place(one) - _place(other)))


def _place(one: Placed) -> np.ndarray:
    """As exact as episodes keep it, so that whoever checks one comes to the same answer."""
    return np.asarray(one.position[:2], np.float32).astype(np.float64)


def _fits(phrases: Phrases, thing: Thing, *, moves: bool) -> bool:
    return not (phrases.alone and moves) and (not phrases.objects or thing.shape in phrases.objects)


def _known(thing: Thing, bank: Bank) -> bool:
    return thing.shape in bank.shapes and (not thing.colour or thing.colour in bank.colours)
