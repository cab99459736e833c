"""Episodes to play in a browser: every frame of every camera, and the signals of the same instant.

A camera's frames lie side by side in one JPEG, of which the page shows one tile at a time: no codec is needed, and an
instant is exactly that instant. Signals are lines in an SVG that a cursor runs along.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from data_tools.mapped import shown
from data_tools.survey import axes_of
from mmil.contracts import Episode, Spec
from mmil.data.shards import Row
from mmil.evaluation.page import picture
from mmil.limits import UNITS

SCRIPT = Path(__file__).parent / "templates" / "player.js"
EPISODES = 12
BUDGET = 6_000_000  # [bytes] of all their pictures
INSTANTS = 100  # of an episode; a longer one is shown every second or third
HEIGHT = 160  # [pixels], of a frame
QUALITY = 78
TRACK = (300, 64)  # [pixels], width and height of a signal
LINES = 7  # in one drawing


def to_play(rows: Sequence[Row]) -> list[int]:
    """The longest, failures, and one of ordinary length a verb: there the trouble shows."""
    by_length = sorted(rows, key=lambda row: row.steps)
    failed = [row for row in rows if row.outcome != "success"]
    of_verb: dict[str, list[Row]] = defaultdict(list)
    for row in by_length:
        of_verb[row.goal.verb].append(row)
    typical = [of_verb[verb][len(of_verb[verb]) // 2] for verb in sorted(of_verb)]
    wanted = [*by_length[-1:], *failed[:2], *typical, *by_length[:1]]
    return list(dict.fromkeys(row.index for row in wanted))[:EPISODES]


def script() -> tuple[Markup, str]:
    """What runs in the page, and its hash: the page's policy lets nothing else run."""
    text = SCRIPT.read_text()
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def playable(episode: Episode, spec: Spec, *, index: int) -> dict[str, Any]:
    """What the page needs of an episode."""
    instants = _instants(len(episode.actions) + 1)
    return {
        "index": index,
        "instants": instants.tolist(),
        "seconds": 1 / spec.control_hz,
        "cameras": [(name, *_mosaic(images[instants])) for name, images in shown(episode).items()],
        "tracks": list(_tracks(episode, spec, instants)),
    }


def weight(item: dict[str, Any]) -> int:
    """[bytes] of its pictures in the page."""
    return sum(len(source) for _, source, _, _, _ in item["cameras"])


def _instants(count: int) -> np.ndarray:
    """Which of `count` are shown; the last one always is."""
    every = -(-count // INSTANTS)
    return np.unique(np.append(np.arange(0, count, every), count - 1))


def _mosaic(images: np.ndarray) -> tuple[str, int, int, float]:
    """JPEG of all tiles, columns and rows of them, and how wide a tile is for its height."""
    import cv2

    height, width = images.shape[1:3]
    scale = min(1.0, HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tiles = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    columns = int(np.ceil(np.sqrt(len(tiles) * size[1] / size[0])))
    rows = -(-len(tiles) // columns)
    tiles += [np.zeros_like(tiles[0])] * (rows * columns - len(tiles))
    mosaic = np.concatenate([np.concatenate(tiles[at * columns : (at + 1) * columns], axis=1) for at in range(rows)])
    return picture(mosaic, quality=QUALITY), columns, rows, width / height


def _tracks(episode: Episode, spec: Spec, instants: np.ndarray) -> Iterator[dict[str, Any]]:
    """A drawing an array: the actions, then the signals, of which those of cameras are poses that hardly move."""
    steps = np.minimum(instants, max(0, len(episode.actions) - 1))
    if len(episode.actions):
        yield _track("action", "", spec.action, episode.actions[steps])
    for name, values in episode.signals.items():
        if name.startswith("camera_") or not values.size:
            continue
        # of several readings a step, their mean
        flat = values.reshape(len(values), -1, values.shape[-1] if values.ndim > 1 else 1).mean(axis=1)[instants]
        if name == "wrench" and flat.shape[1] == 6:
            yield _track("force", "N", "xyz", flat[:, :3])
            yield _track("torque", "N·m", "xyz", flat[:, 3:])
            continue
        names = axes_of(name)
        names = names if len(names) == flat.shape[1] else tuple(str(i + 1) for i in range(flat.shape[1]))
        yield _track(name, UNITS.get(name, ""), names[:LINES], flat[:, :LINES])


def _track(name: str, unit: str, axes: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    """Lines of values (n, D) over the instants, and the span they are drawn in."""
    low, high = float(values.min()), float(values.max())
    (width, height), span = TRACK, (high - low) or 1.0
    x = np.linspace(0, width, len(values)) if len(values) > 1 else np.zeros(1)
    y = height - 4 - (values - low) / span * (height - 8)
    points = [" ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, line, strict=True)) for line in y.T]
    lines = "".join(f'<polyline class="c{axis}" points="{line}"/>' for axis, line in enumerate(points, start=1))
    drawing = (
        f'<svg class="track" viewBox="0 0 {width} {height}" preserveAspectRatio="none">{lines}'
        f'<line class="cursor" x1="0" x2="0" y1="0" y2="{height}"/></svg>'
    )
    return {"name": name, "unit": unit, "axes": list(axes), "low": low, "high": high, "drawing": Markup(drawing)}
