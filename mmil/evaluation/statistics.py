"""What may be said about counted successes: a rate never travels without its n and its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmil.contracts import OUTCOMES, Thing, Trial, UserError


@dataclass(frozen=True)
class Interval:
    """A success rate with its Wilson interval. Without trials nothing is known: rate 0 in [0, 1]."""

    n: int
    successes: int
    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        if not self.n:
            return "no trials (0/0)"
        rate, low, high = (100 * value for value in (self.rate, self.low, self.high))
        return f"{rate:.1f} % [{low:.1f}, {high:.1f}] ({self.successes}/{self.n})"


@dataclass(frozen=True)
class Paired:
    """Two runs on the same trial seeds: how often both, one or neither succeeded, and the exact p."""

    n: int
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float  # two-sided exact McNemar; 1.0 where the two never differ
    other_goal: int = 0  # common seeds that ask the two for different goals, which are no pairs

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Paired:
        """From (first succeeded, second succeeded), a pair a trial."""
        counts = Counter(pairs)
        only_first, only_second = counts[True, False], counts[False, True]
        return cls(
            n=counts.total(),
            both=counts[True, True],
            only_first=only_first,
            only_second=only_second,
            neither=counts[False, False],
            p=mcnemar(only_first, only_second),
        )

    def __str__(self) -> str:
        return f"only first {self.only_first}, only second {self.only_second} of {self.n}, p = {self.p:.3g}"

    @property
    def points(self) -> float:
        """The first's success minus the second's, in percentage points."""
        return 100 * (self.only_first - self.only_second) / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of `points` (R. G. Newcombe, Statistics in Medicine 17, 1998: paired, method 10)."""
        first = wilson(self.both + self.only_first, self.n)
        second = wilson(self.both + self.only_second, self.n)
        phi = self._phi(first.successes, second.successes)
        low = _joint(first.rate - first.low, second.high - second.rate, phi)
        high = _joint(first.high - first.rate, second.rate - second.low, phi)
        return self.points - 100 * low, self.points + 100 * high

    def _phi(self, first: int, second: int) -> float:
        """How much the two succeed together, corrected for continuity."""
        margins = first * (self.n - first) * second * (self.n - second)
        product: float = self.both * self.neither - self.only_first * self.only_second
        product = max(product - self.n / 2, 0) if product > 0 else product
        return product / math.sqrt(margins) if margins else 0.0

    @property
    def difference(self) -> str:
        """As a person reads it."""
        low, high = self.interval
        return f"{self.points:+.1f} points [{low:+.1f}, {high:+.1f}], p = {self.p:.2g}, n = {self.n}"


def _joint(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def wilson(successes: int, n: int, z: float = 1.96) -> Interval:
    """Wilson's score interval (E. B. Wilson, JASA 22, 1927); z = 1.96 for 95 %."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
    if n == 0:
        return Interval(n=0, successes=0, rate=0.0, low=0.0, high=1.0)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)  # the closed form is exactly 0 and 1 at the ends,
    high = 1.0 if successes == n else min(1.0, centre + half)  # floating point only nearly so
    return Interval(n=n, successes=successes, rate=rate, low=low, high=high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p of McNemar's test: the pairs that differ are fair coins if the two are equal."""
    differ, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(differ, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**differ))


def paired(first: Sequence[Trial], second: Sequence[Trial]) -> Paired:
    """Compare two runs on the trials (suite, seed) that both of them have and that ask the same goal of both."""
    ours, theirs = _by_seed(first), _by_seed(second)
    common = ours.keys() & theirs.keys()
    same = [key for key in common if ours[key].goal == theirs[key].goal]
    pairs = Paired.of((ours[key].success, theirs[key].success) for key in same)
    return replace(pairs, other_goal=len(common) - len(same))


def _by_seed(trials: Sequence[Trial]) -> dict[tuple[str, int], Trial]:
    found: dict[tuple[str, int], Trial] = {}
    for trial in trials:
        if (trial.suite, trial.seed) in found:
            raise UserError(f"suite {trial.suite} holds seed {trial.seed} twice; a paired test needs each seed once")
        found[trial.suite, trial.seed] = trial
    return found


def summarise(trials: Sequence[Trial], **extra: Any) -> dict[str, Any]:
    """The fields of summary.json; `extra` (seed, workers, command …) goes in as given."""
    suites = sorted({trial.suite for trial in trials})
    if len(suites) > 1:
        raise ValueError(f"one summary a suite, got trials of {', '.join(suites)}")
    outcomes = Counter(trial.outcome for trial in trials)
    success, wrong = wilson(outcomes["success"], len(trials)), wilson(outcomes["wrong_object"], len(trials))
    return {
        "suite": suites[0] if suites else None,
        "n": success.n,
        "successes": success.successes,
        "rate": success.rate,
        "low": success.low,
        "high": success.high,
        "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
        "wrong_object": {
            "n": wrong.n,
            "count": wrong.successes,
            "rate": wrong.rate,
            "low": wrong.low,
            "high": wrong.high,
        },
        "mean_steps": sum(trial.steps for trial in trials) / len(trials) if trials else None,
        **extra,
    }


def by_object(trials: Sequence[Trial]) -> dict[str, dict[Thing, Interval]]:
    """verb → object asked for → success, so that weak spots show."""
    counts = Counter((trial.goal.verb, trial.goal.object, trial.success) for trial in trials)
    table: dict[str, dict[Thing, Interval]] = {}
    for verb, thing in sorted({(verb, thing) for verb, thing, _ in counts}):
        good, bad = counts[verb, thing, True], counts[verb, thing, False]
        table.setdefault(verb, {})[thing] = wilson(good, good + bad)
    return table


def confusions(trials: Sequence[Trial]) -> list[tuple[str, str, int]]:
    """(asked for, taken instead, how often), most frequent first."""
    mistaken = Counter((str(t.goal.object), t.taken) for t in trials if t.outcome == "wrong_object" and t.taken)
    return [(asked, taken, count) for (asked, taken), count in sorted(mistaken.items(), key=lambda it: (-it[1], it[0]))]
