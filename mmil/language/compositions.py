"""Held-out compositions: goals that training never shows, though it shows every part of them.

held = Compositions.parse([{"verb": "push", "colour": "red"}])
held.excludes(goal)  # whether training must do without it

A recipe of `mmil generate` names them, and so does a YAML of configs/compositions/, which is a layer of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from mmil.contracts import Goal, Split, Thing, UserError
from mmil.language.reading import read_yaml
from mmil.language.templates import quoted

PARTS = ("verb", "shape", "colour", "relation", "target_shape", "target_colour", "manner")
WHERE = ("scene", "init_args", "randomisation", "held_out")  # in a recipe, and in a data set's manifest
MOST = 1000  # compositions a list may have
_NOTHING = Thing(shape="")


def parts(goal: Goal) -> dict[str, str]:
    """What a goal is made of; a part it does not have is left out."""
    thing, target = goal.object, goal.target or _NOTHING
    every = (goal.verb, thing.shape, thing.colour, goal.relation, target.shape, target.colour, goal.manner)
    return {name: value for name, value in zip(PARTS, every, strict=True) if value}


def showing(goal: Goal, order: int, among: Sequence[str] = PARTS) -> Iterator[Composition]:
    """Every composition of `order` of these parts that the goal matches."""
    items = [item for item in parts(goal).items() if item[0] in among]
    return map(Composition, combinations(items, order))


@dataclass(frozen=True, order=True)
class Composition:
    """A partial goal: values of some of PARTS, in their order."""

    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, **values: str) -> Composition:
        return cls(tuple((name, values[name]) for name in PARTS if name in values))

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.items)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.items)

    @property
    def values(self) -> str:
        return "+".join(f"target {value}" if name.startswith("target_") else value for name, value in self.items)

    def matches(self, goal: Goal) -> bool:
        return parts(goal).items() >= set(self.items)

    def holds(self, other: Composition) -> bool:
        """Whether everything that `other` says is said here too."""
        return set(self.items) >= set(other.items)

    def smaller(self) -> Iterator[Composition]:
        """Each part of it, then each pair of its parts, and so on; never itself."""
        for order in range(1, len(self.items)):
            yield from map(Composition, combinations(self.items, order))


@dataclass(frozen=True)
class Compositions:
    """Which goals a data set holds out: those that match any of these."""

    held_out: tuple[Composition, ...] = ()

    @classmethod
    def parse(cls, data: Any, *, where: str = "held_out") -> Compositions:
        """From JSON values, {part: value} each; every mistake is one line that begins with `where`."""
        if not isinstance(data, list | tuple):
            raise UserError(f"{where}: expected a list of compositions such as {{verb: push}}; got {_shown(data)}")
        if len(data) > MOST:
            raise UserError(f"{where}: {len(data)} compositions, at most {MOST} are read")
        found = tuple(_composition(item, f"{where}: item {number}") for number, item in enumerate(data, 1))
        _refuse_implied(found, where)
        return cls(found)

    @classmethod
    def of(cls, config: Any, *, where: str = "config") -> Compositions:
        """What a recipe or a manifest's config holds out; nothing where it does not say."""
        for key in ("scene", "randomisation", "held_out"):
            config = config.get(key) if isinstance(config, Mapping) else None
            config = config.get("init_args", config) if isinstance(config, Mapping) else config  # a class's options
        return cls() if config is None else cls.parse(config, where=f"{where}: {WHERE[-1]}")

    @classmethod
    def load(cls, path: Path | str) -> Compositions:
        """From a recipe or a layer of one; a file that holds out nothing is refused."""
        held = cls.of(read_yaml(path), where=str(path))
        if not held:
            raise UserError(f"{path}: holds out nothing; it needs a list {'.'.join(WHERE)}")
        return held

    def __bool__(self) -> bool:
        return bool(self.held_out)

    def matching(self, goal: Goal) -> tuple[Composition, ...]:
        """Those that hold `goal` out."""
        found = parts(goal).items()
        return tuple(one for one in self.held_out if found >= set(one.items))

    def excludes(self, goal: Goal) -> bool:
        """Whether training does without `goal`."""
        return bool(self.matching(goal))

    def split_of(self, goal: Goal) -> Split:
        return "held_out" if self.excludes(goal) else "train"

    def of_split(self, goals: Iterable[Goal], split: Split) -> list[Goal]:
        """Those of `goals` that belong to a split."""
        return [goal for goal in goals if self.split_of(goal) == split]

    def to_json(self) -> list[dict[str, str]]:
        return [dict(one.items) for one in self.held_out]

    def layer(self) -> dict[str, Any]:
        """As a layer of a recipe: `mmil generate --config RECIPE --config LAYER`."""
        node: Any = self.to_json()
        for key in reversed(WHERE):
            node = {key: node}
        return node


def _composition(item: Any, where: str) -> Composition:
    if not isinstance(item, Mapping) or not item:
        raise UserError(f"{where}: expected values of {', '.join(PARTS)}; got {_shown(item)}")
    for name, value in item.items():
        if name not in PARTS:
            raise UserError(f"{where}: no part {_shown(name)}; there are {', '.join(PARTS)}")
        if not isinstance(value, str) or not value.strip():
            hint = " (in YAML on, off, yes and no are not words unless quoted)" if isinstance(value, bool) else ""
            raise UserError(f"{where}: {name} needs a word; got {_shown(value)}{hint}")
    return Composition.of(**item)


def _refuse_implied(found: tuple[Composition, ...], where: str) -> None:
    for at, one in enumerate(found):
        for other in found[:at] + found[at + 1 :]:
            if one == other:
                raise UserError(f"{where}: {one} is given twice")
            if one.holds(other):
                raise UserError(f"{where}: {one} is implied by {other}; leave one of them out")


def _shown(value: Any) -> str:
    """What was got, in a few words: aliases can make a small file a huge list."""
    if isinstance(value, str | bool | int | float):
        return quoted(value)
    return "nothing" if not value else type(value).__name__
