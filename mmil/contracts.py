"""The records that travel between the rooms, and the two interfaces that rollout() joins.

Dimension key, once for the project:
B batch · K past observations · H future actions · T actions in an episode ·
R wrench readings in a control step · A action · S simulator state · (h, w) pixels.

numpy only: every room may import this module, and it imports none of them.
"""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import torch

Split = Literal["train", "held_out"]
Outcome = Literal["success", "wrong_object", "wrong_manner", "dropped", "missed", "timeout"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# world x and y of the sides of the table as the front camera sees them: it looks along −x, so that its left is −y
SIDES: Mapping[str, tuple[float, float]] = {
    "left": (0.0, -1.0),
    "right": (0.0, 1.0),
    "front": (1.0, 0.0),
    "back": (-1.0, 0.0),
}
BESIDE = {"left_of": SIDES["left"], "right_of": SIDES["right"], "in_front_of": SIDES["front"], "behind": SIDES["back"]}
BODY_POSES = "body_poses"  # the privileged state every scene has: where its things are
DO = "do"  # the verb of demonstrations that came from elsewhere with nothing but a sentence


class UserError(Exception):
    """Something the user gave is not usable; the message is one line that says what was got and what exists."""


class Infeasible(UserError):
    """This seed's draws make no scene; another seed's may."""


class NotFinite(ValueError):
    """What was recorded is no episode: it holds a NaN or an infinity."""


@dataclass(frozen=True, order=True)
class Thing:
    """An object as a person would tell it from the others: its shape and, where that says more, its colour."""

    shape: str
    colour: str = ""

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}".lstrip()


@dataclass(frozen=True, order=True)
class Goal:
    """What an instruction asks for, as data; what the verb does not need is None.

    `relation`: a side of the table (SIDES), or how `object` shall lie to `target`: in, on, left_of, behind …
    Demonstrations that came from elsewhere with nothing but a sentence have the verb DO and that as their object.
    """

    verb: str
    object: Thing
    target: Thing | None = None
    manner: str | None = None
    relation: str | None = None

    def __str__(self) -> str:
        parts = (self.manner, self.verb, str(self.object), self.relation, str(self.target or ""))
        return " ".join(part for part in parts if part)

    def done(self, manner: str | None) -> Goal:
        """The same goal, to be reached in this manner."""
        return dataclasses.replace(self, manner=manner)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Goal:
        target = data.get("target")
        return cls(
            verb=data["verb"],
            object=Thing(**data["object"]),
            target=Thing(**target) if target else None,
            manner=data.get("manner"),
            relation=data.get("relation"),
        )


@dataclass(frozen=True)
class Spec:
    """What every observation and action of a data set looks like; written to it and into every checkpoint."""

    scene: str
    cameras: Mapping[str, tuple[int, int, int]]  # name → (h, w, 3), uint8 RGB, row 0 on top
    signals: Mapping[str, tuple[int, ...]]  # name → shape, float32, physical units
    action: tuple[str, ...]  # a name an axis, each in [−1, 1]
    control_hz: float
    controller: Mapping[str, Any]  # name and sha256 of the pinned json
    conventions: Mapping[str, str]
    privileged: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # as signals; lessons may read it, not policies
    versions: Mapping[str, str] = field(default_factory=dict)  # of packages, and `model`: differences are told only

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        known = {item.name for item in dataclasses.fields(cls)}
        missing, unknown = sorted(known - {"privileged", "versions"} - set(data)), sorted(set(data) - known)
        if missing or unknown:
            raise UserError(f"not a Spec: missing {missing}, unknown {unknown}")
        return cls(
            scene=data["scene"],
            cameras={name: tuple(shape) for name, shape in data["cameras"].items()},
            signals={name: tuple(shape) for name, shape in data["signals"].items()},
            action=tuple(data["action"]),
            control_hz=data["control_hz"],
            controller=dict(data["controller"]),
            conventions=dict(data["conventions"]),
            privileged={name: tuple(shape) for name, shape in (data.get("privileged") or {}).items()},
            versions=dict(data.get("versions") or {}),
        )

    @property
    def provenance(self) -> dict[str, str]:
        """What simulates: versions of packages, the sha256 of the compiled `model` and of the `controller`."""
        return {**self.versions, "controller": str(self.controller.get("sha256", ""))}

    def differences(self, other: Spec) -> list[str]:
        """One line a field in which the two disagree; versions do not count."""
        mine, theirs = _flatten(self.to_json()), _flatten(other.to_json())
        keys = sorted(key for key in mine.keys() | theirs.keys() if not key.startswith("versions."))
        absent = "(absent)"
        return [
            f"{key}: {mine.get(key, absent)} != {theirs.get(key, absent)}"
            for key in keys
            if mine.get(key, absent) != theirs.get(key, absent)
        ]

    def require(self, other: Spec, *, mine: str, theirs: str) -> None:
        """Raise UserError with the lines that differ unless the two agree."""
        lines = self.differences(other)
        if lines:
            raise UserError(f"{mine} and {theirs} disagree: " + "; ".join(lines))


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(_flatten(item, f"{prefix}.{key}" if prefix else key))
    return flat


@dataclass(frozen=True)
class Observation:
    """An instant as a robot could know it. `images` may render on first access (see Scene.observe)."""

    images: Mapping[str, np.ndarray]  # camera → uint8 (h, w, 3)
    signals: Mapping[str, np.ndarray]  # name → float32 (…)
    instruction: str


@dataclass(frozen=True)
class Body:
    """An object of the scene as the simulator knows it."""

    thing: Thing
    position: np.ndarray  # float64 (3,) [m], world
    quaternion: np.ndarray  # float64 (4,) xyzw, world from body
    half_size: np.ndarray  # float64 (3,) [m]
    held: bool  # both fingers touch it
    touched: bool = False  # a finger does
    symmetry: float = 0.0  # [rad], the turn about z after which it looks the same; 0: any
    fixed: bool = False  # part of the furniture
    room: float = 0.10  # [m], between its middle and that of a thing put beside it
    value: float = 0.0  # of a fixture: how far a drawer is open [m], a button is in (0–1), a spot is wiped (0–1)
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))  # (M, 3) [m], world: where work is left to do

    @property
    def rotation(self) -> np.ndarray:
        """float64 (3, 3), world from body."""
        x, y, z, w = self.quaternion
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    @property
    def half_height(self) -> float:
        """[m], of its bounding box as it stands or lies."""
        return float(np.abs(self.rotation[2]) @ self.half_size)

    @property
    def yaw(self) -> float:
        """[rad], about the world's z axis."""
        x, y, z, w = self.quaternion
        return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


@dataclass(frozen=True)
class State:
    """Privileged state: what experts and outcomes may read and policies may not."""

    goal: Goal
    bodies: tuple[Body, ...]
    eef_position: np.ndarray  # float64 (3,) [m], world, between the finger tips
    eef_rotation: np.ndarray  # float64 (3, 3), world from gripper
    gripper_width: float  # [m], between the finger pads
    gripper_command: float  # last commanded: −1 open, +1 closed
    table_height: float  # [m]
    force: np.ndarray = field(default_factory=lambda: np.zeros(3))  # float64 (3,) [N], world: on the hand, tared
    contact: float = 0.0  # [N], highest of the last control step: on the hand and what it holds, a squeeze apart
    taken: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))  # (n, 4) x, y, radius, height [m] of fixtures

    @property
    def privileged(self) -> dict[str, np.ndarray]:
        """What episodes keep of it, by the names of Spec.privileged: float32, metres and quaternions xyzw, world."""
        poses = [np.concatenate([body.position, body.quaternion]) for body in self.bodies]
        return {BODY_POSES: np.array(poses, np.float32)}  # (N, 7)

    def body(self, thing: Thing) -> Body:
        for body in self.bodies:
            if body.thing == thing:
                return body
        raise UserError(f"no {thing} in the scene; there are {', '.join(str(b.thing) for b in self.bodies)}")


@dataclass(frozen=True)
class Step:
    """The result of one action. `outcome` is None while the episode goes on."""

    observation: Observation
    state: State
    reward: float
    outcome: Outcome | None


@dataclass(frozen=True)
class Episode:
    """A whole attempt: T+1 observations around T actions, checked at birth."""

    scene: str
    seed: int
    goal: Goal
    instruction: str
    split: Split
    outcome: Outcome
    things: tuple[Thing, ...]  # (N,), whose poses body_poses holds
    draws: Mapping[str, Any]  # every randomisation draw, JSON values
    measures: Mapping[str, float]  # of the attempt, see Scene.measures
    images: Mapping[str, np.ndarray]  # camera → uint8 (T+1, h, w, 3)
    signals: Mapping[str, np.ndarray]  # name → float32 (T+1, …)
    privileged: Mapping[str, np.ndarray]  # name → float32 (T+1, …)
    states: np.ndarray  # float64 (T+1, S): qpos, qvel, act of the simulator
    actions: np.ndarray  # float32 (T, A), executed
    labels: np.ndarray  # float32 (T, A), the expert's answer in the same state
    rewards: np.ndarray  # float32 (T,)
    provenance: Mapping[str, str] = field(default_factory=dict)  # see Spec.provenance; empty where nobody wrote it down

    def __post_init__(self) -> None:
        steps = len(self.actions)
        if self.actions.ndim != 2 or self.labels.shape != self.actions.shape:
            raise ValueError(f"actions {self.actions.shape} and labels {self.labels.shape} must both be (T, A)")
        if len(self.rewards) != steps:
            raise ValueError(f"{steps} actions but {len(self.rewards)} rewards")
        for name, array in {**self.images, **self.signals, **self.privileged, "states": self.states}.items():
            if len(array) != steps + 1:
                raise ValueError(f"{name} has {len(array)} entries, expected {steps + 1} for {steps} actions")
        floats = {**self.signals, **self.privileged, "states": self.states}
        floats |= {"actions": self.actions, "labels": self.labels}
        for name, array in floats.items():
            if not np.isfinite(array).all():
                raise NotFinite(f"{name} holds a NaN or an infinity")

    @property
    def success(self) -> bool:
        return self.outcome == "success"

    @property
    def key(self) -> str:
        """The name of its sample in a shard."""
        return f"{self.scene}-{self.seed:020d}"


@dataclass
class Batch:
    """What a policy trains on, in physical units; normalisation happens inside the policy.

    Where features are cached, `images[camera]` is a list of float16 feature maps (B, K, C, h', w'), one a stage.
    """

    images: dict[str, Any]  # camera → uint8 (B, K, 3, h, w)
    signals: dict[str, torch.Tensor]  # name → float32 (B, K, …)
    instruction: list[str]  # B sentences
    actions: torch.Tensor  # float32 (B, H, A)
    valid: torch.Tensor  # bool (B, H), false past the end, and where another thing is asked for than was taken
    privileged: dict[str, torch.Tensor] = field(default_factory=dict)  # name → float32 (B, K, …), for lessons alone
    asked: torch.Tensor | None = None  # int64 (B,), which of the N things the instruction asks for


@dataclass(frozen=True)
class Trial:
    """One evaluated episode of a suite; a line of trials.jsonl."""

    suite: str
    goal: Goal  # what the sentence asked for (for `null`: what the seed had drawn)
    instruction: str
    seed: int
    outcome: Outcome
    steps: int
    taken: str | None  # the object lifted or held at the end, "red cube"
    seconds: float = 0.0  # wall time

    @property
    def success(self) -> bool:
        return self.outcome == "success"

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "success": self.success}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        fields = {key: value for key, value in data.items() if key != "success"}
        return cls(**{**fields, "goal": Goal.from_json(data["goal"])})


class Scene(ABC):
    """A simulated task with its instructions and success."""

    spec: Spec

    @property
    @abstractmethod
    def goals(self) -> Sequence[Goal]:
        """Every goal that is feasible since the last reset; at least two."""

    @property
    @abstractmethod
    def draws(self) -> Mapping[str, Any]:
        """Every randomisation draw of the last reset, as JSON values."""

    @property
    def measures(self) -> Mapping[str, float]:
        """What can be measured of the attempt so far: `path_speed` [m/s] of the hand, `peak_force` [N] on it …"""
        return {}

    @abstractmethod
    def reset(self, seed: int) -> Step:
        """Draw a new layout and goal from `seed` alone; what was done before leaves no trace."""

    @abstractmethod
    def tell(self, goal: Goal, instruction: str) -> Step:
        """Ask for `goal` in these words; valid before the first step of an episode."""

    @abstractmethod
    def step(self, action: np.ndarray) -> Step:
        """Run one control step with `action` float (A,) in [−1, 1]."""

    @abstractmethod
    def simulator_state(self) -> np.ndarray:
        """float64 (S,), enough to render the instant again."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the scene holds of the machine."""


class Actor(ABC):
    """Anything that drives a scene: an expert, a policy's runner, a person, a mixture of them."""

    @property
    def quality(self) -> str:
        """Of this episode's demonstration, as far as it is meant: "expert", "sloppy" or "failing"."""
        return "expert"

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Forget the last episode; any randomness of the new one comes from `seed`."""

    @abstractmethod
    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        """float32 (A,) in [−1, 1]. Only experts read `state`."""
