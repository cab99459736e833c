"""`mmil inspect`: a data set card, one HTML file that shows what is in a data set before anything is trained on it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.survey import UNITS, Survey
from data_tools.wording import take_apart
from mmil.contracts import OUTCOMES, Episode, Goal
from mmil.data.dataset import Dataset
from mmil.data.shards import Row
from mmil.evaluation.charts import histogram, scatter, spark
from mmil.evaluation.facts import flatten
from mmil.evaluation.page import amount, data_uri, picture, size, write_page
from mmil.evaluation.video import write_video
from mmil.progress import progress

TEMPLATES = Path(__file__).parent / "templates"
SHEET_EPISODES = 12
FRAMES_STILL = 0.02  # share of frames equal to the one before, above which the card says so


def inspect(path: Path | str, *, out: Path | str | None = None) -> Path:
    """Write the card of the data set at `path`, to card.html in it where `out` is None; episodes pass one at a time."""
    dataset = Dataset.open(path)
    target = Path(out) if out else dataset.path / "card.html"
    target = target / "card.html" if target.is_dir() else target
    survey = Survey(dataset.spec, steps=[row.steps for row in dataset.rows])
    on_sheet, on_film = _spread(len(dataset), SHEET_EPISODES), _to_film(dataset.rows)
    sheet, films = [], []
    for index in progress(range(len(dataset)), "reading", total=len(dataset), unit="episodes"):
        episode = dataset.episode(index)
        survey.add(episode)
        if index in on_sheet:
            sheet.append(_strips(episode))
        if index in on_film and episode.images:
            films.append({**_about(episode), "source": _film(episode, control_hz=dataset.spec.control_hz)})
    views = {**_counts(dataset), **_coverage(survey), "sheet": sheet, "films": films}
    views["notes"] = _notes(dataset, survey)
    return write_page(target, "card.html.j2", folders=[TEMPLATES], outcomes=OUTCOMES, **views)


def _spread(count: int, wanted: int) -> set[int]:
    return set(np.linspace(0, max(0, count - 1), min(wanted, count)).round().astype(int).tolist())


def _to_film(rows: Sequence[Row]) -> set[int]:
    """An episode of ordinary length and the longest one: there the trouble shows."""
    by_length = sorted(rows, key=lambda row: row.steps)
    return {by_length[len(rows) // 2].index, by_length[-1].index} if rows else set()


def _about(episode: Episode) -> dict[str, Any]:
    return {
        "goal": str(episode.goal),
        "instruction": episode.instruction,
        "outcome": episode.outcome,
        "steps": len(episode.actions),
        "seed": episode.seed,
    }


def _strips(episode: Episode) -> dict[str, Any]:
    """First, middle and last frame of every camera."""
    at = (0, len(episode.actions) // 2, len(episode.actions))
    return {**_about(episode), "frames": [picture(images[i]) for images in episode.images.values() for i in at]}


def _film(episode: Episode, *, control_hz: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "film.mp4", episode.images, control_hz=control_hz)
        return data_uri(path.read_bytes(), "video/mp4")


def _counts(dataset: Dataset) -> dict[str, Any]:
    """What index and manifest say."""
    rows, manifest, spec = dataset.rows, dataset.manifest, dataset.spec
    steps = [row.steps for row in rows]
    hours = sum(steps) / spec.control_hz / 3600
    outcomes = Counter(row.outcome for row in rows)
    listed = [(Goal.from_json(row["goal"]), text) for row in manifest["sentences"] for text in row["sentences"]]
    return {
        "title": dataset.path.resolve().name,
        "path": str(dataset.path),
        "scene": spec.scene,
        "tiles": [
            ("episodes", amount(len(rows))),
            ("steps", amount(sum(steps))),
            ("of robot time", f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"),
            ("on disk", size(sum(shard["bytes"] for shard in manifest["shards"]))),
            ("goals", amount(len({row.goal for row in rows}))),
            ("different sentences", amount(len({row.instruction for row in rows}))),
            ("failed attempts, left out", amount(manifest["failed_attempts"])),
        ],
        "goals": _goals(rows),
        "outcome_counts": {name: outcomes[name] for name in OUTCOMES},
        "splits": dict(Counter(row.split for row in rows)),
        "lengths": histogram(steps, x_label="steps in an episode", y_label="episodes") if steps else None,
        "wording": take_apart([(row.goal, row.instruction) for row in rows], listed),
        "config": [(key, amount(value)) for key, value in flatten(manifest["config"]).items()],
        "spec": [(key, amount(value)) for key, value in flatten(spec.to_json()).items()],
    }


def _goals(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Episodes a goal: shapes down, colours across, a table a verb."""
    counts = Counter((row.goal.verb, row.goal.object) for row in rows)
    shapes, colours = ({getattr(thing, part) for _, thing in counts} for part in ("shape", "colour"))
    tables = []
    for verb in sorted({verb for verb, _ in counts}):
        found = {(thing.shape, thing.colour): count for (name, thing), count in counts.items() if name == verb}
        cells = [(shape, [found.get((shape, colour), 0) for colour in sorted(colours)]) for shape in sorted(shapes)]
        tables.append({"verb": verb, "colours": sorted(colours), "rows": cells, "most": max(found.values())})
    return tables


def _coverage(survey: Survey) -> dict[str, Any]:
    """What was measured and drawn."""
    signals = [(name, UNITS.get(name, ""), ranges.result()) for name, ranges in survey.signals.items() if ranges.sample]
    actions = [("action", "−1 … 1", survey.actions.result())] if survey.actions.sample else []
    cameras = [_camera(survey, name) for name in survey.pictures]
    others = {name: values for name, values in survey.draws.items() if not name.startswith("cameras.")}
    return {
        "signals": actions + signals,
        "cameras": cameras,
        "relabelled": survey.relabelled,
        "objects": _objects(survey),
        "draws": _parameters(others),
        "words": [(name, ", ".join(f"{word} ({n})" for word, n in c.items())) for name, c in survey.words.items()],
    }


def _camera(survey: Survey, name: str) -> dict[str, Any]:
    """Where a camera stood, from above and from the side, and each of its parameters."""
    prefix = f"cameras.{name}."
    mine = {key.removeprefix(prefix): values for key, values in survey.draws.items() if key.startswith(prefix)}
    plots = []
    for place in ("position", "offset"):
        xyz = [mine.get(f"{place}.{axis}", []) for axis in "xyz"]
        if all(xyz) and len({len(values) for values in xyz}) == 1:
            x, y, z = xyz
            none = [""] * len(x)
            plots.append(("from above", scatter([*zip(y, x, none, strict=True)], x_label="y [m]", y_label="x [m]")))
            plots.append(("from the side", scatter([*zip(x, z, none, strict=True)], x_label="x [m]", y_label="z [m]")))
            break
    pictures = survey.pictures[name]
    return {
        "name": name,
        "plots": plots,
        "parameters": _parameters(mine),
        "brightness": spark(pictures.brightness) if pictures.brightness else None,
        "still": pictures.still / max(1, pictures.frames),
    }


def _parameters(draws: dict[str, list[float]]) -> list[tuple[str, str, str, str, Any]]:
    """name, least, median, most, histogram; what never changes has none."""
    rows = []
    for name, values in draws.items():
        low, middle, high = (amount(float(v)) for v in np.percentile(values, (0, 50, 100)))
        rows.append((name, low, middle, high, spark(values) if min(values) < max(values) else None))
    return rows


def _objects(survey: Survey) -> Any:
    """Where things lay, each in its own colour, seen from above."""
    if not survey.objects:
        return None
    points = [(y, x, _css(rgb) if rgb else "") for x, y, rgb in survey.objects]
    return scatter(points, x_label="y [m]", y_label="x [m]", size=(460, 340))


def _css(rgb: Sequence[float]) -> str:
    return f"rgb({', '.join(str(round(255 * part)) for part in rgb)})"


def _notes(dataset: Dataset, survey: Survey) -> list[str]:
    """What a person should look at before training on it."""
    notes = [
        f"{len(keys)} episodes begin in the very same state: {', '.join(keys[:4])}" for keys in survey.duplicates[:5]
    ]
    for name, pictures in survey.pictures.items():
        if pictures.still > FRAMES_STILL * pictures.frames:
            share = 100 * pictures.still / pictures.frames
            notes.append(f"camera {name}: {share:.1f} % of the frames equal the one before; does it still render?")
    for name, ranges in survey.signals.items():
        found = ranges.result() if ranges.sample else []
        constant, far = [item.axis for item in found if item.constant], [item.axis for item in found if item.far]
        if constant:
            notes.append(f"{name} ({', '.join(constant)}) never changes")
        if far:
            notes.append(f"{name} ({', '.join(far)}) has outliers far outside its 1 %–99 % span: contacts, or a fault?")
    for table in _goals(dataset.rows):
        pairs = [
            (f"{colour} {shape}", n)
            for shape, cells in table["rows"]
            for colour, n in zip(table["colours"], cells, strict=True)
        ]
        if empty := [name for name, count in pairs if not count]:
            notes.append(f"no episode asks to {table['verb']} the {', '.join(empty)}")
    return notes
