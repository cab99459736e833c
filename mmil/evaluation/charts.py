"""Small drawings as inline SVG that follow the colours of the page, light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from markupsafe import Markup

from mmil.evaluation.statistics import Interval

LEFT, RIGHT, TOP, BOTTOM = 52.0, 14.0, 12.0, 38.0  # margins [px]


@dataclass(frozen=True)
class Axis:
    """One direction of a drawing: data in [low, high] → pixels in [start, end]."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if not self.log:
            return nice_ticks(self.low, self.high)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        candidates = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        return [value for value in candidates if self.low <= value <= self.high]


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers inside [low, high], 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.75 * raw)
    return [round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def interval_bar(interval: Interval, *, width: int = 150) -> Markup:
    """0 to 100 %, the interval as a band, the rate as a line."""
    if not interval.n:
        return Markup("")
    x = Axis(0, 1, 4, width - 4)
    ticks = "".join(
        f'<line class="tick" x1="{x(v):.1f}" x2="{x(v):.1f}" y1="4" y2="18"/>' for v in (0, 0.25, 0.5, 0.75, 1)
    )
    low, rate, high = x(interval.low), x(interval.rate), x(interval.high)
    return Markup(
        f'<svg class="interval" width="{width}" height="22" viewBox="0 0 {width} 22" role="img">'
        f"<title>{interval}</title>{ticks}"
        f'<line class="tick" x1="4" x2="{width - 4}" y1="11" y2="11"/>'
        f'<rect class="band" x="{low:.1f}" y="6" width="{max(2.0, high - low):.1f}" height="10" rx="3"/>'
        f'<rect class="rate" x="{rate - 1.5:.1f}" y="3" width="3" height="16" rx="1.5"/></svg>'
    )


def altered_bars(rows: Sequence[Mapping[str, Any]], *, intact: float, most: float | None, width: int = 720) -> Markup:
    """Success and change of the actions, a line for each input and way; dashed where the intact policy is."""
    shares = [row["action_change"] / most if most else 0.0 for row in rows]  # of what another trial's inputs change
    success, moved = Axis(0, 1, 190, 450), Axis(0, max(1.0, *shares), 490, width - 40)
    bottom = TOP + 18 * len(rows)
    body, last = Markup(""), ""
    for number, (row, share) in enumerate(zip(rows, shares, strict=True)):
        name, last = "" if row["input"] == last else row["input"], row["input"]
        body += _altered(row, name, success, moved, y=TOP + 18 * number, share=share)
    marks = [*((success, v) for v in (0, 0.5, 1)), *((moved, v) for v in (0, 1))]
    grid = Markup("").join(
        Markup(
            '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>'
            '<text class="ticks" x="{x:.1f}" y="{}" text-anchor="middle">{:.0f} %</text>'
        ).format(TOP, bottom, bottom + 14, 100 * value, x=axis(value))
        for axis, value in marks
    )
    titles = Markup("").join(
        Markup('<text class="label" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, bottom + 31, title)
        for x, title in ((success(0.5), "success; dashed: intact"), (moved(0.5), "change of its actions"))
    )
    return Markup(
        '<svg class="chart" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img">{grid}{body}{titles}'
        '<line class="line l2" stroke-dasharray="4 3" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/></svg>'
    ).format(w=width, h=bottom + 38, grid=grid, body=body, titles=titles, x=success(intact), top=TOP, bottom=bottom)


def _altered(row: Mapping[str, Any], name: str, success: Axis, moved: Axis, *, y: float, share: float) -> Markup:
    box = Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="10" rx="2"><title>{}</title></rect>')
    body = Markup('<text class="ticks" x="4" y="{y}">{}</text><text class="ticks" x="110" y="{y}">{}</text>').format(
        name, row["how"], y=y + 11
    )
    body += box.format("s2", moved(0), y + 2, max(1.0, moved(share) - moved(0)), f"{100 * share:.0f} %")
    if not row["used"]:
        return body + Markup('<text class="ticks" x="{:.1f}" y="{}">no input</text>').format(success(0) + 4, y + 11)
    if "points" not in row:
        return body
    told = f"{row['successes']}/{row['n']}"
    body += box.format("s1", success(0), y + 2, max(1.0, success(row["rate"]) - success(0)), told)
    return body + Markup('<line class="whisker" x1="{:.1f}" x2="{:.1f}" y1="{y}" y2="{y}"/>').format(
        success(row["low"]), success(row["high"]), y=y + 7
    )


def spark(values: Sequence[float], *, width: int = 100, height: int = 24, bins: int = 24) -> Markup:
    """A histogram without axes."""
    counts, _ = np.histogram(np.asarray(values, dtype=float), bins=bins)
    bar, top = width / bins, max(1, counts.max())
    bars = "".join(
        f'<rect class="s1" x="{i * bar:.1f}" y="{height - height * c / top:.1f}" width="{bar - 1:.1f}"'
        f' height="{height * c / top:.1f}"/>'
        for i, c in enumerate(counts)
    )
    return Markup(f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}">{bars}</svg>')


def histogram(values: Sequence[float], *, x_label: str, y_label: str, size: tuple[int, int] = (520, 220)) -> Markup:
    """Counts of `values`; integers get a bar each while there are few of them."""
    array = np.asarray(values, dtype=float)
    low, high = array.min(), array.max()
    whole = bool(np.all(array == np.round(array)))
    width = max(1, math.ceil((high - low + 1) / 40)) if whole else max((high - low) / 30, 1e-9)
    edges = np.arange(low - 0.5 * whole, high + width, width)
    counts, edges = np.histogram(array, bins=edges if len(edges) > 1 else 1)
    frame = _Frame(x=(edges[0], edges[-1]), y=(0, max(1, counts.max()) * 1.05), size=size)
    bars = "".join(
        f'<rect class="s1" x="{frame.x(a) + 0.5:.1f}" y="{frame.y(c):.1f}"'
        f' width="{max(1.0, frame.x(b) - frame.x(a) - 1):.1f}" height="{frame.y(0) - frame.y(c):.1f}">'
        f"<title>{c}</title></rect>"
        for c, a, b in zip(counts, edges, edges[1:], strict=False)
        if c
    )
    return frame.draw(Markup(bars), x_label=x_label, y_label=y_label)


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
    size: tuple[int, int] = (640, 280),
) -> Markup:
    """One line a name; the vertical axis is logarithmic where the values span more than a decade."""
    points = np.array([point for line in series.values() for point in line], dtype=float)
    low, high = points.min(axis=0), points.max(axis=0)
    log = bool(low[1] > 0 and high[1] / low[1] > 10)
    frame = _Frame(x=(low[0], high[0]), y=(low[1], high[1]), size=size, log=log)
    body = Markup("")
    for number, (name, line) in enumerate(series.items(), start=1):
        path = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in line)
        dots = "".join(
            f'<circle class="s{number}" cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="2.6">'
            f"<title>{a:g}: {b:.4g}</title></circle>"
            for a, b in (line if len(line) <= 60 else line[-1:])
        )
        body += Markup('<g><title>{}</title><polyline class="line l{}" points="{}"/>{}</g>').format(
            name, number, path, Markup(dots)
        )
    return frame.draw(body, x_label=x_label, y_label=y_label + (" (log)" if log else ""))


def scatter(
    points: Sequence[tuple[float, float, str]], *, x_label: str, y_label: str, size: tuple[int, int] = (320, 260)
) -> Markup:
    """(x, y, CSS colour or '') with the same scale in both directions."""
    frame = _even_frame(np.array([point[:2] for point in points], dtype=float), size)
    dots = Markup("").join(
        Markup('<circle class="{}" {} cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
            "dot" if colour else "dot s1",
            Markup('style="fill:{}"').format(colour) if colour else "",
            frame.x(a),
            frame.y(b),
            2.2 if len(points) > 400 else 3,
        )
        for a, b, colour in points
    )
    return frame.draw(dots, x_label=x_label, y_label=y_label)


def density(
    xy: np.ndarray, *, x_label: str, y_label: str, size: tuple[int, int] = (320, 260), cells: int = 44
) -> Markup:
    """Where points (N, 2) lie close together: the stronger, the more; the same scale in both directions."""
    frame = _even_frame(np.asarray(xy, dtype=float), size)
    inner = np.array([frame.x.end - frame.x.start, frame.y.start - frame.y.end])
    side = inner.max() / cells  # [px]
    edges = [
        np.linspace(axis.low, axis.high, round(pixels / side) + 1)
        for axis, pixels in zip((frame.x, frame.y), inner, strict=True)
    ]
    counts, (across, up) = np.histogramdd(np.asarray(xy, dtype=float), bins=edges)
    strength = np.sqrt(counts / max(1.0, counts.max()))
    body = "".join(
        f'<rect class="s1" fill-opacity="{0.12 + 0.88 * strength[i, j]:.2f}" x="{frame.x(across[i]):.1f}"'
        f' y="{frame.y(up[j + 1]):.1f}" width="{frame.x(across[i + 1]) - frame.x(across[i]) + 0.3:.1f}"'
        f' height="{frame.y(up[j]) - frame.y(up[j + 1]) + 0.3:.1f}"/>'
        for i, j in np.argwhere(counts)
    )
    return frame.draw(Markup(body), x_label=x_label, y_label=y_label)


def _even_frame(xy: np.ndarray, size: tuple[int, int]) -> _Frame:
    """Room for the points (N, 2), as many pixels a unit in one direction as in the other."""
    centre, span = (xy.min(axis=0) + xy.max(axis=0)) / 2, np.maximum(np.ptp(xy, axis=0), 1e-6) * 1.1
    inner = np.array([size[0] - LEFT - RIGHT, size[1] - TOP - BOTTOM])
    half = (span / inner).max() * inner / 2
    return _Frame(x=(centre[0] - half[0], centre[0] + half[0]), y=(centre[1] - half[1], centre[1] + half[1]), size=size)


class _Frame:
    """Axes, grid and labels around a drawing."""

    def __init__(
        self, *, x: tuple[float, float], y: tuple[float, float], size: tuple[int, int], log: bool = False
    ) -> None:
        self.width, self.height = size
        self.x = Axis(*_apart(*x), LEFT, self.width - RIGHT)
        self.y = Axis(*(y if log and y[1] > y[0] else _apart(*y)), self.height - BOTTOM, TOP, log=log)

    def draw(self, body: Markup, *, x_label: str, y_label: str) -> Markup:
        grid = Markup("").join(
            [self._tick(v, "x") for v in self.x.ticks()] + [self._tick(v, "y") for v in self.y.ticks()]
        )
        middle = (TOP + self.height - BOTTOM) / 2
        return Markup(
            '<svg class="chart" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img">{grid}{body}'
            '<text class="label" x="{x}" y="{y}" text-anchor="middle">{x_label}</text>'
            '<text class="label" text-anchor="middle" transform="translate(12 {middle}) rotate(-90)">{y_label}</text>'
            "</svg>"
        ).format(
            w=self.width, h=self.height, grid=grid, body=body, middle=middle, x_label=x_label, y_label=y_label,
            x=(LEFT + self.width - RIGHT) / 2, y=self.height - 6,
        )  # fmt: skip

    def _tick(self, value: float, along: Literal["x", "y"]) -> Markup:
        bottom, right = self.height - BOTTOM, self.width - RIGHT
        if along == "x":
            at = self.x(value)
            line, place = (at, TOP, at, bottom), (at, bottom + 14, "middle")
        else:
            at = self.y(value)
            line, place = (LEFT, at, right, at), (LEFT - 6, at + 3.5, "end")
        return Markup(
            '<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
            '<text class="ticks" x="{:.1f}" y="{:.1f}" text-anchor="{}">{:g}</text>'
        ).format(*line, *place, value)


def _apart(low: float, high: float) -> tuple[float, float]:
    if high > low:
        return low, high
    return low - max(abs(low) * 0.05, 0.5), high + max(abs(high) * 0.05, 0.5)
