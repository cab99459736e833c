"""A reward card: whether a learnt reward knows progress, listens to the sentence, and cannot be had for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from mmil.diagnosis.worth import EXPERT, POLICY, RANDOM, STILL, Earned, Valued

DRAWS = 1000  # of layouts, for an interval


def card(layouts: Sequence[Valued], *, discount: float) -> dict[str, Any]:
    """Numbers and an example as JSON values.

    progress: rank correlation (Spearman) of what was still to be earned with what was still to be had, which is 1
    discounted by the decisions until success, and 0 where there was none; over all decisions of the expert's and the
    policy's walks; progress_interval: 95 %, over layouts drawn anew. along: the same along each success, on average.
    heard: of how many layouts the expert's walk earned more than when another goal was told. beaten: of how many it
    earned more than who did nothing, or anything. hacked: failures that earned more than the median success.
    """
    rng = np.random.default_rng(0)
    pairs = [_pairs([one.walks[EXPERT], one.walks[POLICY]], discount) for one in layouts]
    draws = [_rank([pairs[each] for each in rng.integers(len(pairs), size=len(pairs))]) for _ in range(DRAWS)]
    told = [one.walks[EXPERT] for one in layouts if one.walks[EXPERT].success]
    successes = [one for layout in layouts for one in layout.walks.values() if one.success]
    failures = [one for layout in layouts for one in layout.walks.values() if not one.success]
    usual = float(np.median([_whole(one, discount) for one in successes])) if successes else np.inf
    both = [(one.walks[EXPERT], one.misled) for one in layouts if one.misled is not None]
    return {
        "layouts": len(layouts),
        "progress": _number(_rank(pairs)),
        "progress_interval": [_number(np.quantile(draws, share)) for share in (0.025, 0.975)],
        "along": _number(np.mean([_rank([_pairs([one], discount)]) for one in told])) if told else None,
        "heard": sum(_whole(one, discount) > _whole(other, discount) for one, other in both),
        "hearable": len(both),
        "beaten": {
            who: sum(_whole(one.walks[EXPERT], discount) > _whole(one.walks[who], discount) for one in layouts)
            for who in (STILL, RANDOM)
        },
        "failures": len(failures),
        "hacked": sum(_whole(one, discount) > usual for one in failures),
        "example": _example(layouts[0], discount),
    }


def following(rewards: np.ndarray, discount: float) -> np.ndarray:
    """(D,): what was still to be earned at every decision, it included."""
    found = np.array(rewards, dtype=float)
    for place in reversed(range(len(found) - 1)):
        found[place] += discount * found[place + 1]
    return found


def _whole(one: Earned, discount: float) -> float:
    return float(following(one.rewards, discount)[0])


def _pairs(walks: Sequence[Earned], discount: float) -> np.ndarray:
    """(2, D): what was still to be earned, and to be had."""
    found = []
    for one in walks:
        left = np.arange(len(one.rewards))[::-1]
        found.append(np.stack([following(one.rewards, discount), one.success * discount**left]))
    return np.concatenate(found, axis=1)


def _rank(pairs: Sequence[np.ndarray]) -> float:
    earned, had = np.concatenate(pairs, axis=1)
    if np.ptp(earned) == 0 or np.ptp(had) == 0:
        return 0.0  # who says the same of everything knows nothing
    return float(spearmanr(earned, had).statistic)


def _number(value: float) -> float:
    return round(float(value), 4)


def _example(layout: Valued, discount: float) -> dict[str, Any]:
    """An expert's walk, decision by decision."""
    one = layout.walks[EXPERT]
    told = {"rewards": one.rewards, "following": following(one.rewards, discount)}
    if layout.misled:
        told["misled"] = following(layout.misled.rewards, discount)
    return {name: [round(float(value), 4) for value in values] for name, values in told.items()}
