"""Any Scene as a Gymnasium environment.

env.reset(seed=s) is the episode that rollout() and `mmil generate` make of the scene's seed s, told in the same words;
env.reset() draws the next seed, an even one, so that learning never meets the layouts of trials.
"""

from __future__ import annotations

import atexit
import os
import pkgutil
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any, get_args

import gymnasium
import numpy as np

from mmil.contracts import DECIDED, Goal, Infeasible, Scene, Split, Step, UserError, require_feasible, require_known
from mmil.gym.sentence import Sentence
from mmil.gym.spaces import action_space, key, observation_space
from mmil.language.grammar import Grammar
from mmil.limits import LONGEST
from mmil.seeds import sentence_rng

OPTIONS = ("goal", "instruction")
TRIES = 100
PROCESS = os.getpid()
FORKED = (
    "a renderer does not survive a fork: make_vec(...) without a vectorization_mode spawns its processes, "
    "and so does vectorization_mode='async' with vector_kwargs={'context': 'spawn'}"
)


class Environment(gymnasium.Env[dict[str, Any], np.ndarray]):
    """scene: a factory, or its name as "module:Class"; options that are not listed here are its own.

    Observations hold a picture a camera, its maps where there are any, the signals, and the instruction, which is of
    the bank's `split`; a share `references` of them says a thing by what else is there, where that means it alone.
    The reward is the scene's: 1 for success. `reset(options=...)` takes a `goal` (a Goal, or its JSON), an
    `instruction`, or both.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        scene: str | Callable[..., Scene],
        *,
        split: Split = "train",
        bank: str = "english",
        references: float = 0.0,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        if render_mode is not None:
            require_known("render mode", [render_mode], self.metadata["render_modes"])
        if os.getpid() != PROCESS and "mujoco" in sys.modules:
            raise UserError(FORKED)  # it would hang
        require_known("split", [split], get_args(Split))
        self.scene: Scene = (pkgutil.resolve_name(scene) if isinstance(scene, str) else scene)(**options)
        self._free = weakref.finalize(self, self.scene.close)
        atexit.register(self._free)  # where nobody closes: before EGL's own end, after which nothing can be freed
        self.split, self.references, self.render_mode = split, references, render_mode
        self.metadata = {**self.metadata, "render_fps": self.scene.spec.control_hz}
        self.observation_space = observation_space(self.scene.spec)
        self.action_space = action_space(self.scene.spec)
        self._grammar, self._sentences = Grammar.load(bank), Sentence()
        self._step: Step | None = None

    @property
    def now(self) -> Step:
        """The scene's own record of the instant, with the privileged state that experts read."""
        if self._step is None:
            raise UserError("nothing has happened yet: reset() comes first")
        return self._step

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        asked, step = _asked(options), self._lay_out(seed)
        goal = asked.get("goal", step.state.goal)
        require_feasible(goal, self.scene.goals, manners=True)
        instruction = asked.get("instruction")
        if instruction is None:
            scene: dict[str, Any] = {"among": step.state.bodies, "references": self.references}
            instruction = self._grammar.sample(goal, self.split, sentence_rng(self._seed), **scene)
        if instruction not in self._sentences:
            raise UserError(f"an instruction of up to {LONGEST} letters of one line is needed; got {instruction!r:.80}")
        self._step = self.scene.tell(goal, instruction)
        return self._observation(), self._info()

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self._step = step = self.scene.step(action)
        decided = step.outcome in DECIDED
        return self._observation(), step.reward, decided, step.outcome is not None and not decided, self._info()

    def render(self) -> np.ndarray | None:
        """uint8 (h, w, 3): what the first camera sees."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() without a render_mode: make the environment with render_mode='rgb_array'")
            return None
        return np.array(self.now.observation.images[next(iter(self.scene.spec.cameras))])

    def close(self) -> None:
        self._free()

    def _lay_out(self, seed: int | None) -> Step:
        """A seed whose draws make no scene is followed by those that come next."""
        for _ in range(TRIES):
            self._seed = 2 * int(self.np_random.integers(2**62)) if seed is None else int(seed)
            try:
                return self.scene.reset(self._seed)
            except Infeasible as error:
                seed, reason = None, error
        raise UserError(f"no scene from {TRIES} seeds in a row, the last because: {reason}")

    def _observation(self) -> dict[str, Any]:
        seen = self.now.observation
        images = {camera: np.array(seen.images[camera], np.uint8) for camera in self.scene.spec.cameras}
        signals = {name: np.array(seen.signals[name], np.float32) for name in self.scene.spec.signals}
        maps = {key(name): np.array(seen.maps[name]) for name in self.scene.spec.maps}
        return {**images, **maps, **signals, "instruction": seen.instruction}

    def _info(self) -> dict[str, Any]:
        return {
            "goal": self.now.state.goal,
            "outcome": self.now.outcome,
            "seed": self._seed,
            "measures": dict(self.scene.measures),
        }


def _asked(options: Mapping[str, Any] | None) -> dict[str, Any]:
    asked = dict(options or {})
    require_known("option", asked, OPTIONS, where="of reset")
    if isinstance(asked.get("goal"), Mapping):
        asked["goal"] = Goal.from_json(asked["goal"])
    return {name: value for name, value in asked.items() if value is not None}
