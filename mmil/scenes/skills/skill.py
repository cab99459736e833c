"""What a verb means in a scene: which goals can be asked for, and when one is reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from mmil.contracts import Body, Goal, State, UserError

UNGENTLE = ("slowly", "quickly")  # manners where force is what it takes
TABLE = ((-0.17, 0.17), (-0.27, 0.27))  # [m], x and y of where a thing may be put down
HAND = 0.085  # [m], around the middle of a place that a hand needs to put a thing there


class Skill(ABC):
    """A verb with its goals; it keeps nothing, so that one object serves any number of scenes."""

    verb: str
    grasps: bool = False  # whether a hand that closes on nothing has missed
    fixtures: Sequence[str] = ()  # kinds, one of which it needs
    shapes: Sequence[str] = ()  # of which it needs one
    others: Sequence[str] = ()  # of which it needs one more
    manners: Sequence[str] = ("slowly", "gently", "quickly")  # that it can be asked for in

    @abstractmethod
    def goals(self, start: State) -> Sequence[Goal]:
        """Every goal of this verb that is feasible from the first state of an episode."""

    @abstractmethod
    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        """Whether `goal` is, in the state `now` of an episode that began in `start`."""


def require_parts(skills: Iterable[Skill], shapes: Sequence[str], *, fixtures: int) -> None:
    """Raise UserError where one of the skills lacks what it is done to."""
    for skill in skills:
        if skill.fixtures and not fixtures:
            raise UserError(f"skill {skill.verb} needs a {' or a '.join(skill.fixtures)}; set fixtures to 1 or more")
        if skill.shapes and not set(skill.shapes) & set(shapes):
            raise UserError(
                f"skill {skill.verb} needs one of the shapes {', '.join(skill.shapes)}; got {', '.join(shapes)}"
            )


def things(state: State) -> Iterator[Body]:
    """What a hand can take."""
    return (body for body in state.bodies if not body.fixed)


def furniture(state: State, kinds: Collection[str]) -> Iterator[Body]:
    return (body for body in state.bodies if body.fixed and body.thing.shape in kinds)


def let_go(body: Body) -> bool:
    return not body.held and not body.touched


def free(place: np.ndarray, state: State, *, but: Collection[Body], room: float = HAND) -> bool:
    """Whether a hand can put something down at `place` (2,) [m], with nothing but these near it."""
    if any(not low <= value <= high for value, (low, high) in zip(place, TABLE, strict=True)):
        return False
    if any(np.hypot(place[0] - x, place[1] - y) < radius + room / 2 for x, y, radius, _ in state.taken):
        return False
    others = (body for body in things(state) if body not in but)
    return all(np.linalg.norm(other.position[:2] - place) >= room for other in others)
