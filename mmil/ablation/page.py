"""What an ablation leaves to look at: results.json, table.txt, figure.svg and ablation.html."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmil.ablation.figure import figure
from mmil.data.shards import write_atomic
from mmil.evaluation.page import duration, write_page
from mmil.evaluation.tables import aligned

TEMPLATES = Path(__file__).parent / "templates"
HEAD = ("axis", "variant", "suite", "n", "success", "95 % interval", "points to the base", "p", "train", "judge")


def write(out: Path, results: Mapping[str, Any]) -> tuple[Path, list[str]]:
    """Write all four; the page, and the table's lines."""
    lines, drawn = table(results), figure(results)
    write_atomic(out / "results.json", json.dumps(results, indent=1).encode() + b"\n")
    write_atomic(out / "table.txt", ("\n".join(lines) + "\n").encode())
    write_atomic(out / "figure.svg", str(drawn).encode())
    page = write_page(
        out / "ablation.html",
        "ablation.html.j2",
        folders=[TEMPLATES],
        title=f"ablation · {out.resolve().name}",
        lead=_lead(results),
        figure=drawn,
        head=HEAD,
        rows=_rows(results),
        failed=results["failed"],
        undone=[_named(row) for row in results["rows"] if not row["suites"]],
        stands_for=[_named(row) for row in results["rows"] if row["name"] == results["base"]["name"]],
        seeds=results["seeds"],
        commit=results["mmil_commit"],
    )
    return page, lines


def table(results: Mapping[str, Any]) -> list[str]:
    """A line a variant and suite."""
    rows = _rows(results)
    return aligned([HEAD, *rows], left=3) if rows else ["nothing is done yet"]


def _rows(results: Mapping[str, Any]) -> list[list[str]]:
    base = results["base"]
    rows = [base, *(row for row in results["rows"] if row["name"] != base["name"])]
    found = [_cells(row, suite) for row in rows for suite in row["suites"]]
    for before, row in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if before[:2] == row[:2]:
            row[0] = row[1] = row[-2] = row[-1] = ""  # once is enough
    return found


def _cells(row: Mapping[str, Any], suite: str) -> list[str]:
    cell, took = row["suites"][suite], (row["train_seconds"], row["judge_seconds"])
    against, low, high = cell["against_base"], 100 * cell["low"], 100 * cell["high"]
    points = f"{against['points']:+.1f} [{against['low']:+.1f}, {against['high']:+.1f}]" if against else ""
    times = ["" if seconds is None else duration(seconds) for seconds in took]
    several = len(cell["rates"]) > 1
    spread = f" ({', '.join(f'{100 * rate:.0f}' for rate in cell['rates'])})" if several else ""
    rate = f"{100 * cell['rate']:.1f} %{spread}"
    n = f"{cell['layouts']} × {len(cell['rates'])}" if several else str(cell["n"])
    p = f"{against['p']:.2g}" if against and against["p"] is not None else ""
    return [row["axis"], row["variant"], suite, n, rate, f"[{low:.1f}, {high:.1f}]", points, p, *times]


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['axis']} {row['variant']}"


def _lead(results: Mapping[str, Any]) -> str:
    done = [row for row in results["rows"] if row["suites"]]
    axes = len({row["axis"] for row in results["rows"]})
    return f"{len(done)} of {len(results['rows'])} variants in {axes} {'axis' if axes == 1 else 'axes'} are judged"
