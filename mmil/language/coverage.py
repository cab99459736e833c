"""The proof that training shows every part of what it holds out, and nothing of the whole: counts of goals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmil.contracts import Goal
from mmil.language.compositions import Composition, Compositions, showing


@dataclass(frozen=True)
class Line:
    """A held-out composition: how often a goal shows it, and how often one of training's shows a smaller part of it."""

    held_out: Composition
    shown: float
    parts: Mapping[Composition, float]


@dataclass(frozen=True)
class Coverage:
    """A line a held-out composition, counted over the goals of a data set's episodes or of a scene's layouts."""

    lines: tuple[Line, ...]
    goals: float
    training: float  # of them, those that are not held out

    @classmethod
    def count(cls, held: Compositions, goals: Iterable[Goal] | Mapping[Goal, float]) -> Coverage:
        """Goals may repeat, as they do in episodes, or come with how often they are drawn."""
        every = goals if isinstance(goals, Mapping) else Counter(goals)
        training = {goal: times for goal, times in every.items() if not held.excludes(goal)}
        wanted = {one for whole in held.held_out for one in (whole, *whole.smaller())}
        shown, trained = _times(every, wanted), _times(training, wanted)
        lines = [
            Line(one, shown.get(one, 0), {part: trained.get(part, 0) for part in one.smaller()})
            for one in held.held_out
        ]
        return cls(tuple(lines), sum(every.values()), sum(training.values()))

    @property
    def unseen(self) -> list[str]:
        """A line a part that training never shows."""
        return [
            f"{part} is never seen in training, though {line.held_out} is held out"
            for line in self.lines
            for part, times in line.parts.items()
            if not times
        ]

    @property
    def reasons(self) -> list[str]:
        """Why a data set with these episodes does not hold out what it says; empty where it does."""
        shown = [line for line in self.lines if line.shown]
        return [f"{line.held_out} is held out, but {line.shown} episodes show it" for line in shown] + self.unseen

    def table(self) -> str:
        """Plain text: how often each is shown, and its parts in training."""
        cells = [("held out", "shown", "in training")]
        for line in self.lines:
            said = ", ".join(f"{part.values} {times:.0f}" for part, times in line.parts.items())
            cells.append((str(line.held_out), f"{line.shown:.0f}", said or "–"))
        wide, narrow = (max(len(row[at]) for row in cells) for at in (0, 1))
        return "\n".join(f"{whole:<{wide}}  {times:>{narrow}}  {said}" for whole, times, said in cells)

    def to_json(self) -> dict[str, Any]:
        rows = [
            {
                "held_out": dict(line.held_out.items),
                "shown": round(line.shown, 1),
                "parts": [{"part": dict(part.items), "training": round(n, 1)} for part, n in line.parts.items()],
            }
            for line in self.lines
        ]
        return {"goals": round(self.goals, 1), "training": round(self.training, 1), "compositions": rows}


def _times(goals: Mapping[Goal, float], wanted: set[Composition]) -> dict[Composition, float]:
    """How often the goals show each composition of `wanted`."""
    found: dict[Composition, float] = {}
    orders = {len(one.items) for one in wanted}
    for goal, times in goals.items():
        for one in (one for order in orders for one in showing(goal, order)):
            if one in wanted:
                found[one] = found.get(one, 0) + times
    return found
