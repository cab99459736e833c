"""What index and manifest say of the skills: how many episodes each has, of what, how long, how often it succeeds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmil.contracts import OUTCOMES, Goal
from mmil.data.shards import Row
from mmil.evaluation.charts import interval_bar, spark
from mmil.evaluation.statistics import Interval, wilson

SIDE_BY_SIDE = 3  # verbs, each with a table of its own; more share one
MOST = 40  # rows of a table


def skills(rows: Sequence[Row], attempts: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """A row a verb. `attempts`: verb → ending → how many, where generation counted them."""
    by_verb: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_verb[row.goal.verb].append(row)
    most = max(map(len, by_verb.values()), default=0)
    return [_skill(verb, by_verb[verb], attempts.get(verb), most) for verb in sorted(by_verb)]


def _skill(verb: str, rows: Sequence[Row], attempts: Mapping[str, int] | None, most: int) -> dict[str, Any]:
    steps = [row.steps for row in rows]
    outcomes = Counter(row.outcome for row in rows)
    tried = wilson(attempts.get("success", 0), sum(attempts.values())) if attempts else None
    return {
        "verb": verb,
        "episodes": len(rows),
        "share": len(rows) / most,
        "goals": len({row.goal for row in rows}),
        "sentences": len({row.instruction for row in rows}),
        "steps": (min(steps), float(np.median(steps)), max(steps)),
        "lengths": spark(steps) if min(steps) < max(steps) else None,
        "outcomes": {name: outcomes[name] for name in OUTCOMES},
        "tried": tried,
        "bar": interval_bar(tried, width=110) if tried else None,
    }


def qualities(rows: Sequence[Row], attempts: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """A row a quality of demonstration, where there are several. `attempts`: quality → ending → how many."""
    names = sorted({row.quality for row in rows} | attempts.keys())
    return [_quality(name, rows, attempts.get(name, {})) for name in names] if len(names) > 1 else []


def _quality(name: str, rows: Sequence[Row], attempts: Mapping[str, int]) -> dict[str, Any]:
    """Success in all the attempts where they were counted, else in the episodes that are kept."""
    of_it = [row for row in rows if row.quality == name]
    outcomes = Counter(row.outcome for row in of_it)
    counts = attempts or outcomes
    success = wilson(counts.get("success", 0), sum(counts.values()))
    return {
        "quality": name,
        "episodes": len(of_it),
        "steps": float(np.median([row.steps for row in of_it])) if of_it else None,
        "outcomes": {outcome: outcomes[outcome] for outcome in OUTCOMES},
        "success": success,
        "bar": interval_bar(success, width=110),
    }


def expert(manifest: Mapping[str, Any], rows: Sequence[Row]) -> Interval:
    """How many attempts at all these episodes succeeded."""
    return wilson(sum(row.outcome == "success" for row in rows), len(rows) + manifest["failed_attempts"])


def counted_attempts(manifest: Mapping[str, Any], by: str = "attempts") -> dict[str, dict[str, int]]:
    """Verb (or quality) → ending → attempts, as far as the manifest has them."""
    found = manifest.get(by)
    names = found.items() if isinstance(found, dict) else ()
    natural = {
        name: {ending: count for ending, count in ends.items() if type(count) is int and count >= 0}
        for name, ends in names
        if isinstance(ends, dict)
    }
    return {name: ends for name, ends in natural.items() if sum(ends.values())}


def asked(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Tables of episodes by what was asked for; what came from elsewhere, with a sentence for a goal, has none."""
    named = [row for row in rows if not is_told(row)]
    verbs = sorted({row.goal.verb for row in named})
    if not verbs:
        return []
    if len(verbs) <= SIDE_BY_SIDE:
        tables = [_heat(verb, [row for row in named if row.goal.verb == verb], _shape, _colour) for verb in verbs]
    else:
        tables = [_heat("object", named, lambda goal: str(goal.object), lambda goal: goal.verb)]
    for title, part in (("relation", _relation), ("target", _target), ("manner", _manner)):
        having = [row for row in named if part(row.goal)]
        if having:
            tables.append(_heat(title, having, part, lambda goal: goal.verb))
    return tables


def is_told(row: Row) -> bool:
    """Whether the goal is nothing but the sentence, as of demonstrations that came from elsewhere."""
    return row.goal.object.shape == row.instruction


def _heat(title: str, rows: Sequence[Row], down: Any, across: Any) -> dict[str, Any]:
    """Counts by two parts of the goal; the rarest of too many rows are left out, and how many is said."""
    counts = Counter((down(row.goal), across(row.goal)) for row in rows)
    totals = Counter(down(row.goal) for row in rows)
    names = sorted(name for name, _ in totals.most_common(MOST))
    columns = sorted({column for _, column in counts})
    return {
        "title": title,
        "columns": columns,
        "rows": [(name, [counts[name, column] for column in columns]) for name in names],
        "most": max(counts.values()),
        "left_out": len(totals) - len(names),
    }


def _shape(goal: Goal) -> str:
    return goal.object.shape


def _colour(goal: Goal) -> str:
    return goal.object.colour


def _relation(goal: Goal) -> str:
    return goal.relation or ""


def _target(goal: Goal) -> str:
    return str(goal.target or "")


def _manner(goal: Goal) -> str:
    return goal.manner or ""
