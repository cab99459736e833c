"""How far a policy's states lie from its expert's, along the episodes; curves and the numbers behind a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmil.diagnosis.walk import Pair, Walk

BIN = 10  # control steps
FEWEST = 5  # walks, of which a point of a curve is told
OUTSIDE = 0.95  # of the expert's own states lie nearer to its others than where a policy counts as off the way
RUNNING = 2  # plans that have to be outside, one after the other
NEIGHBOURS = 5
FLAT = 0.1  # of the median deviation of a context's numbers, the least that one counts with
Curve = list[tuple[float, float]]  # control step, value


def drift(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Numbers and curves as JSON values.

    far: distance of the policy's context to the nearest of the expert's in other layouts, as a multiple of what the
    expert's own contexts are apart (median): 1 is as near as the expert is to itself. aside [m]: of the hand and all
    things from the nearest instant of the expert's walk through the same layout, on average. error: mean absolute
    difference of the policy's action from the expert's in the same state.
    """
    policy, expert = [pair.policy for pair in pairs], [pair.expert for pair in pairs]
    theirs = _scaled(expert, expert)
    own = [_nearest(one, theirs, but=place) for place, one in enumerate(theirs)]
    unit = float(np.median(np.concatenate(own))) or 1.0
    far = [_nearest(one, theirs, but=place) / unit for place, one in enumerate(_scaled(policy, expert))]
    own = [some / unit for some in own]
    aside = [_aside(*both) for both in zip(policy, expert, strict=True)]
    errors, expected = ([_errors(one) for one in some] for some in (policy, expert))
    rim = float(np.quantile(np.concatenate(own), OUTSIDE))
    every = [_left(one, some, rim) for one, some in zip(policy, far, strict=True) if not one.success]
    left = [step for step in every if step is not None]
    heard = [(pair.policy_heard, pair.expert_heard) for pair in pairs]
    told = [(one, other) for one, other in heard if one is not None and other is not None]
    numbers = {
        "walks": len(pairs),
        "successes": sum(one.success for one in policy),
        "expert_successes": sum(one.success for one in expert),
        "far": _last_third(far),
        "far_failed": _last_third([some for one, some in zip(policy, far, strict=True) if not one.success]),
        "far_expert": _last_third(own),
        "aside": _last_third(aside),
        "error": float(np.concatenate(errors).mean()),
        "error_expert": float(np.concatenate(expected).mean()),
        "left": float(np.median(left)) if left else None,
        "left_walks": len(left),
        "split": _split(expert, theirs),
        "heard": _heard(told),
    }
    curves = {
        "far": {"policy": _curve(policy, far), "expert": _curve(expert, own)},
        "aside": {"policy": _curve(policy, aside)},
        "error": {"policy": _curve(policy, errors), "expert": _curve(expert, expected)},
    }
    return {**numbers, "curves": {name: {k: v for k, v in some.items() if v} for name, some in curves.items()}}


def _nearest(one: np.ndarray, others: Sequence[np.ndarray], *, but: int) -> np.ndarray:
    """(N,): of each context (N, C) the distance to the nearest of the others', not those of the same layout."""
    there = np.concatenate([other for place, other in enumerate(others) if place != but])
    return np.sqrt(_squared(one, there).min(axis=1) / one.shape[1])


def _squared(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(N, M): squared distances."""
    return np.maximum((here**2).sum(1)[:, None] + (there**2).sum(1) - 2 * here @ there.T, 0)


def _scaled(walks: Sequence[Walk], rulers: Sequence[Walk]) -> list[np.ndarray]:
    """float64 (N, C) each: contexts in standard deviations of the rulers'; what hardly changes there counts little."""
    every = np.concatenate([one.vectors for one in rulers]).astype(np.float64)
    deviation = every.std(axis=0)
    scale = np.maximum(deviation, max(FLAT * float(np.median(deviation)), 1e-9))
    return [(one.vectors - every.mean(axis=0)) / scale for one in walks]


def _aside(policy: Walk, expert: Walk) -> np.ndarray:
    """(N,) [m]: from the nearest instant of the expert's walk, a mean over the hand and the things."""
    apart = np.linalg.norm(policy.places[:, None] - expert.places[None], axis=3).mean(axis=2)
    return apart.min(axis=1)


def _errors(one: Walk) -> np.ndarray:
    return np.abs(one.actions - one.labels).mean(axis=1)


def _left(one: Walk, far: np.ndarray, rim: float) -> int | None:
    """The step at which it left the way: outside, and so at the next plans."""
    outside = np.convolve(far > rim, np.ones(RUNNING), mode="valid") == RUNNING
    return int(one.steps[outside.argmax()]) if outside.any() else None


def _split(expert: Sequence[Walk], vectors: Sequence[np.ndarray]) -> float:
    """How differently the expert acts in neighbouring states, as a share of how differently it acts in any.

    Of every context, the actions in its nearest of other layouts against their middle, beside the same of as many at
    random: 0 where the state says what to do, 1 where it says nothing of it.
    """
    within, anywhere, rng = list[np.ndarray](), list[np.ndarray](), np.random.default_rng(0)
    for place, here in enumerate(vectors):
        there = np.concatenate([other for number, other in enumerate(vectors) if number != place])
        labels = np.concatenate([other.labels for number, other in enumerate(expert) if number != place])
        count = min(NEIGHBOURS, len(there))
        near = np.argpartition(_squared(here, there), count - 1, axis=1)[:, :count]
        for found, chosen in ((within, near), (anywhere, rng.integers(len(there), size=near.shape))):
            acts = labels[chosen]  # (N, neighbours, A)
            found.append(np.abs(acts - np.median(acts, axis=1, keepdims=True)).mean(axis=(1, 2)))
    return float(np.concatenate(within).mean() / max(1e-9, np.concatenate(anywhere).mean()))


def _heard(heard: Sequence[tuple[float, float]]) -> float | None:
    """How much another sentence changes the policy's first actions, as a share of how much it changes the expert's."""
    expert = float(np.mean([one for _, one in heard])) if heard else 0.0
    return float(np.mean([one for one, _ in heard])) / expert if expert > 1e-6 else None


def _last_third(values: Sequence[np.ndarray]) -> float | None:
    """The median over the walks of what holds at their ends."""
    ends = [some[-max(1, len(some) // 3) :].mean() for some in values]
    return float(np.median(ends)) if ends else None


def _curve(walks: Sequence[Walk], values: Sequence[np.ndarray]) -> Curve:
    """Medians over walks, of every BIN steps that FEWEST of them reach."""
    found: dict[int, list[float]] = {}
    for one, some in zip(walks, values, strict=True):
        for number in np.unique(one.steps // BIN):
            found.setdefault(int(number), []).append(float(some[one.steps // BIN == number].mean()))
    known = {number: some for number, some in sorted(found.items()) if len(some) >= FEWEST}
    return [(BIN * (number + 0.5), float(np.median(some))) for number, some in known.items()]
