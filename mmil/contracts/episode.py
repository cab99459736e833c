"""Whole attempts: one to learn from, and one that was judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmil.contracts.errors import NotFinite
from mmil.contracts.goal import Goal, Outcome, Split, Thing
from mmil.contracts.spans import Spans, fit


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
    quality: str = "expert"  # of the demonstration, see Actor.quality
    provenance: Mapping[str, str] = field(default_factory=dict)  # see Spec.provenance; empty where nobody wrote it down
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)  # <camera>.<stream> → (T+1, h, w), see maps.py
    references: tuple[str, ...] = ()  # other sentences that ask for its goal in its scene, and in others may not
    labelled: Spans | None = None  # the steps whose label is the expert's, elsewhere it is what was executed; None: all

    def __post_init__(self) -> None:
        steps = len(self.actions)
        if self.actions.ndim != 2 or self.labels.shape != self.actions.shape:
            raise ValueError(f"actions {self.actions.shape} and labels {self.labels.shape} must both be (T, A)")
        if len(self.rewards) != steps:
            raise ValueError(f"{steps} actions but {len(self.rewards)} rewards")
        if self.labelled is not None and not fit(self.labelled, steps):
            raise ValueError(f"labelled {self.labelled} are no spans of {steps} steps")
        lasting = {**self.images, **self.maps, **self.signals, **self.privileged, "states": self.states}
        for name, array in lasting.items():
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
    measures: Mapping[str, float] = field(default_factory=dict)  # of the attempt, see Scene.measures
    fulfilled: bool | None = None  # whether it was done in the goal's manner; None where that was not measured
    drawn: Goal | None = None  # of the layout, where another goal was told
    drawn_reached: bool | None = None  # whether that one was reached instead, or on the way; None: nobody could say

    @property
    def success(self) -> bool:
        return self.outcome == "success"

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "success": self.success}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        fields = {key: value for key, value in data.items() if key != "success"}
        drawn = data.get("drawn")
        return cls(
            **{**fields, "goal": Goal.from_json(data["goal"]), "drawn": Goal.from_json(drawn) if drawn else None}
        )
