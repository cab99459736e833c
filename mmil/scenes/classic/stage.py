"""What robosuite's own tasks have in common as scenes: their adapters say only what each is about."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import mujoco
import numpy as np

from mmil.contracts import (
    Body,
    Goal,
    Observation,
    Outcome,
    State,
    Step,
    Stream,
    Thing,
    require_feasible,
    require_known,
)
from mmil.scenes.classic.views import NAMES, View
from mmil.scenes.driven import Driven
from mmil.scenes.fingerprint import model_sha256
from mmil.scenes.manner import Course
from mmil.scenes.panda import Panda
from mmil.scenes.randomize import Randomisation
from mmil.scenes.render import Renderer, Rendering
from mmil.scenes.sight import Sight, label_bodies
from mmil.scenes.spec import ACTION, NO_GOAL, SETTLE_STEPS, checked_action, require_unbegun, spec_of
from mmil.scenes.stored import Stored
from mmil.scenes.viewpoints import Viewpoints
from mmil.scenes.visuals import simplify_visuals
from mmil.shown import Shown

STREAMS = ("placement", "cameras", "goal")  # of random numbers, in a fixed order
EMPTY = 0.01  # [m], narrower than anything: a closed hand that holds nothing


class Classic(Stored):
    """A task of robosuite with its own placements and its own check of success, told in sentences.

    randomisation: of which the cameras are drawn. streams: what every camera gives beside its pictures.
    """

    name: str
    world: type[Driven]
    view: View
    horizon: int
    axes = len(ACTION)  # that the robot takes: a hand without fingers has one less

    def __init__(
        self,
        *,
        cameras: Sequence[str] = tuple(NAMES),
        image_size: tuple[int, int] = (128, 128),
        streams: Sequence[Stream] = (),
        horizon: int | None = None,
        rendering: Rendering = "fast",
        stock_control: bool = False,
        randomisation: Randomisation | None = None,
    ) -> None:
        require_known("camera", cameras, NAMES, some=True)
        self._horizon, self._randomisation = horizon or self.horizon, randomisation or Randomisation()
        processors = (partial(simplify_visuals, fine=True),) if rendering == "fast" else ()
        self._world = self.world(processors=processors, stock_control=stock_control)
        self._model, self._data = self._world.sim.model._model, self._world.sim.data._data
        model = model_sha256(self._model)  # as it was compiled: what follows writes into it
        height, width = image_size
        self._renderer = Renderer(self._model, self._data, height=height, width=width, rendering=rendering)
        self._robot = Panda(self._world, {name: NAMES[name] for name in cameras})
        self._viewpoints = Viewpoints(self._model, {name: self._model.camera(NAMES[name]).id for name in NAMES})
        self._moment = 0
        self._draws: dict[str, Any] = {}
        self._goal, self._tare, self._command = NO_GOAL, np.zeros(6), -1.0
        self._touched = self._robot.touched()
        self._numbers: dict[Thing, int] = {}  # of the bodies that are seen as things
        size, bodies = (height, width), len(self._bodies())
        self.spec = spec_of(self.name, cameras=cameras, image_size=size, bodies=bodies, model=model, streams=streams)

    # -- what a task says of itself --------------------------------------------------------------------------------

    @abstractmethod
    def _bodies(self) -> tuple[Body, ...]:
        """What there is to see and take, in a fixed order."""

    @abstractmethod
    def _reached(self, goal: Goal) -> bool:
        """robosuite's own check of success, for this goal."""

    @property
    @abstractmethod
    def table_height(self) -> float:
        """[m], of what things stand on."""

    # -- the protocol ----------------------------------------------------------------------------------------------

    @property
    def draws(self) -> Mapping[str, Any]:
        return self._draws

    @property
    def measures(self) -> Mapping[str, float]:
        return self._course.measures

    def reset(self, seed: int) -> Step:
        """Draw a new placement, views and a goal from `seed` alone."""
        children = np.random.SeedSequence(seed).spawn(len(STREAMS))
        rng = {name: np.random.default_rng(child) for name, child in zip(STREAMS, children, strict=True)}
        views = json.loads(json.dumps(self.view.draw(rng["cameras"], self._randomisation)))
        self._viewpoints.apply(views)
        self._world.place(rng["placement"])
        self._goal, self._instruction, self._elapsed = NO_GOAL, "", 0
        self._draws = {"cameras": views, "robot": {"joint_pos": self._robot.joints.tolist()}, **self._drawn()}
        self._settle()
        self._goal = self.goals[rng["goal"].integers(len(self.goals))]
        self._draws["goal"] = self._goal.to_json()
        return self._begin()

    def tell(self, goal: Goal, instruction: str) -> Step:
        require_feasible(goal, self.goals)
        require_unbegun(self._elapsed)
        self._goal, self._instruction = goal, instruction
        return self._begin()

    def step(self, action: np.ndarray) -> Step:
        action = checked_action(action)
        self._world.advance(action[: self.axes])
        self._command = float(np.sign(action[-1]))
        self._elapsed += 1
        self._moment += 1
        state = self._state()
        self._course.add(state)
        return self._result(state, outcome=self._outcome(state))

    def simulator_state(self) -> np.ndarray:
        """float64 (S,): qpos, qvel, act, and what the task remembers."""
        return np.concatenate([self._data.qpos, self._data.qvel, self._data.act, self._memory()])

    def _put_back(self, draws: Mapping[str, Any], states: np.ndarray) -> None:
        self._viewpoints.apply(draws["cameras"])
        self._redraw(draws)
        count = self._model.nq + self._model.nv + self._model.na
        self._remember(states[count:])
        self._data.qpos[:] = states[: self._model.nq]
        mujoco.mj_forward(self._model, self._data)
        self._moment += 1

    # -- what some tasks keep in the model, or remember --------------------------------------------------------------

    def _fixed(self) -> Iterable[str]:
        """Names of the bodies whose places are drawn, and that do not move."""
        return ()

    def _memory(self) -> np.ndarray:
        """float64 (M,), of what happened and positions do not say."""
        return np.zeros(0)

    def _remember(self, memory: np.ndarray) -> None:
        """Show it."""

    def _drawn(self) -> dict[str, Any]:
        """The placement as robosuite drew it."""
        fixed = {
            name: [*self._model.body(name).pos.tolist(), *self._model.body(name).quat.tolist()]
            for name in self._fixed()
        }
        return {"placement": {"qpos": self._data.qpos.tolist(), "fixed": fixed}}

    def _redraw(self, draws: Mapping[str, Any]) -> None:
        for name, pose in draws["placement"]["fixed"].items():
            self._model.body(name).pos[:], self._model.body(name).quat[:] = pose[:3], pose[3:]

    # -- observing and judging --------------------------------------------------------------------------------------

    def _settle(self) -> None:
        still = np.array([0.0] * (len(ACTION) - 1) + [-1.0])[: self.axes]
        for _ in range(SETTLE_STEPS):
            self._world.advance(still)
        self._command = -1.0
        self._tare = self._world.wrench.mean(axis=0)
        self._moment += 1

    def _begin(self) -> Step:
        self._was_held = self._closed_on_nothing = False
        self._already = {goal for goal in self.goals if self._reached(goal)}
        state = self._state()
        self._course = Course(state)
        return self._result(state, outcome=None)

    def _outcome(self, state: State) -> Outcome | None:
        held = state.body(self._goal.object).held
        self._was_held |= held
        self._closed_on_nothing |= state.gripper_command > 0 and state.gripper_width < EMPTY
        if self._reached(self._goal):
            return "success"
        if any(self._reached(goal) for goal in self.goals if goal not in (self._goal, *self._already)):
            return "wrong_object"
        if self._elapsed < self._horizon:
            return None
        if self._was_held and not held:
            return "dropped"
        return "missed" if self._closed_on_nothing else "timeout"

    def _result(self, state: State, *, outcome: Outcome | None) -> Step:
        signals = self._robot.signals(self._world.wrench - self._tare)
        render = self._sight()
        images, maps = Shown(tuple(self.spec.cameras), render), Shown(tuple(self.spec.maps), render)
        observation = Observation(images=images, signals=signals, instruction=self._instruction, maps=maps)
        return Step(observation=observation, state=state, reward=float(outcome == "success"), outcome=outcome)

    def _sight(self) -> Sight:
        return Sight(
            self._renderer, self._robot.cameras, self._labels, deep=self.spec.has_depth, moment=lambda: self._moment
        )

    def _labels(self) -> np.ndarray:
        """uint8 (bodies,); what is a thing by its place alone, as a compartment, has no pixels."""
        things = [self._numbers.get(body.thing) for body in self._bodies()]
        return label_bodies(self._model, things, robot=self._robot.base)

    def _state(self) -> State:
        robot = self._robot
        self._touched = robot.touched()
        return State(
            goal=self._goal,
            bodies=self._bodies(),
            eef_position=robot.position,
            eef_rotation=robot.rotation,
            gripper_width=robot.width,
            gripper_command=self._command,
            table_height=self.table_height,
            force=robot.force(self._world.wrench - self._tare),
            contact=float(np.median(self._world.contacts)),  # not the 2 ms that a simulated impact is stiff for
        )

    def _body(self, thing: Thing, name: str, half_size: Sequence[float] | np.ndarray, **about: Any) -> Body:
        """A body of the model as the contracts have it; held where both fingers touch one of its geoms."""
        self._numbers[thing] = number = self._model.body(name).id
        w, x, y, z = self._data.xquat[number]
        first = self._model.body_geomadr[number]
        geoms = range(first, first + self._model.body_geomnum[number])
        fingers = sum(not others.isdisjoint(geoms) for others in self._touched)
        self._world.hand[list(geoms)] = fingers == 2
        return Body(
            thing=thing,
            position=self._data.xpos[number].copy(),
            quaternion=np.array([x, y, z, w]),
            half_size=np.array(half_size, np.float64),
            held=fingers == 2,
            touched=fingers > 0,
            **about,
        )
