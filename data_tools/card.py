"""The parts of a data set card, from what was surveyed to what a template shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tools.coverage import coverage
from data_tools.skills import is_told
from data_tools.survey import Survey
from data_tools.wording import take_apart
from mmil.contracts import Thing, UserError
from mmil.data.dataset import Dataset
from mmil.data.sentences import read_sentences
from mmil.evaluation.charts import density, scatter, spark
from mmil.evaluation.page import amount, size
from mmil.limits import UNITS

FRAMES_STILL = 0.02  # share of frames equal to the one before, above which the card says so
MANNERS = {  # of the plain median: at least, at most
    ("slowly", "path_speed"): (0.0, 0.6),
    ("gently", "peak_force"): (0.0, 0.7),
    ("quickly", "path_speed"): (1.15, np.inf),
}
MEASURES = {"path_speed": "m/s", "peak_force": "N"}
LISTED = 4  # names in a note


def tiles(dataset: Dataset) -> list[tuple[str, str]]:
    """The figures a person asks for first."""
    rows, manifest = dataset.rows, dataset.manifest
    steps = sum(row.steps for row in rows)
    hours = steps / dataset.spec.control_hz / 3600
    held = sum(shard["bytes"] for shard in manifest["shards"])
    return [
        ("episodes", amount(len(rows))),
        ("steps", amount(steps)),
        ("of robot time", f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"),
        ("on disk", size(held)),
        ("skills", amount(len({row.goal.verb for row in rows}))),
        ("goals", amount(len({row.goal for row in rows}))),
        ("different sentences", amount(len({row.instruction for row in rows}))),
        ("failed attempts, left out", amount(manifest["failed_attempts"])),
    ]


def costs(dataset: Dataset, members: Mapping[str, int]) -> list[tuple[str, str]]:
    """What an episode takes."""
    rows = dataset.rows
    if not rows:
        return []
    sizes, steps = np.array([row.size for row in rows]), np.array([row.steps for row in rows])
    low, middle, high = np.percentile(sizes, (0, 50, 100))
    kinds = ", ".join(f"{kind} {size(count / len(rows))}" for kind, count in sorted(members.items()))
    return [
        ("bytes", f"{size(middle)} in the median ({size(low)} to {size(high)})"),
        ("of which on average", f"{kinds}; the rest is the archive's"),
        ("bytes a step", size(sizes.sum() / max(1, steps.sum()))),
        ("steps", f"{np.median(steps):.0f} in the median ({steps.min()} to {steps.max()})"),
        ("robot time", f"{np.median(steps) / dataset.spec.control_hz:.1f} s in the median"),
        ("attempts", f"{sum(row.attempts for row in rows) / len(rows):.2f} on average"),
    ]


def sentence_views(dataset: Dataset) -> dict[str, Any]:
    """What was said: taken apart, held against the bank, and as it is where a goal is nothing but its sentence."""
    told = [row for row in dataset.rows if is_told(row)]
    said = [(row.goal, row.instruction) for row in dataset.rows if not is_told(row)]
    listed = [(goal, text) for goal, texts in read_sentences(dataset.manifest).items() for text in texts]
    listed = [(goal, text) for goal, text in listed if goal.object.shape != text]
    bank = _bank()
    foreign = [(goal, text) for goal, text in said if bank is None or goal.verb not in bank.verbs]
    return {
        "wording": take_apart(said, listed),
        "coverage": coverage(said, bank) if bank else [],
        "foreign": take_apart(foreign, listed) if foreign else None,
        "told": Counter(row.instruction for row in told).most_common(),
    }


def _bank() -> Any:
    """The words there are; None where the bank cannot be read, which is for others to tell."""
    from mmil.language.grammar import Grammar

    try:
        return Grammar.load()
    except UserError:
        return None


def measures(survey: Survey) -> list[dict[str, Any]]:
    """A table a measure: skills down, manners across, and what each manner is of the plain median."""
    tables = []
    for name in sorted({name for _, _, name in survey.measures}):
        cells = {(verb, manner): v for (verb, manner, which), v in survey.measures.items() if which == name}
        manners = sorted({manner for _, manner in cells})  # plain is ""
        verbs = sorted({verb for verb, _ in cells})
        rows = [(verb, [_measured(cells, name, verb=verb, manner=manner) for manner in manners]) for verb in verbs]
        tables.append({"name": name, "unit": MEASURES.get(name, ""), "manners": manners, "rows": rows})
    return tables


def _measured(
    cells: Mapping[tuple[str, str], Sequence[float]], name: str, *, verb: str, manner: str
) -> dict[str, Any] | None:
    """Median and spread of a measure; `missed` where the manner is not what its word says."""
    values, plain = cells.get((verb, manner)), cells.get((verb, ""))
    if values is None:
        return None
    low, middle, high = (float(value) for value in np.percentile(values, (5, 50, 95)))
    usual = float(np.median(plain)) if plain is not None and manner else 0.0
    share = middle / usual if usual > 0 else None
    least, most = MANNERS.get((manner, name), (0.0, np.inf))
    missed = share is not None and not least <= share <= most
    texts = {"middle": amount(middle), "low": amount(low), "high": amount(high)}
    return {**texts, "episodes": len(values), "share": share, "missed": missed}


def signal_views(survey: Survey) -> dict[str, Any]:
    """Ranges by signal, and whatever lies far outside."""
    ranges = [("action", "−1 … 1", survey.actions.result())]
    ranges += [(name, UNITS.get(name, ""), found.result()) for name, found in survey.signals.items()]
    ranges = [row for row in ranges if row[2]]
    outliers = [(name, item, item.outliers) for name, _, found in ranges for item in found if item.outliers]
    return {"signals": ranges, "outliers": outliers, "relabelled": survey.relabelled, "unlabelled": survey.unlabelled}


def coverage_views(survey: Survey) -> dict[str, Any]:
    """Where things, the hand and the cameras were, and every other draw."""
    others = {name: values for name, values in survey.draws.items() if not name.startswith("cameras.")}
    return {
        "places": _places(survey),
        "cameras": [_camera(survey, name) for name in survey.pictures],
        "maps": [measured.row() for measured in survey.maps],
        "draws": _parameters(others),
        "words": [(name, ", ".join(f"{word} ({n})" for word, n in c.items())) for name, c in survey.words.items()],
    }


def _places(survey: Survey) -> list[tuple[str, Any]]:
    """Plots of things and hand, from above and from the side."""
    plots: list[tuple[str, Any]] = []
    if survey.objects:
        points = [(y, x, _css(rgb) if rgb else "") for x, y, rgb in survey.objects]
        plots.append(("things as they were drawn, in their colours", scatter(points, x_label="y [m]", y_label="x [m]")))
    for name, places in survey.places.items():
        if name == "end" or not survey.objects:  # which show the start
            plots.append((f"things at the {name}", _from_above(np.concatenate(places))))
    hand = survey.signals["eef_pos_world"].sample if "eef_pos_world" in survey.signals else []
    xyz = np.concatenate(hand) if hand else np.zeros((0, 3))
    if xyz.shape[1] == 3 and len(xyz):
        plots.append(("the hand, from above", _from_above(xyz)))
        plots.append(("the hand, from the side", _from_the_side(xyz)))
    return plots


def _from_above(xyz: np.ndarray) -> Any:
    return density(xyz[:, [1, 0]], x_label="y [m]", y_label="x [m]")


def _from_the_side(xyz: np.ndarray) -> Any:
    return density(xyz[:, [0, 2]], x_label="x [m]", y_label="z [m]")


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
    poses = survey.signals[f"camera_{name}"].sample if f"camera_{name}" in survey.signals else []
    if poses and not plots:  # nobody drew it, but it says where it is
        xyz = np.concatenate(poses)[:, :3]
        plots.append(("from above", _from_above(xyz)))
        plots.append(("from the side", _from_the_side(xyz)))
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


def _css(rgb: Sequence[float]) -> str:
    return f"rgb({', '.join(str(round(255 * part)) for part in rgb)})"


def notes(dataset: Dataset, survey: Survey) -> list[str]:
    """What a person should look at before training on it."""
    found = []
    for kind in survey.twins.result():
        if kind.episodes:
            which = "; ".join(", ".join(map(str, group[:LISTED])) for group in kind.groups[:2])
            found.append(f"{kind.episodes} of {kind.seen} episodes share their {kind.what} with another one: {which}")
    for name, pictures in survey.pictures.items():
        if pictures.still > FRAMES_STILL * pictures.frames:
            share = 100 * pictures.still / pictures.frames
            found.append(f"camera {name}: {share:.1f} % of the frames equal the one before; does it still render?")
    for name, ranges in survey.signals.items():
        axes = ranges.result()
        constant = [item.axis for item in axes if item.constant]
        far = sorted({episode for item in axes for episode, _ in item.outliers})
        if constant:
            found.append(f"{name} ({', '.join(constant)}) never changes")
        if far:
            which = ", ".join(map(str, far[:LISTED])) + ("…" if len(far) > LISTED else "")
            found.append(f"{name} lies far outside its 1 %–99 % span in episodes {which}: contacts, or a fault?")
    return [*found, *_never_asked(dataset), *_mixed(survey)]


def _never_asked(dataset: Dataset) -> list[str]:
    """Things that occur and that a verb was never asked for, though for others of their shape."""
    asked: dict[str, set[Thing]] = defaultdict(set)
    for row in dataset.rows:
        if not is_told(row):
            asked[row.goal.verb].add(row.goal.object)
    every = set[Thing]().union(*asked.values())
    missing: dict[str, list[str]] = {}
    for verb, things in sorted(asked.items()):
        shapes = {thing.shape for thing in things}
        if never := sorted(str(thing) for thing in every - things if thing.shape in shapes):
            missing[verb] = never
    if len(missing) > LISTED:
        pairs = sum(map(len, missing.values()))
        return [f"{pairs} pairs of a skill and a thing are never asked for: see What was asked for"]
    return [f"no episode asks to {verb} the {_listed(never)}" for verb, never in missing.items()]


def _listed(names: Sequence[str]) -> str:
    """The first few of them."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _mixed(survey: Survey) -> list[str]:
    """What simulated, where it was not the same throughout."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in survey.provenance:
        found[name].append(value[:12])
    return [f"recorded with more than one {name}: {', '.join(sorted(v))}" for name, v in found.items() if len(v) > 1]
