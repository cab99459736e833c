"""Choose what to hold out: combinations of values of which training still sees every part, many times.

What is known of a scene are the goals that each of many layouts offers, and the chance that it draws each of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from mmil.contracts import Goal, UserError
from mmil.language.compositions import PARTS, Composition, Compositions, showing

Order = Literal[1, 2, 3]
Layouts = Sequence[Mapping[Goal, float]]  # goal → chance, 0 where it could be told but is not drawn
OFTEN = 0.02  # of the layouts must offer a combination, or its trials would be looked for too long
DRAWN = 0.002  # of training must be of a combination, or it would hardly be missed
SEEN = 0.003  # of training must still show each smaller combination of what is held out: 3 of 1000 episodes
_WHAT = {1: "value", 2: "pair of values", 3: "triple of values"}


def split(
    layouts: Layouts,
    *,
    order: Order = 2,
    share: float = 0.1,
    seed: int = 0,
    among: Sequence[str] = PARTS,
    keep: float = 0.5,
) -> Compositions:
    """Combinations of `order` values that together take at most `share` of what training would draw.

    keep: of how often training drew any smaller combination (any value, for triples any pair), the share that it still
    draws, and that is SEEN of all its draws or more. among: the parts that are combined. The same arguments give the
    same answer.
    """
    _require(order, share=share, keep=keep, among=among)
    choice = _Choice(layouts, order=order, among=among)
    choice.make(np.random.default_rng(seed), share=share, keep=keep)
    if not choice.taken:
        raise UserError(
            f"no {_WHAT[order]} of {', '.join(among)} can be held out of {len(choice.weights)} goals with share "
            f"{share} and keep {keep}: give a larger share or a smaller keep"
        )
    return Compositions(tuple(sorted(choice.taken, key=lambda one: ([PARTS.index(name) for name in one.names], one))))


class _Choice:
    """Goals by number with what they weigh and show, what could be held out, and what is so far."""

    def __init__(self, layouts: Layouts, *, order: int, among: Sequence[str]) -> None:
        self.weights = draws(layouts)
        orders = range(1, max(order, 2))  # of the smaller combinations; beside a single value, of the other values
        self.smaller = [[one for n in orders for one in showing(goal, n)] for goal in self.weights]
        total = sum(self.weights.values()) or 1.0
        self.weight = [weight / total for weight in self.weights.values()]
        self.whole = self._weigh(range(len(self.weight)))
        self.lost: dict[Composition, float] = dict.fromkeys(self.whole, 0.0)
        self.goals = _goals(self.weights, layouts, order=order, among=among)
        self.out: set[int] = set()
        self.taken: list[Composition] = []

    def make(self, rng: np.random.Generator, *, share: float, keep: float) -> None:
        """Take one of each kind in turn until nothing more fits: several small ones, or else a large one."""
        for most in (share / 3, share):
            if not self.taken:
                self._fill(rng, share, most=most, keep=keep)

    def _fill(self, rng: np.random.Generator, room: float, *, most: float, keep: float) -> None:
        for kind in self._in_turn(rng, keep=keep):
            kind.sort(key=lambda one: max(self.lost[part] / self.whole[part] for part in _values(one)))
            while kind:
                one = kind.pop(0)  # its values have lost least
                new = self.goals[one] - self.out
                taken = self._share(new)
                if new and taken <= min(room, most) and self._spares(one, new, keep=keep):
                    room -= taken
                    break

    def _in_turn(self, rng: np.random.Generator, *, keep: float) -> Iterator[list[Composition]]:
        kinds: dict[tuple[str, ...], list[Composition]] = defaultdict(list)
        for one in sorted(self.goals):
            seen = all(keep * self.whole.get(part, 0.0) >= SEEN for part in one.smaller())
            if seen and self._share(self.goals[one]) >= DRAWN:
                kinds[one.names].append(one)
        first = sorted(kinds, key=lambda names: [PARTS.index(name) for name in names])  # those with a verb
        waiting = [[kinds[names][i] for i in rng.permutation(len(kinds[names]))] for names in first]
        while waiting:
            yield from waiting
            waiting = [kind for kind in waiting if kind]

    def _spares(self, one: Composition, new: frozenset[int], *, keep: float) -> bool:
        """Hold out `one` if every smaller combination is still drawn often enough and nothing is held out twice."""
        if any(self.goals[other] <= self.goals[one] for other in self.taken):
            return False
        loss, given_up = self._weigh(sorted(new)), {one, *self.taken}
        if any(
            self.lost[part] + more > (1 - keep) * self.whole[part]
            for part, more in loss.items()
            if part not in given_up
        ):
            return False
        for part, more in loss.items():
            self.lost[part] += more
        self.out |= new
        self.taken.append(one)
        return True

    def _share(self, goals: Iterable[int]) -> float:
        return sum(self.weight[goal] for goal in sorted(goals))

    def _weigh(self, goals: Iterable[int]) -> dict[Composition, float]:
        weighed: dict[Composition, float] = defaultdict(float)
        for goal in goals:
            for one in self.smaller[goal]:
                weighed[one] += self.weight[goal]
        return weighed


def _values(one: Composition) -> list[Composition]:
    return [Composition((item,)) for item in one.items]


def draws(layouts: Layouts) -> dict[Goal, float]:
    """How many of the layouts would draw each goal, where nothing is held out."""
    weights: dict[Goal, float] = defaultdict(float)
    for goals in layouts:
        for goal, chance in goals.items():
            weights[goal] += chance
    return weights


def _goals(
    known: Iterable[Goal], layouts: Layouts, *, order: int, among: Sequence[str]
) -> dict[Composition, frozenset[int]]:
    """The goals of everything that layouts offer often enough to be found in trials."""
    shows = {goal: tuple(showing(goal, order, among)) for goal in known}
    offered: Counter[Composition] = Counter()
    for goals in layouts:
        offered.update({one for goal in goals for one in shows[goal]})
    found: dict[Composition, set[int]] = defaultdict(set)
    for number, ones in enumerate(shows.values()):
        for one in ones:
            found[one].add(number)
    return {one: frozenset(goals) for one, goals in found.items() if offered[one] >= OFTEN * len(layouts)}


def _require(order: int, *, share: float, keep: float, among: Sequence[str]) -> None:
    if order not in _WHAT:
        raise UserError(f"order {order}; there are 1 (values), 2 (pairs) and 3 (triples)")
    for name, value in {"share": share, "keep": keep}.items():
        if not 0 < value < 1:
            raise UserError(f"{name} is {value}; it must lie between 0 and 1")
    if set(among) - set(PARTS) or len(set(among)) < order:
        raise UserError(f"among {', '.join(among)}: expected {order} or more of {', '.join(PARTS)}")
