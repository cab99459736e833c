"""Scene `tabletop`: several coloured things on a table, and a sentence that says which one is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import mujoco
import numpy as np

from mmil.contracts import (
    SLOW_TIME,
    Body,
    Goal,
    Infeasible,
    Observation,
    Outcome,
    State,
    Step,
    Stream,
    Thing,
    UserError,
    require_feasible,
    require_known,
    require_number,
)
from mmil.scenes.dressing import CAMERAS, Dressing, Parts
from mmil.scenes.fingerprint import model_sha256
from mmil.scenes.furniture import Furniture
from mmil.scenes.judge import Judge
from mmil.scenes.layout import TALL
from mmil.scenes.manner import fulfilled
from mmil.scenes.panda import Panda
from mmil.scenes.randomize import Randomisation
from mmil.scenes.render import Renderer, Rendering
from mmil.scenes.sensors import CLEAR, EVERY, Sensors
from mmil.scenes.sight import Sight, label_bodies
from mmil.scenes.skills import Lift, Skill
from mmil.scenes.skills.skill import require_parts
from mmil.scenes.spec import NO_GOAL, SETTLE_STEPS, checked_action, require_unbegun, spec_of
from mmil.scenes.stored import Stored
from mmil.scenes.things import BASIC, COLOURS, SHAPES, every_thing
from mmil.scenes.visuals import simplify_visuals
from mmil.scenes.world import TABLE_TOP, TabletopWorld

PUT_ROOM = 0.10  # [m], between the middles of things beside each other
LOOK = ("cameras", "light", "table", "room")  # draws that physics knows nothing of


class Tabletop(Stored):
    """A Panda and a table with `things` of `shapes` × `colours` and `fixtures` of those that the skills need.

    Every goal is one of the skills', done to what is there. manners: chance that it has to be reached in a manner.
    streams: what every camera gives beside its pictures. camera_every: control steps from one picture of a camera to
    the next; between them the last one is shown, as by a camera that is slower than the control.
    """

    def __init__(
        self,
        *,
        skills: Sequence[Skill] | None = None,
        things: int = 3,
        fixtures: int = 0,
        shapes: Sequence[str] = BASIC,
        colours: Sequence[str] = tuple(COLOURS),
        manners: float = 0.0,
        cameras: Sequence[str] = ("front", "wrist"),
        image_size: tuple[int, int] = (128, 128),
        camera_every: int = 1,
        streams: Sequence[Stream] = (),
        horizon: int = 80,
        rendering: Rendering = "fast",
        stock_control: bool = False,
        randomisation: Randomisation | None = None,
    ) -> None:
        require_known("shape", shapes, SHAPES, some=True)
        require_known("colour", colours, COLOURS, some=True)
        require_known("camera", cameras, CAMERAS, some=True)
        require_number(least=1, camera_every=camera_every)
        self._skills = {skill.verb: skill for skill in skills or (Lift(),)}
        self._pool = every_thing(shapes, colours)
        self._randomisation = randomisation or Randomisation()
        self._things, self._fixtures, self._manners, self._horizon = things, fixtures, manners, horizon
        self._camera_every = camera_every
        self._furniture = Furniture(self._skills.values() if fixtures else ())
        require_parts(self._skills.values(), shapes, fixtures=fixtures)
        self._world = self._built(shapes, plain=rendering == "fast", stock_control=stock_control)
        self._model, self._data = self._world.sim.model._model, self._world.sim.data._data
        model = model_sha256(self._model)  # as it was compiled: what follows writes into it
        self._furniture.bind(self._model, self._data, height=float(TABLE_TOP[2]))
        height, width = image_size
        size = {"height": height, "width": width}
        self._renderer = Renderer(self._model, self._data, **size, rendering=rendering, floor=False)  # hardly seen
        self.spec = spec_of(
            "tabletop",
            cameras=cameras,
            image_size=(height, width),
            bodies=things + fixtures,
            model=model,
            streams=streams,
        )
        self._robot = Panda(self._world, {name: CAMERAS[name] for name in cameras})
        self._parts = Parts(self._world)
        self._dressing = Dressing(self._model, self._data, self._parts)
        self._home = np.array(self._world.robots[0].init_qpos, np.float64)
        self._draws: dict[str, Any] = {}
        self._goal, self._tare, self._command, self._moment = NO_GOAL, np.zeros(6), -1.0, 0

    def _built(self, shapes: Sequence[str], *, plain: bool, stock_control: bool) -> TabletopWorld:
        """The world, with room for whatever may be drawn."""
        return TabletopWorld(
            slots=self._things,
            shapes=shapes,
            fixtures=self._furniture.all,
            textures=self._randomisation.bands.textures > 0,
            processors=(simplify_visuals,) if plain else (),
            stock_control=stock_control,
        )

    # -- the protocol ---------------------------------------------------------------------------------------------

    @property
    def goals(self) -> tuple[Goal, ...]:
        return self._goals

    @property
    def draws(self) -> Mapping[str, Any]:
        return self._draws

    @property
    def measures(self) -> Mapping[str, float]:
        return self._judge.course.measures

    @property
    def verbs(self) -> tuple[str, ...]:
        return tuple(self._skills)

    def offers(self, goal: Goal) -> bool:
        return goal.done(None) in self.goals and goal.manner in (None, *self._skills[goal.verb].manners)

    def reached(self, goal: Goal, now: State) -> bool:
        return self._skills[goal.verb].reached(goal.done(None), start=self._start, now=now)

    def fulfils(self, goal: Goal) -> bool:
        return fulfilled(goal, self.measures)

    def reset(self, seed: int) -> Step:
        """Draw a new layout and goal from `seed` alone."""
        skills = tuple(self._skills.values())
        draws = self._randomisation.draw(
            seed,
            things=self._things,
            pool=self._pool,
            skills=skills,
            fixtures=self._fixtures,
            available=self._furniture.all,
        )
        self._draws = json.loads(json.dumps(draws))  # what is used is exactly what is stored
        if self._camera_every > 1:
            self._draws["sensors"][EVERY] = self._camera_every
        self._apply()
        self._sensors = self._sense(self._draws)
        self._goal, self._instruction, self._elapsed = NO_GOAL, "", 0
        self._start = self._state()
        self._goals = tuple(goal for skill in skills for goal in skill.goals(self._start))
        if len(self._goals) < 2:
            raise Infeasible(f"seed {seed} leaves {len(self._goals)} goals; two are needed")
        self._goal = self._randomisation.choose(seed, self._goals, skills=skills, manners=self._manners)
        self._draws["goal"] = self._goal.to_json()
        return self._begin()

    def tell(self, goal: Goal, instruction: str) -> Step:
        require_feasible(goal, self.goals, manners=True)
        if not self.offers(goal):
            known = ", ".join(self._skills[goal.verb].manners)
            raise UserError(f"{goal.verb} cannot be done {goal.manner!r}; it can be done {known}, or in no manner")
        require_unbegun(self._elapsed)
        self._goal, self._instruction = goal, instruction
        self._sensors = self._sense(self._draws)
        return self._begin()

    def step(self, action: np.ndarray) -> Step:
        action = checked_action(action)
        self._world.advance(action)
        self._furniture.wear(table=self._parts.top, tips=self._parts.tips)
        self._command = float(np.sign(action[-1]))
        self._elapsed += 1
        self._moment += 1
        state = self._state()
        over = self._elapsed >= self._horizon * (SLOW_TIME if self._goal.manner else 1)
        return self._result(state, outcome=self._judge(state, over=over))

    def simulator_state(self) -> np.ndarray:
        """float64 (S,): qpos, qvel, act, and what fixtures remember."""
        return np.concatenate([self._data.qpos, self._data.qvel, self._data.act, self._furniture.memory])

    def retake(self, draws: Mapping[str, Any], states: np.ndarray) -> Observation:
        """A stored instant again: its pictures and maps, and of its signals those that say where the cameras stand."""
        images, sight = self.show(draws, states), self._sight()
        maps = {name: sight(name) for name in self.spec.maps}
        return Observation(images, self._robot.camera_poses(), instruction="", maps=maps)

    def sense(self, draws: Mapping[str, Any], seen: Iterable[Observation]) -> Iterator[Observation]:
        """What the cameras record of all the instants of an episode, in order: noisy, late and lossy as drawn."""
        sensors = self._sense(draws)
        for one in seen:
            images, maps = sensors.sights({**one.images, **one.maps}.__getitem__)
            yield replace(one, images=dict(images), maps=dict(maps))

    def clear(self, draws: Mapping[str, Any]) -> dict[str, Any]:
        """The same draws, but with cameras that record what they see."""
        return {**draws, "sensors": {**draws["sensors"], **CLEAR}}

    def look(self, seed: int) -> dict[str, Any]:
        """New draws of what only the eye notices."""
        draws = self._randomisation.draw(seed, things=2, pool=self._pool)  # two, for whom there is always room
        return {name: draws[name] for name in LOOK if name in draws}

    def _put_back(self, draws: Mapping[str, Any], states: np.ndarray) -> None:
        self._draws = dict(draws)
        self._furniture.stand(draws["fixtures"])
        self._dressing.apply(draws)
        self._data.qpos[:] = states[: self._model.nq]
        mujoco.mj_forward(self._model, self._data)
        self._furniture.remember(states[self._model.nq + self._model.nv + self._model.na :])
        self._moment += 1

    def _apply(self) -> None:
        """Make the model what the draws say, let it settle, and tare the wrench."""
        # before constants of the model are derived, which would tell of the last episode's fixtures
        self._furniture.stand(self._draws["fixtures"])
        self._dressing.apply(self._draws)
        robot = self._world.robots[0]
        robot.init_qpos = self._home + self._draws["robot"]["joint_offset"]
        self._world.stiffness = self._draws["control"]["stiffness"]
        self._world.reset()
        for address, item in zip(self._parts.joints, self._draws["objects"], strict=True):
            x, y = item["position"]
            z = TABLE_TOP[2] + item["half_size"][2]
            half = item["yaw"] / 2
            self._data.qpos[address : address + 7] = [x, y, z, np.cos(half), 0.0, 0.0, np.sin(half)]
        self._furniture.stand(self._draws["fixtures"])
        mujoco.mj_forward(self._model, self._data)
        still = np.array([0.0] * 6 + [-1.0])
        for _ in range(SETTLE_STEPS):
            self._world.advance(still)
        self._command = -1.0
        self._tare = self._world.wrench.mean(axis=0)
        self._moment += 1

    def _begin(self) -> Step:
        self._judge = Judge(self._skills[self._goal.verb], self._goal, self._goals, self._start)
        return self._result(self._state(), outcome=None)

    # -- observing and judging ------------------------------------------------------------------------------------

    def _result(self, state: State, *, outcome: Outcome | None) -> Step:
        images, maps = self._sensors.sights(self._sight())
        signals = self._sensors.signals(self._robot.signals(self._world.wrench - self._tare))
        observation = Observation(images=images, signals=signals, instruction=self._instruction, maps=maps)
        return Step(observation=observation, state=state, reward=float(outcome == "success"), outcome=outcome)

    def _sight(self) -> Sight:
        things = (*self._parts.bodies, *self._furniture.numbers)
        labels = partial(label_bodies, self._model, things, robot=self._robot.base)
        return Sight(self._renderer, self._parts.cameras, labels, deep=self.spec.has_depth, moment=lambda: self._moment)

    def _sense(self, draws: Mapping[str, Any]) -> Sensors:
        return Sensors(draws["sensors"], tuple(self.spec.cameras), maps=tuple(self.spec.maps))

    def _state(self) -> State:
        touched = self._robot.touched()
        things = tuple(self._body(slot, touched) for slot in range(self._things))
        for slot, thing in enumerate(things):
            self._world.hand[list(self._parts.geoms[slot].values())] = thing.held
        return State(
            goal=self._goal,
            bodies=(*things, *self._furniture.bodies(touched)),
            eef_position=self._robot.position,
            eef_rotation=self._robot.rotation,
            gripper_width=self._robot.width,
            gripper_command=self._command,
            table_height=float(TABLE_TOP[2]),
            force=self._robot.force(self._world.wrench - self._tare),
            contact=float(np.median(self._world.contacts)),  # not the 2 ms that a simulated impact is stiff for
            taken=self._furniture.taken,
        )

    def _body(self, slot: int, touched: list[set[int]]) -> Body:
        body, item = self._parts.bodies[slot], self._draws["objects"][slot]
        shape = SHAPES[item["thing"]["shape"]]
        w, x, y, z = self._data.xquat[body]
        geom = self._parts.geoms[slot][item["thing"]["shape"]]
        fingers = sum(geom in one for one in touched)
        return Body(
            thing=Thing(**item["thing"]),
            position=self._data.xpos[body].copy(),
            quaternion=np.array([x, y, z, w]),
            half_size=np.array(item["half_size"]),
            held=fingers == len(touched),
            touched=fingers > 0,
            symmetry=shape.symmetry,
            room=PUT_ROOM + (TALL if shape.tall else 0.0),
        )
