"""What is asked for, and how it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mmil.contracts.errors import UserError

Split = Literal["train", "held_out"]
Outcome = Literal["success", "wrong_object", "wrong_manner", "dropped", "missed", "timeout"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
DECIDED: tuple[Outcome, ...] = ("success", "wrong_object", "wrong_manner")  # the others: the horizon ran out

# world x and y of the sides of the table as the front camera sees them: it looks along −x, so that its left is −y
SIDES: Mapping[str, tuple[float, float]] = {
    "left": (0.0, -1.0),
    "right": (0.0, 1.0),
    "front": (1.0, 0.0),
    "back": (-1.0, 0.0),
}
BESIDE = {"left_of": SIDES["left"], "right_of": SIDES["right"], "in_front_of": SIDES["front"], "behind": SIDES["back"]}
HELD_STEPS = 3  # control steps a goal must stay reached
SLOW_TIME = 2.5  # times the horizon, for who has to take care how
DO = "do"  # the verb of demonstrations that came from elsewhere with nothing but a sentence


@dataclass(frozen=True, order=True)
class Thing:
    """An object as a person would tell it from the others: its shape and, where that says more, its colour."""

    shape: str
    colour: str = ""

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}".lstrip()


@dataclass(frozen=True, order=True)
class Goal:
    """What an instruction asks for, as data; what the verb does not need is None.

    `relation`: a side of the table (SIDES), or how `object` shall lie to `target`: in, on, left_of, behind …
    Demonstrations that came from elsewhere with nothing but a sentence have the verb DO and that as their object.
    """

    verb: str
    object: Thing
    target: Thing | None = None
    manner: str | None = None
    relation: str | None = None

    def __str__(self) -> str:
        parts = (self.manner, self.verb, str(self.object), self.relation, str(self.target or ""))
        return " ".join(part for part in parts if part)

    def done(self, manner: str | None) -> Goal:
        """The same goal, to be reached in this manner."""
        return dataclasses.replace(self, manner=manner)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Goal:
        target = data.get("target")
        return cls(
            verb=data["verb"],
            object=Thing(**data["object"]),
            target=Thing(**target) if target else None,
            manner=data.get("manner"),
            relation=data.get("relation"),
        )


def require_feasible(goal: Goal, goals: Sequence[Goal], *, manners: bool = False) -> None:
    """Refuse a goal that is none of these; with `manners` it may be one of them done in a manner."""
    if (goal.done(None) if manners else goal) not in goals:
        raise UserError(f"goal {goal} is not feasible here; there are: {', '.join(map(str, goals))}")
