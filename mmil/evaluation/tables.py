"""What `mmil evaluate` and `mmil report` say at a terminal, from summaries alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmil.evaluation.statistics import wilson

Summaries = Mapping[str, Mapping[str, Any]]


def suites_table(summaries: Summaries) -> list[str]:
    """A line a suite, then each skill where there are several, and each manner that was asked for."""
    lines = [_suite(name, summary) for name, summary in summaries.items()]
    return [*lines, *skills_table(summaries), *manners_table(summaries)]


def _suite(name: str, summary: Mapping[str, Any]) -> str:
    wrong = summary["wrong_object"]
    return f"{name:<12}{wilson(summary['successes'], summary['n'])}   wrong object {wrong['rate']:.1%}"


def skills_table(summaries: Summaries) -> list[str]:
    """Skills down, suites across; nothing where there is one skill."""
    cells = {name: summary.get("skills") or {} for name, summary in summaries.items() if name != "null"}
    verbs = sorted({verb for skills in cells.values() for verb in skills})
    if len(verbs) < 2:
        return []
    rows = [[verb, *(_count(skills.get(verb)) for skills in cells.values())] for verb in verbs]
    return ["", *aligned([["skill", *cells], *rows], left=1)]


def _count(cell: Mapping[str, Any] | None) -> str:
    if not cell:
        return "–"
    return f"{cell['successes']}/{cell['n']} [{100 * cell['low']:.0f}, {100 * cell['high']:.0f}]"


def manners_table(summaries: Summaries) -> list[str]:
    """Each manner that was asked for; nothing where none was."""
    rows = [
        [suite, manner, _count(one), _count(one["fulfilled"]), _count(one["fulfilled_of_reached"])]
        for suite, summary in summaries.items()
        for manner, one in (summary.get("manners") or {}).items()
        if one["fulfilled"]["n"]
    ]
    if not rows:
        return []
    return ["", *aligned([["suite", "manner", "success", "in this manner", "of those that reached it"], *rows], left=2)]


def attribution_table(summaries: Summaries) -> list[str]:
    """A line an input and a way, beside the intact policy."""
    lines = []
    for suite, summary in summaries.items():
        intact, most = summary["intact"], summary["everything"]
        lines.append(f"{suite}: intact {wilson(intact['successes'], intact['n'])}")
        rows = [_altered(row, most) for row in summary["rows"]]
        lines += aligned([["input", "", "success", "points", "p", "actions change"], *rows], left=2)
        lines += [f"{name}: the data have none" for name in summary["absent"]]
    return lines


def _altered(row: Mapping[str, Any], most: float | None) -> list[str]:
    share = f" ({100 * row['action_change'] / most:.0f} %)" if most else ""
    moved = f"{row['action_change']:.4f}{share}"
    if not row["used"]:
        return [row["input"], row["how"], "is no input of this policy", "", "", moved]
    if "points" not in row:
        return [row["input"], row["how"], "–", "", "", moved]
    points = f"{row['points']:+.0f} [{row['points_low']:+.0f}, {row['points_high']:+.0f}]"
    return [row["input"], row["how"], _count(row), points, f"{row['p']:.2g}", moved]


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Columns of one width under a ruled head; the first `left` to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    ruled = [rows[0], ["─" * width for width in widths], *rows[1:]]
    return [
        "  ".join(
            cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in ruled
    ]
