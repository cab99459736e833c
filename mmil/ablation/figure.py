"""One figure of an ablation: a panel an axis, a row a variant, a colour a suite; numbers of demonstrations as lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mmil.evaluation.charts import Axis

WIDTH, LEFT, RIGHT = 860, 210, 24  # [px]
DOT_ROW, ROW_GAP, HEAD, FOOT, GAP = 11, 9, 26, 22, 18  # [px]: a suite's row, between variants, of a panel
LINES = 230  # [px], height of a panel of lines
NAMES = (27, 20)  # letters of a variant's name that have room, alone and with a mark
COLOURS = (
    *(("#2a68b0", "#6ea8e8"), ("#c4622d", "#eb935f"), ("#1c9a78", "#35b892"), ("#7a6fd0", "#a097ec")),
    *(("#b5367f", "#e07fb4"), ("#9a7400", "#e9b744"), ("#6a6963", "#a3a29c")),
)  # of the suites, on a light page and on a dark one
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """Variants of one axis under each other, or from left to right by how many demonstrations they had."""

    axis: str
    rows: Sequence[Row]
    line: bool


def figure(results: Mapping[str, Any]) -> Markup:
    """The whole drawing, with its own style: to stand in a page or alone."""
    suites, base = list(results["suites"]), results["base"]
    drawn = [row for row in (base, *results["rows"]) if row["suites"]]
    lows = [cell["low"] for row in drawn for cell in row["suites"].values()]
    least = math.floor(10 * min(lows, default=0.0)) / 10
    least = least if least >= 0.3 else 0.0
    body, top = _legend(suites), 34.0
    for panel in _panels(results):
        draw = _lines if panel.line else _dots
        part, height = draw(panel, suites, base=base, least=least)
        body += Markup('<g transform="translate(0 {:.0f})">{}</g>').format(top, part)
        top += height + GAP
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="ablation" width="{w}" height="{h:.0f}" '
        'viewBox="0 0 {w} {h:.0f}" role="img"><style>{style}</style>'
        '<rect class="paper" width="100%" height="100%"/>{body}</svg>'
    ).format(w=WIDTH, h=top, style=Markup(_style()), body=body)


def _panels(results: Mapping[str, Any]) -> list[Panel]:
    axes = dict.fromkeys(row["axis"] for row in results["rows"])
    panels = [Panel(axis, [r for r in results["rows"] if r["axis"] == axis], axis in results["lines"]) for axis in axes]
    return sorted(panels, key=lambda panel: panel.line)


def _legend(suites: Sequence[str]) -> Markup:
    body, x = Markup(""), float(LEFT)
    for number, suite in enumerate(suites):
        body += Markup('<circle class="f{}" cx="{:.0f}" cy="13" r="4"/><text class="name" x="{:.0f}" y="17">{}</text>')
        body = body.format(number % len(COLOURS), x + 4, x + 13, suite)
        x += 34 + 7 * len(suite)
    return body + Markup('<text class="ticks" x="{}" y="17" text-anchor="end">success, 95 % interval</text>').format(
        WIDTH - RIGHT
    )


def _dots(panel: Panel, suites: Sequence[str], *, base: Row, least: float) -> tuple[Markup, float]:
    x, each = Axis(least, 1.0, LEFT, WIDTH - RIGHT), DOT_ROW * len(suites) + ROW_GAP
    bottom = HEAD + each * len(panel.rows)
    body = _title(panel) + _grid(x, bottom)
    body += Markup("").join(_base_mark(base, suite, number, x, bottom) for number, suite in enumerate(suites))
    for place, row in enumerate(panel.rows):
        top = HEAD + each * place
        body += _name(row, base, y=top + each / 2 + 4)
        for number, suite in enumerate(suites):
            y = top + ROW_GAP / 2 + DOT_ROW * (number + 0.5)
            body += _dot(row["suites"].get(suite), number, x, y=y, told=f"{row['variant']}, {suite}")
    return body, bottom + FOOT


def _dot(cell: Row | None, number: int, x: Axis, *, y: float, told: str) -> Markup:
    if cell is None:
        return Markup("")
    colour = number % len(COLOURS)
    body = Markup(
        '<g><title>{}: {}</title><line class="s{c}" x1="{:.1f}" x2="{:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    ).format(told, _said(cell), x(cell["low"]), x(cell["high"]), y=y, c=colour)
    spread = cell["rates"] if len(cell["rates"]) > 1 else ()
    body += Markup("").join(
        Markup('<circle class="seed s{}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(colour, x(rate), y)
        for rate in spread
    )
    return body + Markup('<circle class="f{}" cx="{:.1f}" cy="{:.1f}" r="4"/></g>').format(colour, x(cell["rate"]), y)


def _said(cell: Row) -> str:
    rate, low, high = (100 * cell[key] for key in ("rate", "low", "high"))
    return f"{rate:.1f} % [{low:.1f}, {high:.1f}], n = {cell['n']}"


def _base_mark(base: Row, suite: str, number: int, x: Axis, bottom: float) -> Markup:
    """Where the base is, through all rows."""
    if suite not in base["suites"]:
        return Markup("")
    return Markup('<line class="base s{}" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{:.1f}"/>').format(
        number % len(COLOURS), HEAD, bottom, x=x(base["suites"][suite]["rate"])
    )


def _title(panel: Panel) -> Markup:
    return Markup('<text class="title" x="8" y="16">{}</text>').format(panel.axis)


def _name(row: Row, base: Row, *, y: float) -> Markup:
    mark = "not done" if not row["suites"] else "base" if row["name"] == base["name"] else ""
    most = NAMES[bool(mark)]
    name = row["variant"] if len(row["variant"]) <= most else row["variant"][: most - 1] + "…"
    return Markup(
        '<text class="name" x="{}" y="{:.1f}" text-anchor="end"><title>{}</title>'
        '{} <tspan class="ticks">{}</tspan></text>'
    ).format(LEFT - 12, y, row["variant"], name, mark)


def _grid(x: Axis, bottom: float) -> Markup:
    return Markup("").join(
        Markup(
            '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{:.1f}"/>'
            '<text class="ticks" x="{x:.1f}" y="{:.1f}" text-anchor="middle">{:.0f} %</text>'
        ).format(HEAD, bottom, bottom + 15, 100 * value, x=x(value))
        for value in x.ticks()
    )


def _lines(panel: Panel, suites: Sequence[str], *, base: Row, least: float) -> tuple[Markup, float]:
    rows = sorted((row for row in panel.rows if row["suites"] and row["episodes"]), key=lambda row: row["episodes"])
    body = _title(panel)
    if not rows:
        return body + Markup('<text class="ticks" x="{}" y="16">not done</text>').format(LEFT), HEAD + FOOT
    counts = [row["episodes"] for row in rows]
    low, high = counts[0], counts[-1]
    x = Axis(low * 0.9, high * 1.1, LEFT, WIDTH - RIGHT, log=high > 3 * low)
    y = Axis(least, 1.0, HEAD + LINES, HEAD)
    body += _levels(y) + _counts(rows, x)
    for number, suite in enumerate(suites):
        body += _line(rows, suite, number, x, y, aside=7 * (number - (len(suites) - 1) / 2))
    return body, HEAD + LINES + FOOT + 30


def _line(rows: Sequence[Row], suite: str, number: int, x: Axis, y: Axis, *, aside: float) -> Markup:
    """aside [px]: that intervals of several suites stand beside each other."""
    known, colour = [row for row in rows if suite in row["suites"]], number % len(COLOURS)
    places = [(x(row["episodes"]) + aside, row["suites"][suite], row["variant"]) for row in known]
    path = " ".join(f"{at:.1f},{y(cell['rate']):.1f}" for at, cell, _ in places)
    body = Markup('<polyline class="line s{}" points="{}"/>').format(colour, path)
    for at, cell, name in places:
        body += Markup(
            '<g><title>{}, {}: {}</title><line class="s{c}" x1="{x:.1f}" x2="{x:.1f}" y1="{:.1f}" y2="{:.1f}"/>'
            '<circle class="f{c}" cx="{x:.1f}" cy="{:.1f}" r="4"/></g>'
        ).format(name, suite, _said(cell), y(cell["low"]), y(cell["high"]), y(cell["rate"]), x=at, c=colour)
    return body


def _levels(y: Axis) -> Markup:
    return Markup("").join(
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
            '<text class="ticks" x="{}" y="{:.1f}" text-anchor="end">{:.0f} %</text>'
        ).format(LEFT, WIDTH - RIGHT, LEFT - 6, y(value) + 3.5, 100 * value, y=y(value))
        for value in y.ticks()
    )


def _counts(rows: Sequence[Row], x: Axis) -> Markup:
    """Under each point how many demonstrations it is of, on a second line where the one before is near."""
    body, last, level = Markup(""), -math.inf, 0
    for row in rows:
        at = x(row["episodes"])
        level = 1 - level if at - last < 44 else 0
        body += Markup('<text class="ticks" x="{:.1f}" y="{}" text-anchor="middle">{:.0f}</text>').format(
            at, HEAD + LINES + 16 + 12 * level, row["episodes"]
        )
        last = at
    return body + Markup('<text class="ticks" x="{}" y="{}" text-anchor="middle">demonstrations{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, HEAD + LINES + 44, " (log)" if x.log else ""
    )


def _style() -> str:
    """Of this drawing alone, light and dark."""
    light = "".join(f"--f{number}:{one};" for number, (one, _) in enumerate(COLOURS))
    dark = "".join(f"--f{number}:{other};" for number, (_, other) in enumerate(COLOURS))
    kinds = "".join(
        f".ablation .f{number}{{fill:var(--f{number})}}.ablation .s{number}{{stroke:var(--f{number});stroke-width:1.8}}"
        for number in range(len(COLOURS))
    )
    return (
        f".ablation{{--text:#1d1d1b;--muted:#6a6963;--line:#e3e1db;--paper:#ffffff;{light}"
        "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
        "@media (prefers-color-scheme:dark){.ablation{--text:#ececea;--muted:#a3a29c;--line:#34363a;--paper:#1d1f22;"
        f"{dark}}}}}{kinds}"
        ".ablation .paper{fill:var(--paper)}.ablation .title{fill:var(--text);font-size:14px;font-weight:600}"
        ".ablation .name{fill:var(--text);font-size:12.5px}.ablation .ticks{fill:var(--muted);font-size:11px}"
        ".ablation .grid{stroke:var(--line);stroke-width:1}.ablation .line{fill:none;stroke-linejoin:round}"
        ".ablation .base{stroke-width:1;stroke-dasharray:3 3;opacity:.6}"
        ".ablation .seed{fill:var(--paper);stroke-width:1.1}"
    )
