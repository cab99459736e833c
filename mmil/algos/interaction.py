"""The one contract of algorithms that act: rounds of data, training and trials, each a command that can be repeated.

Every part is a `mmil generate`, `train` or `evaluate` in a folder of its own, which goes on where it was stopped and
does nothing where it has ended: so does the whole, and whoever wants to repeat a part by hand finds the command.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmil.child import Run
from mmil.config import expert_of
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.data.sentences import number
from mmil.evaluation.runs import Suite, read_run


@dataclass(frozen=True)
class Course:
    """What an interaction is given: a data set of demonstrations, a folder, and how policies are trained in it.

    training: all options of `mmil train` but those of places, as JSON values. itself: the config of the interaction.
    run: does a command line of mmil.
    """

    data: Path
    out: Path
    training: Mapping[str, Any]
    itself: Mapping[str, Any]
    run: Run
    tell: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        """Refuse what would go wrong only after the first rounds."""
        _ = self.expert
        for name in ("qualities", "episodes"):
            if self.training.get(name) is not None:
                told = self.training[name]
                raise UserError(f"{name} is {told}, by which what the policy visits would be left out; give no {name}")
        if self.training.get("target", "labels") != "labels":
            raise UserError(f"target is {self.training['target']}: where a policy drove, labels are what is learnt")

    @cached_property
    def made_with(self) -> dict[str, Any]:
        """The config that the demonstrations were generated with."""
        config = Dataset.open(self.data).manifest["config"]
        if not {"scene", "actor", "seed"} <= config.keys():
            raise UserError(f"{self.data} does not say in which scene and by which expert it was made: generate it")
        return dict(config)

    @cached_property
    def expert(self) -> dict[str, Any]:
        """The config of who labels: whoever labelled the demonstrations."""
        return expert_of(self.made_with, where=str(self.data))

    @property
    def demonstrations(self) -> list[Path]:
        """All that the first policy learns from."""
        return [self.data, *map(Path, self.training.get("more") or ())]

    def seed(self, name: str) -> int:
        """Of episodes that are called so: other layouts than those of the demonstrations, of other names and seeds."""
        own = self.training.get("seed") or 0
        return number(self.made_with["seed"], f"{name}, seed {own}" if own else name) >> 33

    def generate(self, out: Path, **changed: Any) -> Path:
        """Episodes in the scene of the demonstrations, made as they were but for what is changed."""
        self.run(("generate", "--config", _json({**self.made_with, **changed}), f"--out={out}"))
        return out

    def train(self, out: Path, *, data: Path | None = None, **changed: Any) -> Path:
        """A policy from the demonstrations, or other `data`, and whatever is added to them."""
        told = _json({**self.training, **changed})
        self.run(("train", "--config", told, f"--data={data or self.data}", f"--out={out}"))
        return out

    def evaluate(self, run: Path, *, suite: str, trials: int, seed: int) -> Suite:
        """Its trials of one suite."""
        self.run(("evaluate", str(run), f"--suite={suite}", f"--trials={trials}", f"--seed={seed}"))
        found = read_run(run).suite(suite)
        if found is None:
            raise UserError(f"no trials of {suite} were found in {run}; name one suite")
        return found


class Interaction(ABC):
    """What trains a policy by acting; parts of it are configs of `mmil train` under `interaction`."""

    @abstractmethod
    def learn(self, course: Course) -> Sequence[str]:
        """Leave a finished run in the course's folder, and return what there is to say of how it went."""


def _json(options: Mapping[str, Any]) -> str:
    return json.dumps(options, default=str)
