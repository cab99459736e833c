"""A real scene in milliseconds, for tests: a finger on a plane that must touch the thing it is told."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import ROBOT, Actor, Body, Goal, Observation, Scene, Spec, State, Step, Thing
from mmil.shown import Shown

RGB = {"red": (210, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 210)}
THINGS = tuple(Thing(shape="cube", colour=colour) for colour in RGB)
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
SIZE, REACH, STRIDE, HORIZON = 40, 0.15, 0.1, 24


class Plane(Scene):
    """Three things on [−1, 1]²; in some episodes a wind is too strong to get anywhere."""

    spec = Spec(
        scene="plane",
        cameras={"top": (SIZE, SIZE, 3), "side": (SIZE, SIZE, 3)},
        signals={"eef_pos_world": (3,), "wrench": (4, 6)},
        action=("dx", "dy", "touch"),
        control_hz=20.0,
        controller={"name": "direct", "sha256": "0" * 64},
        conventions={"image": "RGB uint8, row 0 on top"},
        privileged={"body_poses": (3, 7)},
        versions={"numpy": np.__version__},
    )

    def __init__(self, *, windy: float = 0.35, pause: float = 0.0, streams: Sequence[str] = ()) -> None:
        maps = {f"{camera}.{stream}": (SIZE, SIZE) for camera in self.spec.cameras for stream in streams}
        if maps:
            self.spec = replace(self.spec, maps=maps)
        self.windy, self.pause = windy, pause  # pause [s] a step: for tests that must catch it at work
        self.renders = 0
        self.closed = False

    @property
    def goals(self) -> tuple[Goal, ...]:
        return tuple(Goal("lift", thing) for thing in THINGS)

    @property
    def draws(self) -> Mapping[str, Any]:
        return self._draws

    def reset(self, seed: int) -> Step:
        rng = np.random.default_rng(seed)
        self._things = rng.uniform(-0.9, 0.9, (3, 2))
        self._wind = np.array([0.0, 1.2 * STRIDE]) * (rng.random() < self.windy)
        self._table = rng.integers(120, 230, 3)
        self._goal, self._instruction = self.goals[rng.integers(3)], ""
        self._draws = {"things": self._things.tolist(), "wind": self._wind.tolist(), "table": self._table.tolist()}
        self._finger, self._elapsed = np.zeros(2), 0
        return self._result(None)

    def tell(self, goal: Goal, instruction: str) -> Step:
        self._goal, self._instruction = goal, instruction
        return self._result(None)

    def step(self, action: np.ndarray) -> Step:
        time.sleep(self.pause)
        moved = self._finger + STRIDE * np.asarray(action[:2], np.float64) + self._wind
        self._finger = np.clip(moved, -1.3, 1.3)  # where both cameras see it
        self._elapsed += 1
        near = np.linalg.norm(self._things - self._finger, axis=1)
        if near.min() > REACH or action[2] < 0:
            return self._result("timeout" if self._elapsed >= HORIZON else None)
        return self._result("success" if THINGS[near.argmin()] == self._goal.object else "wrong_object")

    def simulator_state(self) -> np.ndarray:
        return np.concatenate([self._finger, self._things.ravel()])

    def retake(self, draws: Mapping[str, Any], states: np.ndarray) -> Observation:
        self._table, self._things, self._finger = np.array(draws["table"]), states[2:].reshape(3, 2), states[:2]
        maps = {name: self._measure(name) for name in self.spec.maps}
        return Observation({camera: self._draw(camera) for camera in self.spec.cameras}, {}, "", maps)

    def look(self, seed: int) -> dict[str, Any]:
        return {"table": np.random.default_rng(seed).integers(120, 230, 3).tolist()}

    def close(self) -> None:
        self.closed = True

    def _result(self, outcome: Any) -> Step:
        eef = np.array([*self._finger, 0.0])
        moment = self._elapsed

        def render(camera: str) -> np.ndarray:
            assert moment == self._elapsed, "the scene has moved on"
            return self._measure(camera) if "." in camera else self._draw(camera)

        signals = {"eef_pos_world": eef.astype(np.float32), "wrench": np.zeros((4, 6), np.float32)}
        bodies = tuple(
            Body(thing, np.array([*place, 0.0]), UPRIGHT, np.full(3, REACH), False)
            for thing, place in zip(THINGS, self._things, strict=True)
        )
        state = State(self._goal, bodies, eef, np.eye(3), 0.0, -1.0, 0.0)
        maps = Shown(tuple(self.spec.maps), render)
        observation = Observation(Shown(tuple(self.spec.cameras), render), signals, self._instruction, maps)
        return Step(observation, state, float(outcome == "success"), outcome)

    def _draw(self, camera: str) -> np.ndarray:
        self.renders += 1
        turn = np.eye(2) if camera == "top" else np.array([[0.6, 0.8], [-0.8, 0.6]])
        picture = np.ones((SIZE, SIZE, 3)) * (self._table if camera == "top" else 255 - self._table)
        rows, columns = np.mgrid[0:SIZE, 0:SIZE]
        spots = [*zip(self._things, RGB.values(), strict=True), (self._finger, (0, 0, 0))]
        for place, colour in spots:
            x, y = (turn @ place / 2 + 1) * SIZE / 2
            cover = np.clip(3.0 - np.hypot(columns - x, rows - y), 0, 1)[..., None]
            picture = picture * (1 - cover) + np.array(colour) * cover
        return picture.astype(np.uint8)

    def _measure(self, name: str) -> np.ndarray:
        """The plane is 1 m away, things and the finger 5 cm nearer."""
        turn = np.eye(2) if name.startswith("top") else np.array([[0.6, 0.8], [-0.8, 0.6]])
        shown = np.zeros((SIZE, SIZE), np.uint8)
        rows, columns = np.mgrid[0:SIZE, 0:SIZE]
        for label, place in zip((1, 2, 3, ROBOT), (*self._things, self._finger), strict=True):
            x, y = (turn @ place / 2 + 1) * SIZE / 2
            shown[np.hypot(columns - x, rows - y) < 3] = label
        return shown if name.endswith("segmentation") else np.where(shown > 0, 950, 1000).astype(np.uint16)


class Reach(Actor):
    """Goes straight to the thing it is told and touches it there."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        offset = (state.body(state.goal.object).position - state.eef_position)[:2] / STRIDE
        touch = 1.0 if np.linalg.norm(offset) * STRIDE < REACH else -1.0
        return np.append(offset / max(1.0, np.abs(offset).max()), touch).astype(np.float32)


class Wander(Actor):
    """Somewhere, without reading anything."""

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        return self._rng.uniform(-1, 1, 3).astype(np.float32)


@functools.cache
def grammar() -> Any:
    """Read once a process: a quarter of a second."""
    from data_tools.generate import load_grammar

    return load_grammar()


def build(
    out: Path | str, *, episodes: int = 7, per_shard: int = 3, workers: int = 1, seed: int = 5, **options: Any
) -> Any:
    """A small data set of this plane."""
    from data_tools.generate import generate

    fixed = {"scene": Plane, "actor": Reach, "horizon": HORIZON, "episodes_per_shard": per_shard, "seed": seed}
    fixed |= {"grammar": grammar, "patience": None}  # with patience without end one worker works in this process
    return generate(**{**fixed, **options}, out=out, episodes=episodes, workers=workers)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name there."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def copy(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to
