"""Scene `toy`: a finger over a plane with coloured things, drawn as a small picture; no physics, 10 ms an episode."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmil import __version__
from mmil.contracts import (
    BODY_POSES,
    Body,
    Goal,
    Infeasible,
    Observation,
    Outcome,
    Scene,
    Spec,
    State,
    Step,
    UserError,
    require_feasible,
    require_known,
    require_number,
)
from mmil.language.compositions import Compositions
from mmil.scenes.cameras import Band
from mmil.scenes.spec import CAMERA, NO_GOAL, require_unbegun
from mmil.scenes.things import COLOURS, every_thing
from mmil.shown import Shown

VERB = "touch"
ACTION = ("dx", "dy", "touch")
STRIDE = 0.03  # [m], of a whole action
HALF = 0.30  # [m], of the plane's side
ROOM = 0.24  # [m] from the middle, at most, to where things lie
RADIUS = 0.03  # [m], of a thing
APART = 0.10  # [m], between the middles of two things, at least
SHAPES = ("cube", "ball")  # drawn as a square and a disc
TIP = 0.010  # [m], radius of the drawn finger
HEIGHT, FOVY = 0.90, 0.74  # [m], [rad], of the camera: it sees the plane and a rim of 5 cm
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])  # xyzw
WIDTHS = {"x": 0.03, "y": 0.03, "height": 0.05, "turn": 0.15}  # of the training band: [m], [m], [m], [rad]
BEYOND = 1.6  # of these widths, for cameras held out: each parameter lies outside what training saw
CONVENTIONS = {
    "image": "RGB uint8, row 0 on top",
    "action": "1 = 0.03 m along x and y of the plane; touch above 0 presses down",
    "quaternion": "xyzw",
    "camera": "position [m], quaternion xyzw (looks along -z, y up), field of view [rad]; world frame",
}


class Toy(Scene):
    """`things` of `shapes` × `colours` lie on a plane; the one that is told is to be touched, any other one is wrong.

    randomisation: `cameras`, the band the camera is drawn from, and `held_out`, compositions that training leaves out.
    """

    def __init__(
        self,
        *,
        things: int = 3,
        shapes: Sequence[str] = SHAPES,
        colours: Sequence[str] = ("red", "green", "blue", "yellow"),
        image_size: int = 48,
        horizon: int = 30,
        randomisation: Mapping[str, Any] | None = None,
    ) -> None:
        require_known("shape", shapes, SHAPES, some=True)
        require_known("colour", colours, COLOURS, some=True)
        require_number(least=1, horizon=horizon)
        require_number(least=32, image_size=image_size)
        told = dict(randomisation or {})
        require_known("randomisation", told, ("cameras", "held_out"))
        self._band: Band = told.get("cameras", "train")
        require_known("band of cameras", [self._band], ("none", "train", "held_out"))
        self._held = Compositions.parse(told.get("held_out", []))
        self._pool = every_thing(shapes, colours)
        if not 2 <= things <= min(6, len(self._pool)):
            raise UserError(f"things is {things}; 2 to {min(6, len(self._pool))} of {len(self._pool)} kinds find room")
        self._count, self._size, self._horizon = things, image_size, horizon
        self.spec = Spec(
            scene="toy",
            cameras={"top": (image_size, image_size, 3)},
            signals={"eef_pos_world": (3,), "camera_top": CAMERA},
            action=ACTION,
            control_hz=20.0,
            controller={"name": "direct"},
            conventions=CONVENTIONS,
            privileged={BODY_POSES: (things, 7)},
            versions={"numpy": np.__version__, "mmil": __version__},
        )
        self._draws: dict[str, Any] = {}
        self._goal, self._instruction, self._elapsed = NO_GOAL, "", 0

    # -- the protocol ---------------------------------------------------------------------------------------------

    @property
    def goals(self) -> tuple[Goal, ...]:
        return tuple(Goal(VERB, thing) for thing in self._things)

    @property
    def draws(self) -> Mapping[str, Any]:
        return self._draws

    @property
    def verbs(self) -> tuple[str, ...]:
        return (VERB,)

    def reached(self, goal: Goal, now: State) -> bool:
        return now.body(goal.object).touched

    def reset(self, seed: int) -> Step:
        layout, camera, table = (np.random.default_rng([seed, number]) for number in range(3))
        chosen = layout.choice(len(self._pool), self._count, replace=False)
        self._things = tuple(self._pool[i] for i in chosen)
        self._places = _scattered(layout, self._count)
        self._finger, self._pressed = layout.uniform(-ROOM, ROOM, 2), False
        training = self._held.of_split(self.goals, "train")
        if not training:
            raise Infeasible(f"seed {seed} leaves nothing but what is held out")
        self._goal = training[int(layout.integers(len(training)))]
        self._draws = {
            "things": [vars(thing) for thing in self._things],
            "places": self._places.tolist(),
            "finger": self._finger.tolist(),
            "camera": _camera(camera, self._band),
            "table": table.uniform(0.35, 0.85, 3).tolist(),
            "hues": table.uniform(-0.012, 0.012, self._count).tolist(),
            "goal": self._goal.to_json(),
        }
        self._instruction, self._elapsed = "", 0
        return self._result(None)

    def tell(self, goal: Goal, instruction: str) -> Step:
        require_feasible(goal, self.goals)
        require_unbegun(self._elapsed)
        self._goal, self._instruction = goal, instruction
        return self._result(None)

    def step(self, action: np.ndarray) -> Step:
        action = np.asarray(action, np.float64)
        if action.shape != (len(ACTION),) or not np.isfinite(action).all():
            raise UserError(f"action {action} of shape {action.shape}; the toy takes {len(ACTION)} finite numbers")
        dx, dy, press = np.clip(action, -1.0, 1.0)
        self._finger = np.clip(self._finger + STRIDE * np.array([dx, dy]), -HALF, HALF)
        self._pressed = bool(press > 0)
        self._elapsed += 1
        return self._result(self._outcome())

    def simulator_state(self) -> np.ndarray:
        return np.concatenate([self._finger, [self._pressed], self._places.ravel()])

    def close(self) -> None:
        """Nothing to give back."""

    # -- observing and judging ------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome | None:
        touched = [thing for thing, on in zip(self._things, self._touched(), strict=True) if on]
        if touched:
            return "success" if touched == [self._goal.object] else "wrong_object"
        return "timeout" if self._elapsed >= self._horizon else None

    def _touched(self) -> np.ndarray:
        """bool (N,)."""
        return self._pressed & (np.linalg.norm(self._places - self._finger, axis=1) < RADIUS)

    def _result(self, outcome: Outcome | None) -> Step:
        hand = np.array([*self._finger, 0.0])
        signals = {"eef_pos_world": hand.astype(np.float32), "camera_top": _pose(self._draws["camera"])}
        finger, pressed = self._finger.copy(), self._pressed
        images = Shown(tuple(self.spec.cameras), lambda camera: self._picture(finger, pressed=pressed))
        size = np.full(3, RADIUS)
        bodies = tuple(
            Body(thing, np.array([*place, 0.0]), UPRIGHT, size, held=False, touched=bool(on))
            for thing, place, on in zip(self._things, self._places, self._touched(), strict=True)
        )
        state = State(
            goal=self._goal,
            bodies=bodies,
            eef_position=hand,
            eef_rotation=np.eye(3),
            gripper_width=0.0,
            gripper_command=1.0 if pressed else -1.0,
            table_height=0.0,
        )
        observation = Observation(images, signals, self._instruction)
        return Step(observation, state, float(outcome == "success"), outcome)

    def _picture(self, finger: np.ndarray, *, pressed: bool) -> np.ndarray:
        """uint8 (h, w, 3): edges one pixel soft, so that a place between two pixels shows."""
        x, y, pixel = self._ground()
        picture = np.ones((self._size, self._size, 3)) * self._draws["table"]
        picture[np.maximum(np.abs(x), np.abs(y)) > HALF + RADIUS] *= 0.4  # beyond the plane
        for thing, (left, up), shift in zip(self._things, self._places, self._draws["hues"], strict=True):
            away = (np.abs(x - left), np.abs(y - up))
            edge = np.maximum(*away) if thing.shape == "cube" else np.hypot(*away)
            _paint(picture, (RADIUS - edge) / pixel, _rgb(thing.colour, shift))
        ring = np.abs(np.hypot(x - finger[0], y - finger[1]) - TIP)
        _paint(picture, (TIP / 2 - ring) / pixel + 0.5 * pressed, (0.05, 0.05, 0.05))
        return (255 * picture).round().astype(np.uint8)

    def _ground(self) -> tuple[np.ndarray, np.ndarray, float]:
        """x and y (h, w) [m] of where each pixel's ray meets the plane, and a pixel's side there [m]."""
        drawn = self._draws["camera"]
        reach = drawn["height"] * np.tan(FOVY / 2)
        pixel = 2 * reach / self._size
        cells = (np.arange(self._size) + 0.5) * pixel - reach
        right, up = np.meshgrid(cells, -cells)
        cosine, sine = np.cos(drawn["turn"]), np.sin(drawn["turn"])
        return drawn["x"] + cosine * right - sine * up, drawn["y"] + sine * right + cosine * up, pixel


def _scattered(rng: np.random.Generator, count: int) -> np.ndarray:
    """float64 (N, 2) [m], no two closer than APART."""
    places: list[np.ndarray] = []
    while len(places) < count:
        place = rng.uniform(-ROOM, ROOM, 2)
        if all(np.linalg.norm(place - other) >= APART for other in places):
            places.append(place)
    return np.array(places)


def _camera(rng: np.random.Generator, band: Band) -> dict[str, float]:
    """Where it hangs [m] and how it is turned about the vertical [rad]."""
    units = rng.uniform(-1, 1, len(WIDTHS))
    if band == "held_out":
        units = np.sign(units) * (1 + (BEYOND - 1) * np.abs(units))
    drawn = dict(zip(WIDTHS, (units if band != "none" else 0 * units) * list(WIDTHS.values()), strict=True))
    return {name: float(value + (HEIGHT if name == "height" else 0.0)) for name, value in drawn.items()}


def _pose(drawn: Mapping[str, float]) -> np.ndarray:
    """float32 (8,), as the signal camera_<name> says it."""
    half = drawn["turn"] / 2
    return np.array([drawn["x"], drawn["y"], drawn["height"], 0, 0, np.sin(half), np.cos(half), FOVY], np.float32)


def _rgb(colour: str, shift: float) -> tuple[float, float, float]:
    hue, saturation, value = COLOURS[colour]
    return colorsys.hsv_to_rgb((hue + shift) % 1.0, saturation, value)


def _paint(picture: np.ndarray, inside: np.ndarray, colour: Sequence[float]) -> None:
    """inside: (h, w), how many pixels within the edge a pixel's middle lies."""
    cover = np.clip(inside + 0.5, 0.0, 1.0)[..., None]
    picture += cover * (np.array(colour) - picture)
