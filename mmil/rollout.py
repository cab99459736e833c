"""scene × actor → Episode: the one verb behind collection, DAgger, RL and evaluation.

for turn in play(scene, actor, seed=7, horizon=80): ...   # T+1 turns around T actions
episode = rollout(scene, expert, seed=7, horizon=80)      # the same, recorded
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmil.contracts import (
    VISITED,
    Actor,
    Body,
    Episode,
    Goal,
    Observation,
    Outcome,
    Scene,
    Split,
    State,
    Step,
    UserError,
    map_dtype,
    spans_of,
)

Instruction = str | Callable[[Goal, Sequence[Body]], str]  # of a goal, and of what is there


@dataclass(frozen=True)
class Turn:
    """An instant and what was done in it; the last turn of an episode has an outcome instead of an action."""

    step: Step
    action: np.ndarray | None = None  # float32 (A,), executed
    label: np.ndarray | None = None  # float32 (A,), the expert's answer; the executed action where nobody labels
    labelled: bool = True  # whether it is the expert's, or nobody's because the actor did not ask
    outcome: Outcome | None = None


def play(
    scene: Scene,
    actor: Actor,
    *,
    seed: int,
    horizon: int,
    expert: Actor | None = None,
    goal: Goal | None = None,
    instruction: Instruction | None = None,
) -> Iterator[Turn]:
    """Yield each instant while the scene still stands in it, so that whoever wants its pictures may render them.

    expert: who labels; the actor's own, unless told. The goal is the one the scene drew unless told; an episode that
    reaches `horizon` actions undecided is a timeout.
    """
    expert = expert or actor.expert
    step = _begin(scene, seed, goal=goal, instruction=instruction)
    for one in {id(one): one for one in (actor, expert) if one is not None}.values():
        one.reset(seed)
    for _ in range(horizon):
        if step.outcome is not None:
            break
        action = _act(actor, step)
        # the expert sees every instant, since it may keep a history; what nobody asked for is nobody's label
        answer = action if expert is None or expert is actor else _act(expert, step)
        yield Turn(step, action, answer if actor.asks else action, labelled=actor.asks)
        step = scene.step(action)
    yield Turn(step, outcome=step.outcome or "timeout")


def rollout(
    scene: Scene,
    actor: Actor,
    *,
    seed: int,
    horizon: int,
    expert: Actor | None = None,
    goal: Goal | None = None,
    instruction: Instruction | None = None,
    split: Split = "train",
    record: bool = True,
    watch: Callable[[Turn], None] | None = None,
) -> Episode:
    """Play one episode and return it; `watch` sees every turn as it happens.

    With `record` false the episode has no images nor maps, and nothing is rendered unless the actor or `watch` looks.
    """
    tape = _Tape(scene, record=record)
    for turn in play(scene, actor, seed=seed, horizon=horizon, expert=expert, goal=goal, instruction=instruction):
        tape.add(turn)
        if watch is not None:
            watch(turn)
    return tape.episode(seed, split, actor=actor)


class Visiting(Actor):
    """`novice` drives, at least now and then, and `expert` labels what is done, unless somebody else is named to."""

    def __init__(self, expert: Actor, novice: Actor) -> None:
        self.expert: Actor = expert
        self.novice, self.spec = novice, novice.spec

    @property
    def quality(self) -> str:
        return VISITED

    @property
    def provenance(self) -> Mapping[str, str]:
        return {**self.expert.provenance, **self.novice.provenance}


class Mixture(Visiting):
    """`expert` drives a share `beta` of the time and `novice` the rest (DAgger, Ross 2011).

    hold: steps for which whoever was drawn drives, on average: 1 draws at every step, as there; more let the novice get
    somewhere of its own, and show from there what the expert does next, and not its first action alone.
    """

    def __init__(self, expert: Actor, novice: Actor, *, beta: float, hold: float = 1.0) -> None:
        if not 0 <= beta <= 1:
            raise UserError(f"beta is {beta}; it is the expert's share of the time, 0 to 1")
        if not hold >= 1:
            raise UserError(f"hold is {hold}; somebody drives for 1 step at least")
        super().__init__(expert, novice)
        self.beta, self.hold = beta, hold

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._left, self._expert_drives = 0, False
        self.expert.reset(seed)
        self.novice.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if self._left == 0:
            drove, self._expert_drives = self._expert_drives, bool(self._rng.random() < self.beta)
            self._left = int(self._rng.geometric(1 / self.hold))
            if drove and not self._expert_drives:
                self.novice.interrupted()
        self._left -= 1
        # both are asked, since both keep a history
        of_expert, of_novice = (one.act(observation, state) for one in (self.expert, self.novice))
        return of_expert if self._expert_drives else of_novice


class _Tape:
    """What an episode is made of, turn by turn."""

    def __init__(self, scene: Scene, *, record: bool) -> None:
        self.scene = scene
        self.images: dict[str, list[np.ndarray]] = {camera: [] for camera in scene.spec.cameras} if record else {}
        self.maps: dict[str, list[np.ndarray]] = {name: [] for name in scene.spec.maps} if record else {}
        self.signals: dict[str, list[np.ndarray]] = {name: [] for name in scene.spec.signals}
        self.privileged: dict[str, list[np.ndarray]] = {name: [] for name in scene.spec.privileged}
        self.states: list[np.ndarray] = []
        self.turns: list[Turn] = []

    def add(self, turn: Turn) -> None:
        for camera, frames in self.images.items():
            frames.append(np.array(turn.step.observation.images[camera], np.uint8))
        for name, frames in self.maps.items():
            frames.append(np.array(turn.step.observation.maps[name], map_dtype(name)))
        for name, values in self.signals.items():
            values.append(np.array(turn.step.observation.signals[name], np.float32))
        for name, values in self.privileged.items():
            values.append(turn.step.state.privileged[name])
        self.states.append(np.array(self.scene.simulator_state(), np.float64))
        self.turns.append(turn)

    def episode(self, seed: int, split: Split, *, actor: Actor) -> Episode:
        *acted, last = self.turns
        assert last.outcome is not None, "the last turn of play has an outcome"
        axes = len(self.scene.spec.action)
        return Episode(
            scene=self.scene.spec.scene,
            seed=seed,
            goal=last.step.state.goal,
            instruction=last.step.observation.instruction,
            split=split,
            outcome=last.outcome,
            things=tuple(body.thing for body in last.step.state.bodies),
            draws=dict(self.scene.draws),
            measures=dict(self.scene.measures),
            images={camera: np.stack(frames) for camera, frames in self.images.items()},
            signals={name: np.stack(values) for name, values in self.signals.items()},
            privileged={name: np.stack(values) for name, values in self.privileged.items()},
            states=np.stack(self.states),
            actions=np.array([turn.action for turn in acted], np.float32).reshape(-1, axes),
            labels=np.array([turn.label for turn in acted], np.float32).reshape(-1, axes),
            rewards=np.array([turn.step.reward for turn in self.turns[1:]], np.float32),
            quality=actor.quality,
            provenance={**self.scene.spec.provenance, **actor.provenance},
            maps={name: np.stack(frames) for name, frames in self.maps.items()},
            labelled=None if all(turn.labelled for turn in acted) else spans_of([turn.labelled for turn in acted]),
        )


def _begin(scene: Scene, seed: int, *, goal: Goal | None, instruction: Instruction | None) -> Step:
    step = scene.reset(seed)
    if instruction is None:
        if goal is not None:
            raise ValueError(f"asked for {goal} without an instruction to say so")
        return step
    goal = step.state.goal if goal is None else goal
    return scene.tell(goal, instruction if isinstance(instruction, str) else instruction(goal, step.state.bodies))


def _act(actor: Actor, step: Step) -> np.ndarray:
    return np.clip(actor.act(step.observation, step.state), -1.0, 1.0).astype(np.float32)  # stored is what was executed
