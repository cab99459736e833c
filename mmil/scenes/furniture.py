"""The fixtures of a table: those of an episode stand on it, the others out of sight."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import mujoco
import numpy as np

from mmil.contracts import Body, Thing
from mmil.scenes.fixtures import KINDS, Fixture
from mmil.scenes.skills import Skill


class Furniture:
    """Every fixture that one of the skills needs, as often as a table can hold it."""

    def __init__(self, skills: Iterable[Skill]) -> None:
        self._fixtures = {one.name: one for one in _needed(skills)}
        self._items: list[Mapping[str, Any]] = []  # of this episode

    @property
    def all(self) -> tuple[Fixture, ...]:
        return tuple(self._fixtures.values())

    def bind(self, model: mujoco.MjModel, data: mujoco.MjData, *, height: float) -> None:
        """Find every part in the compiled model; `height` is that of the table [m]."""
        self._data = data
        for fixture in self.all:
            fixture.bind(model, data, height=height)

    def stand(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Fixtures where the draws want them, and the others away."""
        self._items = list(items)
        there = {item["fixture"]: item for item in self._items}
        for name, fixture in self._fixtures.items():
            if name in there:
                fixture.place(there[name])
            else:
                fixture.remove()
        circles = [circle for item in self._items for circle in item["keep_out"]]
        self.taken = np.array(circles).reshape(-1, 4)  # x, y, radius, height [m]

    def bodies(self, fingers: list[set[int]]) -> tuple[Body, ...]:
        """As the experts see them; `fingers` are the geoms each of them touches."""
        return tuple(
            self._fixtures[item["fixture"]].body(Thing(**item["thing"]), item, fingers) for item in self._items
        )

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those of their bodies in the model, in the same order."""
        return tuple(self._fixtures[item["fixture"]].number for item in self._items)

    def wear(self, *, table: int, tips: Collection[int]) -> None:
        """What fingers on the table do to fixtures that remember it."""
        if not self._items:
            return
        pairs, present = self._data.contact.geom, [self._fixtures[item["fixture"]] for item in self._items]
        surfaces = [table, *(geom for fixture in present for geom in fixture.surface)]
        rubbing = np.isin(pairs, surfaces).any(axis=1) & np.isin(pairs, list(tips)).any(axis=1)
        for fixture in present:
            fixture.advance(self._data.contact.pos[rubbing])

    @property
    def memory(self) -> np.ndarray:
        """float64: what all of them remember beside the simulator's own state."""
        return np.concatenate([np.zeros(0), *(fixture.memory for fixture in self.all)])

    def remember(self, memory: np.ndarray) -> None:
        """Be as they were with this memory."""
        at = 0
        for fixture in self.all:
            fixture.memory[:] = memory[at : at + len(fixture.memory)]
            at += len(fixture.memory)
            fixture.advance(np.zeros((0, 3)))


def _needed(skills: Iterable[Skill]) -> Iterator[Fixture]:
    kinds = {kind for skill in skills for kind in skill.fixtures}
    for kind, (make, most) in KINDS.items():
        if kind in kinds:
            yield from (make(f"{kind}{i}") for i in range(most))
