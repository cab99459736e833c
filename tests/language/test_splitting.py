"""The choice of what to hold out: every smaller combination stays in training, and the seed alone decides."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmil.contracts import Goal, Thing, UserError
from mmil.language.apart import faults
from mmil.language.compositions import PARTS, parts
from mmil.language.coverage import Coverage
from mmil.language.grammar import Grammar
from mmil.language.splitting import DRAWN, OFTEN, SEEN, split

COLOURS, SHAPES, SIDES = ("red", "green", "blue", "yellow"), ("cube", "ball", "cylinder"), ("left", "right", "front")
POOL = [Thing(shape, colour) for shape in SHAPES for colour in COLOURS]
GRAMMAR = Grammar.load()


Table = dict[Goal, float]


def layouts(seed: int, *, count: int = 40, things: int = 3) -> list[Table]:
    """Tables with things to lift, touch, push and stack, and a drawer; some draw one verb only, as real ones do."""
    rng = np.random.default_rng(seed)
    tables = []
    for _ in range(count):
        there = [POOL[i] for i in rng.choice(len(POOL), things, replace=False)]
        goals = [Goal(verb, thing) for verb in ("lift", "touch") for thing in there]
        goals += [Goal("push", thing, relation=side) for thing in there for side in SIDES if rng.random() < 0.7]
        goals += [Goal("stack", one, target=other) for one in there for other in there if one != other]
        goals.append(Goal("open", Thing("drawer")))
        verbs = sorted({goal.verb for goal in goals})
        drawn = verbs if rng.random() < 0.5 else [verbs[rng.integers(len(verbs))]]
        counts = Counter(goal.verb for goal in goals)
        tables.append({goal: (goal.verb in drawn) / len(drawn) / counts[goal.verb] for goal in goals})
    return tables


def weights(tables: list[Table]) -> Counter[Goal]:
    found: Counter[Goal] = Counter()
    for table in tables:
        found.update(table)
    return found


def smaller(goal: Goal, order: int) -> list[frozenset]:
    """Each value of a goal, and for triples each pair, as sets of items."""
    return [frozenset(items) for n in range(1, max(order, 2)) for items in combinations(parts(goal).items(), n)]


def drawn(weight: dict[Goal, float], order: int) -> Counter[frozenset]:
    found: Counter[frozenset] = Counter()
    for goal, times in weight.items():
        found.update(dict.fromkeys(smaller(goal, order), times))
    return found


def fits_alone(tables, *, order: int, share: float, keep: float) -> bool:
    """Whether any combination could be held out on its own."""
    weight, often = weights(tables), len(tables) * OFTEN
    whole, total = drawn(weight, order), sum(weight.values())
    for items in {frozenset(items) for goal in weight for items in combinations(parts(goal).items(), order)}:
        lost = {goal: times for goal, times in weight.items() if items <= parts(goal).items()}
        offered = sum(any(goal in lost for goal in table) for table in tables)
        stays = all(n < (1 - keep) * whole[part] - 1e-9 for part, n in drawn(lost, order).items() if part != items)
        seen = all(
            keep * whole[part] > SEEN * total + 1e-9 for part in smaller(next(iter(lost)), order) if part < items
        )
        if stays and seen and offered >= often and DRAWN * total + 1e-9 < sum(lost.values()) < share * total - 1e-9:
            return True
    return False


@settings(max_examples=25, deadline=None)
@given(
    world=st.integers(0, 99),
    order=st.sampled_from([1, 2, 3]),
    share=st.floats(0.02, 0.4),
    keep=st.floats(0.3, 0.8),
    seed=st.integers(0, 99),
)
def test_every_part_of_what_is_held_out_stays_in_training(world, order, share, keep, seed):
    tables = layouts(world)
    options = {"order": order, "share": share, "keep": keep}
    try:
        held = split(tables, **options, seed=seed)
    except UserError:
        assert not fits_alone(tables, **options)
        return
    assert held == split(tables, **options, seed=seed)
    assert held and all(len(one.items) == order for one in held.held_out)

    weight = weights(tables)
    training = {goal: w for goal, w in weight.items() if not held.excludes(goal)}
    assert sum(training.values()) >= (1 - share) * sum(weight.values()) - 1e-9
    out, stays = {frozenset(one.items) for one in held.held_out}, drawn(training, order)
    assert all(stays[items] >= keep * n - 1e-9 for items, n in drawn(weight, order).items() if items not in out)

    coverage = Coverage.count(held, weight)
    assert all(line.shown >= DRAWN * coverage.goals - 1e-9 for line in coverage.lines)
    assert all(n >= SEEN * coverage.goals - 1e-9 for line in coverage.lines for n in line.parts.values())
    matched = [frozenset(goal for goal in weight if one.matches(goal)) for one in held.held_out]
    assert not any(one <= other for at, one in enumerate(matched) for other in matched[:at] + matched[at + 1 :])


def test_another_seed_chooses_otherwise_and_among_limits_the_parts():
    tables = layouts(0)
    chosen = {split(tables, share=0.3, seed=seed, among=("verb", "colour")) for seed in range(8)}
    assert len(chosen) > 1
    assert {one.names for held in chosen for one in held.held_out} == {("verb", "colour")}


def test_what_is_chosen_is_apart_from_training():
    tables = layouts(3)
    held = split(tables, order=2, share=0.2)
    assert faults(held, [goal for table in tables for goal in table], GRAMMAR) == []


def test_kinds_take_turns():
    held = split(layouts(1, count=200), order=2, share=0.3)
    assert len({one.names for one in held.held_out}) >= 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": 4}, "order 4; there are 1"),
        ({"share": 0.0}, "share is 0.0; it must lie between 0 and 1"),
        ({"keep": float("nan")}, "keep is nan"),
        ({"among": ("verb", "size")}, f"among verb, size: expected 2 or more of {', '.join(PARTS)}"),
        ({"among": ("verb",)}, "among verb: expected 2 or more"),
        ({"share": 0.001}, "no pair of values of verb, .* can be held out of .* goals with share 0.001 and keep 0.5"),
        ({"among": ("verb", "manner")}, "no pair of values of verb, manner can be held out"),
    ],
)
def test_what_cannot_be_chosen_is_told(options, said):
    with pytest.raises(UserError, match=said):
        split(layouts(0), **options)
