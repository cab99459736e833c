"""Rounds of attempts: made by a crew that stays, kept as files, remembered, and dealt to a learner."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from tensordict import TensorDict
from torch.utils.data import DataLoader, IterableDataset

from mmil import parallel
from mmil.contracts import UserError, require_number
from mmil.data.sentences import number
from mmil.data.shards import write_atomic
from mmil.progress import progress_bar
from mmil.reinforcing.attempt import Attempt, keep, kept
from mmil.reinforcing.explorer import corrected
from mmil.reinforcing.ground import Followed, Ground, Task, attempt
from mmil.reinforcing.learner import Learner
from mmil.reinforcing.memory import Memory
from mmil.seeds import episode_seed

ATTEMPTS, CURVE = "attempts", "curve.json"
ACTOR, JUDGED = "actor.safetensors", "judged.safetensors"  # weights of the day, and their average


@dataclass(frozen=True)
class Budget:
    """How much is tried. steps: of the scene, those of demonstrations that are followed among them; rounds are whole.

    episodes: a round. trials: on the way, every so many steps; nothing is learnt from them. patience: [s], for an
    attempt; where it has no end a single worker works in this process.
    """

    steps: int
    episodes: int = 20
    trials: int = 0
    every: int = 10_000
    patience: float | None = parallel.PATIENCE

    def __post_init__(self) -> None:
        require_number(least=1, steps=self.steps, episodes=self.episodes, every=self.every)
        require_number(least=0, trials=self.trials)


@dataclass(frozen=True)
class Round:
    """What a round came to. trials: of what was learnt before it, if they were run."""

    steps: int  # made by its end, in all
    episodes: int
    successes: int  # of those of this round that were not led
    free: int  # how many these were
    trials: dict[str, int] | None = None
    told_apart: float | None = None  # the share of decisions that a learnt reward knew the expert's by


class Experience(LightningDataModule):
    """The rounds of one training in `folder`; those that are kept there are not made again."""

    def __init__(
        self,
        learner: Learner,
        *,
        folder: Path,
        ground: Ground,
        budget: Budget,
        memory: Memory,
        followed: Sequence[Followed] = (),
        workers: int | None = None,
    ) -> None:
        super().__init__()
        self.learner, self.folder, self.ground, self.budget, self.memory = learner, folder, ground, budget, memory
        self.followed, self.rounds = list(followed), list[Round]()
        self.learnt, self._new = 0, list[Attempt]()  # rounds that were learnt from; the attempts of the last one
        self._crew = parallel.standing(
            attempt, make=ground, workers=workers, env=parallel.simulation_env(), patience=budget.patience
        )

    # -- what Lightning asks for ----------------------------------------------------------------------------------

    def train_dataloader(self) -> DataLoader[TensorDict]:
        return DataLoader(_Rounds(self), batch_size=None, collate_fn=_as_it_is)

    def state_dict(self) -> dict[str, Any]:
        return {"rounds": [asdict(one) for one in self.rounds]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rounds = [Round(**one) for one in state_dict["rounds"]]
        self.learnt = len(self.rounds)  # what is saved is saved at the end of a round
        for turn in range(len(self.rounds)):
            self._remember(kept(self._file(turn)))

    # -- a round --------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Made so far."""
        return self.rounds[-1].steps if self.rounds else 0

    @property
    def over(self) -> bool:
        """Whether the budget is spent, and all that it bought is learnt from."""
        return self.steps >= self.budget.steps and self.learnt == len(self.rounds)

    def lessons(self) -> Iterator[TensorDict]:
        """Make the attempts of the next round, and what is learnt from them.

        Lightning begins to read a round twice; what is made is made once.
        """
        if len(self.rounds) == self.learnt:
            if self.over:
                return
            self._make()
        self._begin_chance("lessons")
        yield from self.learner.lessons(self.memory, self._new)

    def _make(self) -> None:
        trials = self._trials() if self._due() else None
        self._new = new = self._attempts(len(self.rounds))
        steps = self.steps + sum(one.steps for one in new)
        free = [one for one in new if not one.led]
        self.learner.gone = min(1.0, steps / self.budget.steps)
        self._remember(new)
        told_apart = self._judged()
        self.rounds.append(Round(steps, len(new), sum(one.success for one in free), len(free), trials, told_apart))
        self._tell()

    def _remember(self, attempts: Sequence[Attempt]) -> None:
        self.memory.add(attempts)
        if self.learner.adversary:
            self.learner.adversary.add(attempts)

    def _judged(self) -> float | None:
        """Let the reward, where one is learnt, learn from all that was tried by now."""
        if self.learner.adversary is None:
            return None
        self._begin_chance("reward")
        return self.learner.adversary.learn()

    def _begin_chance(self, what: str) -> None:
        """Anew with every round, so that a resumed run meets what an undisturbed one met."""
        torch.manual_seed(number(self.ground.seed, what, self.learnt) >> 1)

    def _tell(self) -> None:
        write_atomic(self.folder / CURVE, json.dumps([asdict(one) for one in self.rounds], indent=1).encode() + b"\n")

    def close(self) -> None:
        """Let the crew go."""
        self._crew.close()

    def last_trials(self) -> None:
        """Of what was learnt in all, where any are asked for."""
        if self.budget.trials and self.rounds:
            told = self._trials()
            self.rounds.append(Round(self.steps, 0, 0, 0, told))
            self._tell()

    def _due(self) -> bool:
        """Whether trials are, before the next round."""
        steps = [one.steps for one in self.rounds]
        crossed = [0, *steps][-1] // self.budget.every > [0, 0, *steps][-2] // self.budget.every
        return bool(self.budget.trials) and (not steps or crossed)

    def _trials(self) -> dict[str, int]:
        """By the weights that are kept."""
        self.learner.swap_average()
        actor = self._write_actor(JUDGED)
        self.learner.swap_average()
        tasks = [Task(each, *actor, trial=True) for each in range(self.budget.trials)]
        done = self._made(tasks, "trials on the way")
        return {"n": len(done), "successes": sum(one.success for one in done)}

    def _attempts(self, turn: int) -> list[Attempt]:
        """The round's: those that are kept, or new ones, which then are."""
        path = self._file(turn)
        if path.is_file():
            return kept(path)
        numbers = range(turn * self.budget.episodes, (turn + 1) * self.budget.episodes)
        actor = self._write_actor(ACTOR)
        tasks = [Task(each, *actor, followed=self._led(each)) for each in numbers]
        new = self._made(tasks, f"round {turn + 1}")
        path.parent.mkdir(exist_ok=True)
        if not all(one.finite for one in new):
            spoilt = keep(path.with_name(f"not_finite-{turn:05d}.safetensors"), new)
            raise UserError(
                f"round {turn + 1}: an attempt holds a NaN or an infinity; stopped, the round is in {spoilt}"
            )
        keep(path, new)
        return new

    def _made(self, tasks: Sequence[Task], doing: str) -> list[Attempt]:
        done: dict[int, Attempt] = {}
        with progress_bar(doing, total=len(tasks), unit="episodes") as advance:
            for task, one in self._crew.work(iter(tasks)):
                done[task.number] = one
                advance(f"{sum(each.success for each in done.values())} of {len(done)} reached")
        return [done[task.number] for task in tasks]

    def _led(self, each: int) -> Followed | None:
        """The demonstration that an attempt begins with, if it does."""
        rng = np.random.default_rng(episode_seed(self.ground.seed, each))
        if not self.followed or rng.random() >= self.learner.guidance.led:
            return None
        one = self.followed[int(rng.integers(len(self.followed)))]
        share = rng.uniform(self.learner.guidance.earliest(self.learner.gone), 1)
        count = min(int(share * len(one.actions)), len(one.actions) - 1)
        return Followed(one.seed, one.goal, one.instruction, one.actions[:count])

    def _write_actor(self, name: str) -> tuple[Path, int]:
        """Where workers find its weights, and the number of those."""
        from safetensors.torch import save

        self.folder.mkdir(parents=True, exist_ok=True)
        actor = corrected(self.learner.policy).actor
        tensors = {name: value.contiguous() for name, value in actor.state_dict().items()}
        write_atomic(self.folder / name, save(tensors))
        return self.folder / name, len(self.rounds)

    def _file(self, number: int) -> Path:
        return self.folder / ATTEMPTS / f"{number:05d}.safetensors"


def rounds_of(folder: Path) -> list[Round]:
    """That were made in it."""
    try:
        return [Round(**one) for one in json.loads((folder / CURVE).read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder / CURVE} cannot be read: {str(error)[:200]}") from None


class _Rounds(IterableDataset[TensorDict]):
    """A round, made as it is read."""

    def __init__(self, experience: Experience) -> None:
        self.experience = experience

    def __iter__(self) -> Iterator[TensorDict]:
        return self.experience.lessons()


def _as_it_is(batch: TensorDict) -> TensorDict:
    return batch
