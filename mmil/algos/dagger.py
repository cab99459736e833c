"""DAgger (Ross 2011): the expert labels the states that the policy leads into, round after round."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mmil.algos.interaction import Course, Interaction
from mmil.asking.known import known_of
from mmil.asking.rule import BEYOND, Rule, scored, threshold
from mmil.contracts import UserError, require_number
from mmil.data.dataset import Dataset
from mmil.data.shards import write_atomic
from mmil.evaluation.runs import CONTROL, Suite
from mmil.evaluation.statistics import Paired, paired, wilson
from mmil.evaluation.suites import load_suite
from mmil.run import RunFolder, load_policy

ROUNDS, RESULTS = "rounds", "rounds.json"  # in the run's folder
RULE, ASKED = "rule.safetensors", "asked.json"  # in a round's
Schedule = Literal["linear", "exponential", "constant"]
Node = dict[str, Any]  # of a config: class_path and init_args


@dataclass(frozen=True)
class Judged:
    """A policy on the way: how many labels it had beside the demonstrations, and what its trials came to."""

    name: str
    labels: int
    steps: int  # of training, since the demonstrations alone
    n: int
    successes: int
    against: str  # the policy before any round, on the same trials

    def __str__(self) -> str:
        success = str(wilson(self.successes, self.n))
        return f"{self.name:<10}{self.labels:>8} labels  {success:<32}{self.against}"


class DAgger(Interaction):
    """Rounds of acting, labelling and training on all that there is by then, each begun with the weights before it.

    rounds, episodes: how many, and of how many episodes each. beta: the share of the time that the expert drives in
    the first round; schedule: of the rounds after it: the same, its powers, or in a line to 0 after the last. hold:
    steps for which whoever was drawn drives, on average. epochs: over all data, of each round. suite, trials,
    trial_seed: what each round is judged on. control: also train the first policy on as many labels from the expert's
    own episodes, in as many steps: what interaction has to beat.

    rule: by which the expert is asked, in place of everywhere; the policy then drives alone, whatever beta says. share:
    of the steps that it is asked at, which sets the score it takes: measured in `pilot` episodes of each round, in
    which nothing is asked. labels: in all rounds together, at most; an episode's are then the first it asks for.
    """

    def __init__(
        self,
        *,
        rounds: int = 5,
        episodes: int = 100,
        beta: float = 0.5,
        schedule: Schedule = "exponential",
        hold: float = 1.0,
        epochs: int = 2,
        rule: Rule | None = None,
        share: float = 0.3,
        labels: int | None = None,
        pilot: int = 20,
        suite: str = "seen",
        trials: int = 100,
        trial_seed: int = 0,
        control: bool = True,
    ) -> None:
        require_number(least=1, rounds=rounds, episodes=episodes, epochs=epochs, trials=trials, hold=hold, pilot=pilot)
        require_number(least=0, trial_seed=trial_seed)
        if not 0 <= beta <= 1:
            raise UserError(f"beta is {beta}; it is the expert's share of the time, 0 to 1")
        if not 0 < share <= 1:
            raise UserError(f"share is {share}; it is a share of the steps, above 0 and at most 1")
        if labels is not None and rule is None:
            raise UserError(f"labels is {labels}, but no rule says where to ask: every step is labelled")
        if labels is not None and labels < episodes:
            raise UserError(f"labels is {labels}; {episodes} episodes a round need one each at least")
        load_suite(suite)  # refused now if at all
        self.rounds, self.episodes, self.epochs, self.hold = rounds, episodes, epochs, hold
        self.beta, self.schedule, self.control = beta, schedule, control
        self.rule, self.share, self.labels, self.pilot = rule, share, labels, pilot
        self._judging: dict[str, Any] = {"suite": suite, "trials": trials, "seed": trial_seed}

    def betas(self) -> list[float]:
        """The expert's share of the time, round by round."""
        rounds, beta = range(self.rounds), 0.0 if self.rule else self.beta
        every = {
            "linear": [beta * (1 - number / self.rounds) for number in rounds],
            "exponential": [beta ** (number + 1) for number in rounds],
            "constant": [beta for _ in rounds],
        }
        return every[self.schedule]

    def learn(self, course: Course) -> Sequence[str]:
        folder = course.out / ROUNDS
        run = course.train(folder / "0" / "run")
        first = course.evaluate(run, **self._judging)
        done = [_judged("cloning", suite=first, labels=0, steps=0, first=None)]
        runs, visited = [run], list[Path]()
        for number, beta in enumerate(self.betas(), start=1):
            if self.labels and self.labels - _labels(visited) < self.episodes:
                course.tell(f"{_labels(visited)} of {self.labels} labels are spent; no round {number}")
                break
            course.tell(f"round {number} of {self.rounds}" + ("" if self.rule else f": the expert drives {beta:.0%}"))
            actor = self._asked(course, run, visited, number) if self.rule else self._mixture(course, run, beta)
            visited.append(course.generate(folder / str(number) / "data", **self._driven(course, actor, str(number))))
            run = course.train(folder / str(number) / "run", **self._further(course, run, visited, self.epochs))
            runs.append(run)
            labels, steps, suite = _labels(visited), sum(map(_steps, runs[1:])), course.evaluate(run, **self._judging)
            done.append(_judged(f"round {number}", suite=suite, labels=labels, steps=steps, first=first))
            _write(course.out, done)
        if self.control and done[-1].labels:
            done.append(self._controlled(course, done[-1], first))
            _write(course.out, done)
        trained = [RunFolder.open(one).trained for one in runs]
        whole = {name: sum(one[name] for one in trained) for name in ("epochs", "steps", "seconds")}
        RunFolder(course.out).become(RunFolder.open(run), **whole)
        return [str(one) for one in done]

    def _driven(self, course: Course, actor: Node, name: str, *, episodes: int | None = None) -> dict[str, Any]:
        """What episodes that the policy drives differ in from the demonstrations."""
        return {
            "actor": actor,
            "expert": None,  # the actor's own
            "keep": "all",  # a failure shows where labels are wanted most
            "episodes": episodes or self.episodes,
            "seed": course.seed(f"round {name}"),
        }

    def _mixture(self, course: Course, run: Path, beta: float) -> Node:
        told = {"expert": course.expert, "novice": _novice(run), "beta": beta, "hold": self.hold}
        return {"class_path": "mmil.rollout.Mixture", "init_args": told}

    def _asking(self, course: Course, run: Path, path: Path | None, **limits: Any) -> Node:
        """The policy, which asks by the rule, and by what that has learnt in `path`."""
        rule = dict(course.itself["rule"])
        if path:
            rule["init_args"] = {**(rule.get("init_args") or {}), "path": str(path)}
        told = {"expert": course.expert, "novice": _novice(run), "rule": rule, **limits}
        return {"class_path": "mmil.asking.Asked", "init_args": told}

    def _asked(self, course: Course, run: Path, visited: Sequence[Path], number: int) -> Node:
        """The policy, which asks where the rule's score is among the highest of where it drives."""
        folder = course.out / ROUNDS / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ASKED).is_file():  # once: another machine's last bit would be another recipe
            write_atomic(folder / ASKED, json.dumps(self._limits(course, run, visited, folder)).encode() + b"\n")
        limits = json.loads((folder / ASKED).read_text())
        path = folder / RULE
        return self._asking(course, run, path if path.is_file() else None, **limits)

    def _limits(self, course: Course, run: Path, visited: Sequence[Path], folder: Path) -> dict[str, Any]:
        """Have the rule learn what is known by now; the score that a share of the states has that the policy is in."""
        assert self.rule is not None
        policy, number = load_policy(run), int(folder.name)
        known = known_of(policy, [*course.demonstrations, *visited])
        self.rule.path = self.rule.learn(policy, known, folder / RULE)
        course.tell(f"{self.pilot} episodes to see where it would ask")
        silent = self._asking(course, run, self.rule.path, above=BEYOND)
        name = f"{number} pilot"
        pilot = course.generate(folder / "pilot", **self._driven(course, silent, name, episodes=self.pilot))
        scores = scored(self.rule, policy, known_of(policy, [pilot]).vectors, seed=course.seed(name))
        limits: dict[str, Any] = dict(zip(("above", "equal"), threshold(scores, self.share), strict=True))
        if self.labels:
            episodes = self.episodes * (self.rounds - number + 1)  # that are left
            limits["most"] = max(1, (self.labels - _labels(visited)) // episodes)
        return limits

    def _further(self, course: Course, run: Path, more: Sequence[Path], epochs: int) -> dict[str, Any]:
        every = [*course.demonstrations[1:], *more]
        # the cameras are those of the round before, whatever they were called where the first one began
        return {"start": str(run), "start_cameras": None, "more": [str(path) for path in every], "epochs": epochs}

    def _controlled(self, course: Course, last: Judged, first: Suite) -> Judged:
        """Cloning again, with as many labels from the expert's own episodes and as many steps."""
        demonstrations = Dataset.open(course.data).manifest
        needed = math.ceil(last.labels * demonstrations["episodes"] / demonstrations["steps"])
        course.tell(f"for comparison: {needed} more demonstrations, and as many steps of training")
        data = course.generate(course.out / CONTROL / "data", episodes=needed, seed=course.seed(CONTROL))
        run = course.out / ROUNDS / "0" / "run"
        epochs = self._epochs_of(course, last.steps, more=[data])
        again = course.train(course.out / CONTROL / "run", **self._further(course, run, [data], epochs))
        suite = course.evaluate(again, **self._judging)
        return _judged(CONTROL, suite=suite, labels=_labels([data]), steps=_steps(again), first=first)

    def _epochs_of(self, course: Course, steps: int, *, more: Sequence[Path]) -> int:
        """How many epochs over the demonstrations and `more` come nearest to so many steps of training."""
        first = RunFolder.open(course.out / ROUNDS / "0" / "run").trained
        demonstrations = _labels(course.demonstrations)
        longer = (demonstrations + _labels(more)) / demonstrations
        return max(1, round(steps * first["epochs"] / (first["steps"] * longer)))


def _novice(run: Path) -> Node:
    return {"class_path": "mmil.novice.Novice", "init_args": {"run": str(run)}}


def _judged(name: str, *, suite: Suite, labels: int, steps: int, first: Suite | None) -> Judged:
    pairs: Paired | None = paired(suite.trials, first.trials) if first else None
    success = suite.success
    return Judged(name, labels, steps, success.n, success.successes, pairs.difference if pairs else "")


def _labels(data: Sequence[Path]) -> int:
    return sum(row.labels for path in data for row in Dataset.open(path).rows)


def _steps(run: Path) -> int:
    return int(RunFolder.open(run).trained["steps"])


def _write(out: Path, done: Sequence[Judged]) -> None:
    write_atomic(out / RESULTS, json.dumps([asdict(one) for one in done], indent=1).encode() + b"\n")
