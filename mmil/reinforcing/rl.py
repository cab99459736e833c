"""Reinforcement: a cloned policy's perception stays, and its actions are shifted to where more is reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmil import parallel
from mmil.algos.interaction import Course, Interaction
from mmil.contracts import UserError, flattened, require_number
from mmil.data.shards import write_atomic
from mmil.evaluation.runs import CURVES
from mmil.evaluation.statistics import wilson
from mmil.reinforcing.adversary import Adversary
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.demonstrations import attempts_of, followed_of
from mmil.reinforcing.experience import Budget, Experience, Round, rounds_of
from mmil.reinforcing.explorer import corrected
from mmil.reinforcing.fitting import fit
from mmil.reinforcing.ground import Ground
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.learner import Learner
from mmil.reinforcing.memory import Memory
from mmil.rewards.learned import keep_reward
from mmil.run import RunFolder, load_policy

CLONED, REINFORCED = "cloned", "reinforced"  # in the run's folder
GUIDED = Guidance()
SURE, BLIND, LATE = 0.99, 0.52, 5  # shares told apart, and rounds, after which something is said of it


class RL(Interaction):
    """Clone, then let a learner shift what the clone does (head: mmil.heads.Corrected) by what that leads to.

    learner, budget, guidance: how, how much, and what is made of demonstrations. adversary: learns the reward from
    them; the scene's own is then never seen by who learns, and is for who looks. spread: of what is tried at first
    where the clone does not lead; then its perception alone is kept. run: a finished run to begin with, in place of a
    clone that is trained first.
    """

    def __init__(
        self,
        *,
        learner: Callable[[], Learner],
        budget: Budget,
        guidance: Guidance = GUIDED,
        adversary: Adversary | None = None,
        spread: float = 0.4,
        run: Path | None = None,
        workers: int | None = None,
    ) -> None:
        require_number(above=0, below=1, spread=spread)
        parallel.checked(workers=workers, cluster=None, address=None, patience=budget.patience)
        self.learner, self.budget, self.guidance = learner, budget, guidance
        self.adversary, self.spread, self.run, self.workers = adversary, spread, run, workers

    def learn(self, course: Course) -> Sequence[str]:
        learner = self.learner()
        learner.guided(self.guidance)
        self._require_recipe(course)
        clone, out = self.run or course.train(course.out / CLONED), course.out / REINFORCED
        rounds = rounds_of(out) if RunFolder(out).finished else self._reinforced(learner, course, clone, out)
        write_curves(course.out, {REINFORCED: rounds})
        RunFolder(course.out).become(RunFolder.open(out))
        return told(rounds)

    def _require_recipe(self, course: Course) -> None:
        """Refuse now what would be found out when a clone is trained, or a budget spent."""
        policy = _policy_of(course.training)
        head = str((policy.get("head") or {}).get("class_path"))
        if not head.endswith(".Corrected"):
            raise UserError(
                f"the recipe's head is {head}; what is reinforced is mmil.heads.Corrected, around any other"
            )
        if self.run is None:
            return
        ours, theirs = flattened(policy), flattened(_policy_of(RunFolder.open(self.run).config))
        # what only one of them names is as it is by default
        if differing := [name for name in ours if name in theirs and ours[name] != theirs[name]]:
            told = "; ".join(f"{name}: {theirs[name]} != {ours[name]}" for name in differing)
            raise UserError(f"{self.run} has another policy than this recipe: {told[:600]}")

    def _reinforced(self, learner: Learner, course: Course, clone: Path, out: Path) -> list[Round]:
        """Rounds until the budget is spent; the finished run is in `out`."""
        torch.manual_seed(course.seed(REINFORCED))
        policy = load_policy(clone)
        if not self.guidance.cloned:
            corrected(policy).follow(spread=self.spread)
        learner.begin(policy)
        memory = Memory(shown=self.guidance.shown)
        if self.guidance.shows or self.adversary:
            self._show(course, learner, memory)
        experience = Experience(
            learner,
            folder=out,
            ground=self._ground(course, clone, leads=bool(corrected(policy).leads)),
            budget=self.budget,
            memory=memory,
            followed=[one for data in course.demonstrations for one in followed_of(data)] if self.guidance.led else (),
            workers=self.workers,
        )
        return fit(
            learner,
            experience,
            clone=RunFolder.open(clone),
            out=out,
            config=_inner(course),
            keep=partial(self._keep, course, learner),
        )

    def _show(self, course: Course, learner: Learner, memory: Memory) -> None:
        """Demonstrations to who learns actions, and to who learns a reward."""
        course.tell("demonstrations, as this policy sees them")
        policy, share = learner.policy, float(course.training.get("validation") or 0.0)

        def seen(*, misled: bool) -> list[Attempt]:
            every = (attempts_of(policy, data, validation=share, misled=misled) for data in course.demonstrations)
            return [one for some in every for one in some]

        shown = seen(misled=False)
        memory.show(shown)
        if self.adversary:
            head = corrected(policy)
            decisions = -(-int(course.made_with["horizon"]) // head.steps)
            self.adversary.begin(head.context_width, learner.likelihood, decisions=decisions, discount=learner.discount)
            self.adversary.show(shown, seen(misled=True) if self.adversary.wrong else ())
            learner.adversary = self.adversary

    def _keep(self, course: Course, learner: Learner, folder: RunFolder) -> None:
        """Leave the reward in the run, where one was learnt."""
        if self.adversary:
            node = course.itself["adversary"]["init_args"]["discriminator"]
            every = corrected(learner.policy).steps
            keep_reward(folder, self.adversary.net, node, every=every, discount=self.adversary.discount)

    def _ground(self, course: Course, clone: Path, *, leads: bool) -> Ground:
        made = course.made_with
        return Ground(
            run=clone,
            scene=made["scene"],
            seed=course.seed(REINFORCED),
            horizon=int(made["horizon"]),
            references=float(made.get("references") or 0.0),
            leads=leads,
        )


def told(rounds: Sequence[Round]) -> list[str]:
    """How it went: trials on the way, and how many of the attempts of late were reached."""
    lines = []
    for one in rounds:
        if one.trials:
            success = wilson(one.trials["successes"], one.trials["n"])
            lines.append(f"{one.steps:>8} steps  trials on the way {success}")
    late = [one for one in rounds if one.free][-5:]
    successes, free = sum(one.successes for one in late), sum(one.free for one in late)
    if free:
        lines.append(f"{late[-1].steps:>8} steps  attempts of late {wilson(successes, free)}")
    if said := alarm(rounds):
        lines.append(f"beware: {said}")
    return lines


def alarm(rounds: Sequence[Round]) -> str | None:
    """What is wrong with a learnt reward, if for some rounds it told nothing apart, or everything."""
    late = [one.told_apart for one in rounds if one.told_apart is not None][-LATE:]
    if len(late) < LATE:
        return None
    if min(late) >= SURE:
        return f"the reward tells the policy from the expert in {late[-1]:.0%} for {LATE} rounds: it leads nowhere"
    if max(late) <= BLIND:
        return f"the reward tells nothing apart ({late[-1]:.0%}) for {LATE} rounds: both are alike, or it is blind"
    return None


def write_curves(run: Path, curves: Mapping[str, Sequence[Round]]) -> None:
    """What reports read."""
    told = {name: [asdict(one) for one in rounds] for name, rounds in curves.items()}
    write_atomic(run / CURVES, json.dumps(told, indent=1).encode() + b"\n")


def curves_of(run: Path) -> dict[str, list[Round]]:
    """What write_curves wrote."""
    return {name: [Round(**one) for one in rows] for name, rows in json.loads((run / CURVES).read_text()).items()}


def _policy_of(config: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(config["algo"]["init_args"]["policy"]["init_args"])
    except (KeyError, TypeError):
        raise UserError("the config names no policy: it needs algo.init_args.policy") from None


def _inner(course: Course) -> dict[str, Any]:
    return {**course.training, "interaction": dict(course.itself)}
