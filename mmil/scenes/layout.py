"""What is on the table, and where: things and fixtures that keep their distance."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mmil.contracts import Infeasible, Thing, UserError
from mmil.scenes.fixtures import Fixture
from mmil.scenes.things import COLOURS, HUE_JITTER, SHAPES, Shape

WORKSPACE = ((-0.11, 0.13), (-0.19, 0.19))  # [m], x and y of things on the table
WIDE = ((-0.15, 0.11), (-0.22, 0.22))  # [m], the same beside fixtures
CLEARANCE = 0.09  # [m], between the centres of two things: a finger fits in
TALL = 0.035  # [m], more between two things that a palm would touch, half of it for one
CUBE = 0.025  # [m], half width of what CLEARANCE is made for
BESIDE = 0.048  # [m], between a thing's centre and what a fixture needs
LAYOUT_TRIES, SPOT_TRIES = 5000, 60
Spot = np.ndarray  # float64 (2,) [m]
Circle = Sequence[float]  # x, y, radius, height [m]
One = TypeVar("One")


@dataclass(frozen=True)
class Needs:
    """What must be there for a verb: a fixture of these kinds, a thing of these shapes, another one of those."""

    verb: str = ""
    fixtures: Sequence[str] = ()
    shapes: Sequence[str] = ()
    others: Sequence[str] = ()


def draw_objects(
    rng: np.random.Generator,
    *,
    count: int,
    pool: Sequence[Thing],
    needs: Needs = Needs(),
    fixtures: Sequence[Circle] = (),
    size: float = 1.0,
) -> list[dict[str, Any]] | None:
    """`count` different things with size [m], place [m], yaw [rad] and colour; None where there is no room.

    needs: shapes that must be there. fixtures: the circles they keep free. size: share of the bands of sizes.
    """
    if not 2 <= count <= len(pool):
        raise UserError(f"{count} things on the table, expected 2 to {len(pool)}: two goals must be feasible")
    chosen = _choose(rng, count, pool, needs=needs)
    reach = [_reach(SHAPES[thing.shape]) for thing in chosen]
    spots = _places(rng, reach, fixtures=fixtures)
    return None if spots is None else [_object(rng, *pair, size=size) for pair in zip(chosen, spots, strict=True)]


def _reach(shape: Shape) -> float:
    """[m] more room than a cube needs."""
    widest = max(shape.radius[1], shape.half_depth[1] if shape.half_depth else 0.0)
    return (TALL / 2 if shape.tall else 0.0) + max(0.0, widest - CUBE)


def _choose(rng: np.random.Generator, count: int, pool: Sequence[Thing], *, needs: Needs) -> list[Thing]:
    chosen = [pool[i] for i in rng.choice(len(pool), count, replace=False)]
    place = next((place for place, thing in enumerate(chosen) if thing.shape in needs.shapes), 0)
    if needs.shapes and chosen[place].shape not in needs.shapes:
        chosen[place] = _pick(rng, [thing for thing in pool if thing.shape in needs.shapes])
    rest = chosen[:place] + chosen[place + 1 :]
    suitable = [thing for thing in pool if thing.shape in needs.others and thing != chosen[place]]
    if suitable and not any(thing.shape in needs.others for thing in rest):
        chosen[(place + 1) % count] = _pick(rng, suitable)
    return chosen


def _places(rng: np.random.Generator, reach: Sequence[float], *, fixtures: Sequence[Circle]) -> list[Spot] | None:
    low, high = np.transpose(WIDE if fixtures else WORKSPACE)
    for _ in range(SPOT_TRIES if fixtures else LAYOUT_TRIES):
        spots = [rng.uniform(low, high) for _ in reach]
        apart = all(
            np.linalg.norm(a - b) >= CLEARANCE + reach[i] + reach[j]
            for i, a in enumerate(spots)
            for j, b in enumerate(spots[:i])
        )
        free = all(
            np.hypot(spot[0] - x, spot[1] - y) >= radius + BESIDE + extra
            for spot, extra in zip(spots, reach, strict=True)
            for x, y, radius, _ in fixtures
        )
        if apart and free:
            return spots
    return None


def _object(rng: np.random.Generator, thing: Thing, spot: Spot, *, size: float) -> dict[str, Any]:
    hue, saturation, value = COLOURS.get(thing.colour, (0.0, 0.0, 1.0))
    jitter = rng.uniform(-1, 1, 3)
    if not thing.colour:  # its texture as it is
        jitter = np.zeros(3)
    hue = (hue + HUE_JITTER * jitter[0]) % 1.0
    rgb = colorsys.hsv_to_rgb(hue, min(1.0, saturation + 0.08 * jitter[1]), min(1.0, value + 0.08 * jitter[2]))
    return {
        "thing": {"shape": thing.shape, "colour": thing.colour},
        "half_size": SHAPES[thing.shape].draw_size(rng, share=size).tolist(),
        "position": spot.tolist(),
        "yaw": float(rng.uniform(-np.pi, np.pi)),
        "rgb": list(rgb),
    }


def draw_fixtures(
    rng: np.random.Generator,
    *,
    count: int,
    available: Sequence[Fixture],
    colours: Sequence[str],
    needs: Needs = Needs(),
) -> list[dict[str, Any]] | None:
    """`count` of the available fixtures, one of those needed among them; None where there is no room.

    Half of the time the second is of the first's kind in another colour, so that the colour has to be heard.
    """
    if not count:
        return []
    first = _pick(rng, [one for one in available if one.kind in needs.fixtures] or list(available))
    chosen = [first]
    while len(chosen) < count:
        rest = [one for one in available if one not in chosen]
        same = [one for one in rest if one.kind == first.kind]
        chosen.append(_pick(rng, same if same and rng.random() < 0.5 else rest))
    painted = iter(rng.permutation(np.array(colours)).tolist())
    items: list[dict[str, Any]] = []
    for fixture in chosen:
        thing = Thing(fixture.kind, next(painted) if fixture.coloured else "")
        look = fixture.draw(rng, thing, verb=needs.verb)
        spot = _stand(rng, fixture, look["yaw"], [circle for item in items for circle in item["keep_out"]])
        if spot is None:
            return None
        about = {"fixture": fixture.name, "thing": {"shape": thing.shape, "colour": thing.colour}}
        keep_out = fixture.keep_out(spot, look["yaw"])
        items.append({**about, "position": spot.tolist(), "keep_out": keep_out, **look})
    return items


def _stand(rng: np.random.Generator, fixture: Fixture, yaw: float, others: Sequence[Circle]) -> Spot | None:
    for _ in range(SPOT_TRIES):
        spot = rng.uniform(*np.transpose(fixture.zone))
        mine = fixture.keep_out(spot, yaw)
        if all(np.hypot(x - a, y - b) >= radius + other for x, y, radius, _ in mine for a, b, other, _ in others):
            return spot
    return None


def _pick(rng: np.random.Generator, options: Sequence[One]) -> One:
    return options[rng.integers(len(options))]


def draw_layout(
    objects: np.random.Generator,
    furniture: np.random.Generator,
    *,
    things: int,
    pool: Sequence[Thing],
    fixtures: int,
    available: Sequence[Fixture],
    colours: Sequence[str],
    needs: Needs = Needs(),
    size: float = 1.0,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Things and fixtures; a layout that is too tight is drawn anew."""
    if fixtures > len(available):
        raise UserError(f"{fixtures} fixtures on the table; the skills have {len(available)} to stand there")
    for _ in range(LAYOUT_TRIES if fixtures else 1):
        stands = draw_fixtures(furniture, count=fixtures, available=available, colours=colours, needs=needs)
        if stands is None:
            continue
        taken = [circle for item in stands for circle in item["keep_out"]]
        found = draw_objects(objects, count=things, pool=pool, needs=needs, fixtures=taken, size=size)
        if found is not None:
            return found, stands
    room = f"{things} things" + (f" and {fixtures} fixtures" if fixtures else "")
    raise Infeasible(f"no room for {room} on the table, things {CLEARANCE} m apart; ask for fewer")
