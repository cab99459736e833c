"""What may differ between two episodes, drawn from the episode's own seed and stored with it as JSON values."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mmil.contracts import Goal, Infeasible, Thing
from mmil.language.compositions import Compositions
from mmil.scenes.cameras import NOMINAL, SIDE, Band, draw_standing, draw_wrist
from mmil.scenes.fixtures import Fixture
from mmil.scenes.layout import Needs, draw_layout
from mmil.scenes.profiles import Bands, load_bands
from mmil.scenes.skills import Skill
from mmil.scenes.things import COLOURS

# of random numbers, in a fixed order: a new one comes last, so that the others go on as they were
STREAMS = (
    *("layout", "front", "wrist", "light", "table", "robot", "goal"),
    *("fixtures", "side", "room", "objects", "control", "sensors", "manner"),
)
MANNERS = ("slowly", "gently", "quickly")


@dataclass(frozen=True, kw_only=True)
class Randomisation:
    """A profile of configs/randomisation/; `only` some axes of it, or single bands with other `values`.

    cameras: the band that camera poses are drawn from, for training or for trials with cameras never seen.
    """

    profile: str = "basic"
    cameras: Band = "train"
    only: Sequence[str] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    held_out: Sequence[Mapping[str, str]] = ()

    def __post_init__(self) -> None:
        assert self.bands  # a misspelt name is told now
        assert self.held is not None

    @cached_property
    def held(self) -> Compositions:
        return Compositions.parse(self.held_out)

    @cached_property
    def bands(self) -> Bands:
        return load_bands(self.profile, only=self.only, values=self.values)

    def draw(
        self,
        seed: int,
        *,
        things: int,
        pool: Sequence[Thing],
        skills: Sequence[Skill] = (),
        fixtures: int = 0,
        available: Sequence[Fixture] = (),
    ) -> dict[str, Any]:
        """Every draw of an episode; parts have streams of their own, so that switching one off moves no other."""
        rng, bands = _streams(seed), self.bands
        verb = _verb(rng["goal"], skills)
        needs = Needs(verb.verb, verb.fixtures, verb.shapes, verb.others) if verb else Needs()
        objects, stands = draw_layout(
            rng["layout"],
            rng["fixtures"],
            things=things,
            pool=pool,
            fixtures=fixtures,
            available=available,
            colours=tuple(COLOURS),
            needs=needs,
            size=bands.size,
        )
        return {
            "objects": objects,
            "fixtures": stands,
            "cameras": self._cameras(rng),
            "light": _light(rng["light"], bands),
            "table": _table(rng["table"], bands),
            "room": _room(rng["room"], bands),
            "physics": _physics(rng["objects"], bands, things=things),
            "control": _control(rng["control"], bands),
            "robot": {"joint_offset": (bands.joints * rng["robot"].standard_normal(7)).tolist()},
            "sensors": _sensors(rng["sensors"], bands),
        }

    def choose(self, seed: int, goals: Sequence[Goal], *, skills: Sequence[Skill] = (), manners: float = 0.0) -> Goal:
        """One of the goals that turned out feasible, of the verb that the layout was drawn for if it has any.

        manners: chance that it is to be reached in a manner.
        """
        rng = _streams(seed)
        known = {skill.verb: skill.manners for skill in skills}
        drawn_manner = MANNERS[rng["manner"].integers(len(MANNERS))] if rng["manner"].random() < manners else None
        in_manner = [goal.done(drawn_manner if drawn_manner in known.get(goal.verb, ()) else None) for goal in goals]
        told = self.held.of_split(in_manner, "train") or self.held.of_split(goals, "train")
        if not told:
            raise Infeasible(f"seed {seed} leaves nothing but what is held out")
        drawn = _verb(rng["goal"], skills)
        verbs = sorted({goal.verb for goal in told})
        verb = drawn.verb if drawn and drawn.verb in verbs else verbs[rng["goal"].integers(len(verbs))]
        of_verb = [goal for goal in told if goal.verb == verb]
        return of_verb[rng["goal"].integers(len(of_verb))]

    def _cameras(self, rng: Mapping[str, np.random.Generator]) -> dict[str, Any]:
        bands, band = self.bands, self.cameras
        return {
            "front": draw_standing(rng["front"], bands, band=band, nominal=NOMINAL),
            "wrist": draw_wrist(rng["wrist"], bands, band=band),
            "side": draw_standing(rng["side"], bands, band=band, nominal=SIDE),
        }


def _streams(seed: int) -> dict[str, np.random.Generator]:
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return {name: np.random.default_rng(child) for name, child in zip(STREAMS, children, strict=True)}


def _verb(rng: np.random.Generator, skills: Sequence[Skill]) -> Skill | None:
    """A verb first, so that one with many goals weighs no more."""
    known = sorted(skills, key=lambda skill: skill.verb)
    return known[rng.integers(len(known))] if known else None


def _light(rng: np.random.Generator, bands: Bands) -> dict[str, Any]:
    draws = rng.uniform(-1, 1, 8) * bands.light
    return {
        "position": [1.0 + 0.6 * draws[0], 1.0 * draws[1], 1.6 + 0.3 * draws[2]],
        "diffuse": (0.5 + 0.15 * draws[3] + 0.04 * draws[4:7]).tolist(),
        "headlight": 0.35 + 0.10 * draws[7],
    }


def _table(rng: np.random.Generator, bands: Bands) -> dict[str, Any]:
    hue, saturation, value = rng.uniform((0, 0, 0.35), (1, 0.3, 0.9))
    texture, chance = rng.random(), rng.random()
    if not bands.table_colour:
        hue, saturation, value = 0.0, 0.0, 0.7
    rgb = list(colorsys.hsv_to_rgb(hue, saturation, value))
    return {"rgb": rgb, "texture": texture if chance < bands.textures else None}  # a share of those there are


def _room(rng: np.random.Generator, bands: Bands) -> dict[str, Any]:
    floor, walls = (rng.uniform((0, 0, 0.4), (1, 0.35, 0.95)) for _ in range(2))
    if not bands.room_colour:
        return {"floor": None, "walls": None}
    return {"floor": list(colorsys.hsv_to_rgb(*floor)), "walls": list(colorsys.hsv_to_rgb(*walls))}


def _physics(rng: np.random.Generator, bands: Bands, *, things: int) -> dict[str, Any]:
    draws = rng.uniform(-1, 1, things + 1)
    return {"mass": np.exp(bands.mass * draws[1:]).tolist(), "friction": float(np.exp(bands.friction * draws[0]))}


def _control(rng: np.random.Generator, bands: Bands) -> dict[str, float]:
    draws = np.exp(np.array([bands.gains, bands.grip]) * rng.uniform(-1, 1, 2))
    return {"stiffness": float(draws[0]), "grip": float(draws[1])}


def _sensors(rng: np.random.Generator, bands: Bands) -> dict[str, Any]:
    draws = rng.random(8)
    return {
        "seed": int(rng.integers(2**31)),
        "image_noise": float(bands.image_noise * draws[0]),
        "image_loss": float(bands.image_loss * draws[1]),
        "image_latency": int(draws[2] * (bands.image_latency + 1)),
        "signal_noise": float(bands.signal_noise * draws[3]),
        "signal_loss": float(bands.signal_loss * draws[4]),
        "signal_latency": int(draws[5] * (bands.signal_latency + 1)),
        "dead_camera": float(draws[7]) if draws[6] < bands.camera_loss else None,  # a share of those there are
    }
