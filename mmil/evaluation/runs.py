"""Read a run folder as it is: what is missing, unfinished or unreadable becomes a note, never an exception."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmil.contracts import OUTCOMES, Trial, UserError
from mmil.evaluation.breakdown import details
from mmil.evaluation.journal import so_far
from mmil.evaluation.statistics import Interval, summarise, wilson
from mmil.evaluation.suites import ORDER

MARKS = ("config.yaml", "evaluation", "model.safetensors", "metrics.csv", "train.json")  # any one makes it a run
CURVES = "curves.json"  # of what was reinforced: name → its rounds
CONTROL = "control"  # what the rounds of an interaction are compared with
VIDEO_NAME = re.compile(r"(\d+)-([a-z_]+)\.mp4")


@dataclass(frozen=True)
class Clip:
    """A filmed trial."""

    path: Path
    seed: int
    outcome: str
    trial: Trial | None  # None where trials.jsonl does not know the seed


@dataclass(frozen=True)
class Suite:
    """What one suite found; `summary` has at least the fields of `summarise`."""

    name: str
    summary: Mapping[str, Any]
    trials: tuple[Trial, ...]
    clips: tuple[Clip, ...]

    @property
    def success(self) -> Interval:
        return wilson(self.summary["successes"], self.summary["n"])

    @property
    def wrong_object(self) -> Interval:
        return wilson(self.summary["outcomes"].get("wrong_object", 0), self.summary["n"])


@dataclass(frozen=True)
class Run:
    """Everything a run folder tells without its weights."""

    path: Path
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    spec: Mapping[str, Any]
    train: Mapping[str, Any]
    metrics: tuple[Mapping[str, float], ...]
    suites: tuple[Suite, ...]
    attribution: tuple[Mapping[str, Any], ...]  # summaries as attribution.py writes them
    diagnosis: Mapping[str, Any]  # as `mmil diagnose` writes it; {} where nobody asked
    rounds: tuple[Mapping[str, Any], ...]  # of an interaction, as algos/dagger.py writes them
    curves: Mapping[str, Sequence[Mapping[str, Any]]]  # name → rounds, as reinforcing/rl.py writes them
    notes: tuple[str, ...]  # what could not be read

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def suite(self, name: str) -> Suite | None:
        return next((suite for suite in self.suites if suite.name == name), None)

    @property
    def trials(self) -> tuple[Trial, ...]:
        return tuple(trial for suite in self.suites for trial in suite.trials)


def read_run(path: Path) -> Run:
    """Read a run folder; UserError where `path` is none."""
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"no run folder {path}; `mmil train --out {path}` makes one")
    if not any((path / mark).exists() for mark in MARKS):
        raise UserError(f"{path} is not a run folder: it holds none of {', '.join(MARKS)}")
    notes: list[str] = []
    folders = sorted(item for item in (path / "evaluation").glob("*") if item.is_dir())
    suites = [suite for folder in folders if (suite := _read_suite(folder, notes))]
    order = {name: number for number, name in enumerate(ORDER)}
    return Run(
        path=path,
        config=_read_mapping(path / "config.yaml", notes),
        data=_read_mapping(path / "data.json", notes),
        spec=_read_mapping(path / "spec.json", notes),
        train=_read_mapping(path / "train.json", notes),
        metrics=tuple(_read_metrics(path / "metrics.csv", notes)),
        suites=tuple(sorted(suites, key=lambda suite: (order.get(suite.name, len(order)), suite.name))),
        attribution=tuple(_read_attribution(path / "attribution", notes)),
        diagnosis=_read_diagnosis(path / "diagnosis" / "diagnosis.json", notes),
        rounds=tuple(_read_rounds(path / "rounds.json", notes)),
        curves=_read_curves(path / CURVES, notes),
        notes=tuple(notes),
    )


def _read_diagnosis(path: Path, notes: list[str]) -> dict[str, Any]:
    found = _read_mapping(path, notes)
    if found and not _is_diagnosis(found):
        notes.append(f"{path.name} is no diagnosis and is left out")
        return {}
    return found


def _is_diagnosis(found: Mapping[str, Any]) -> bool:
    try:
        lines = [line for curves in found["curves"].values() for line in curves.values()]
        numbers = [value for line in lines for step, value in line for value in (step, value)]
        whole = isinstance(found["suite"], str) and all(isinstance(line, str) for line in found["causes"])
        whole = whole and ("reward" not in found or _is_card(found["reward"]))
        return whole and _counted(found["successes"], found["walks"]) and all(map(_is_number, numbers))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _is_card(found: Mapping[str, Any]) -> bool:
    numbers = [found["progress"], *found["progress_interval"], *(() if found["along"] is None else [found["along"]])]
    numbers += [value for values in found["example"].values() for value in values]
    pairs = [(found["heard"], found["hearable"]), (found["hacked"], found["failures"])]
    pairs += [(count, found["layouts"]) for count in found["beaten"].values()]
    return len(found["progress_interval"]) == 2 and all(map(_is_number, numbers)) and all(_counted(*p) for p in pairs)


def _read_rounds(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """What is told of every round; nothing where any of it cannot be read."""
    try:
        rows = json.loads(path.read_text()) if path.is_file() else []
        told = [{**row, "name": str(row["name"]), "against": str(row["against"])} for row in rows]
        if all(_counted(row["successes"], row["n"]) and _counted(0, row["labels"], row["steps"]) for row in told):
            return told
    except (OSError, ValueError, KeyError, TypeError):
        pass
    notes.append(f"{path.name} holds no rounds and is left out")
    return []


def _read_curves(path: Path, notes: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Of every name, the rounds that can be read."""
    found = _read_mapping(path, notes)
    try:
        told = {str(name): [dict(one) for one in rows] for name, rows in found.items()}
        for one in (one for rows in told.values() for one in rows):
            of = [(one["successes"], one["free"])] + [(t["successes"], t["n"]) for t in [one["trials"]] if t]
            if not (_counted(0, one["steps"]) and all(_counted(*pair) for pair in of)):
                raise ValueError("numbers that count nothing")
        return told
    except (KeyError, TypeError, ValueError):
        notes.append(f"{path.name} holds no rounds and is left out")
        return {}


def _counted(*numbers: Any) -> bool:
    """Whether they are counts, the first of which is the least."""
    return all(type(number) is int and number >= 0 for number in numbers) and min(numbers) == numbers[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _read_attribution(folder: Path, notes: list[str]) -> list[dict[str, Any]]:
    """What is whole of every suite's; the rest is told."""
    found = []
    for path in sorted(folder.glob("*/summary.json")):
        study = _read_mapping(path, notes)
        if _is_study(study):
            found.append(study)
        elif study:
            notes.append(f"attribution of {path.parent.name}: {path.name} is none and is left out")
    return found


def _is_study(study: Mapping[str, Any]) -> bool:
    try:
        counts = [study["intact"], *(row for row in study["rows"] if "points" in row)]
        numbers = [one[key] for one in counts for key in ("n", "successes", "rate", "low", "high")]
        numbers += [row[key] for row in counts[1:] for key in ("points", "points_low", "points_high", "p")]
        numbers += [row["action_change"] for row in study["rows"]] + [study["everything"] or 0.0]
        texts = [row[key] for row in study["rows"] for key in ("input", "how")] + [study["suite"], *study["absent"]]
        flags = [row["used"] for row in study["rows"]]
    except (KeyError, TypeError):
        return False
    finite = all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
    return finite and all(isinstance(text, str) for text in texts) and all(isinstance(flag, bool) for flag in flags)


def mapping(value: Any) -> Mapping[str, Any]:
    """What a file holds where a mapping is looked for, if it is one."""
    return value if isinstance(value, Mapping) else {}


def _read_mapping(path: Path, notes: list[str]) -> dict[str, Any]:
    """A JSON or YAML mapping; {} with a note where there is none to read."""
    import yaml

    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        value = error
    if isinstance(value, dict):
        return value
    notes.append(f"{path.name} of {path.parent.name} could not be read and is left out")
    return {}


def _read_metrics(path: Path, notes: list[str]) -> list[dict[str, float]]:
    """Rows of CSVLogger, without the cells that are blank or no finite number."""
    if not path.exists():
        return []
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError, csv.Error):
        notes.append(f"{path.name} could not be read and is left out")
        return []
    return [{key: number for key, cell in row.items() if (number := _number(cell)) is not None} for row in rows]


def _number(cell: Any) -> float | None:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _read_suite(folder: Path, notes: list[str]) -> Suite | None:
    stored = _read_mapping(folder / "summary.json", notes)
    trials = _read_trials(folder / "trials.jsonl", notes) or list(so_far(folder).values())
    if trials:
        counted = {**summarise(trials), **details(trials)}
        if stored and (stored.get("successes"), stored.get("n")) != (counted["successes"], counted["n"]):
            said, found = f"{stored.get('successes')}/{stored.get('n')}", f"{counted['successes']}/{counted['n']}"
            notes.append(f"{folder.name}: summary.json says {said}, trials.jsonl holds {found}; the trials are shown")
        if not stored:
            notes.append(f"{folder.name} is unfinished: no summary.json yet; the {len(trials)} trials so far are shown")
        stored = {**stored, **counted}
    elif not _is_summary(stored):
        notes.append(f"{folder.name}: no trials to show yet")
        return None
    return Suite(folder.name, stored, tuple(trials), tuple(_clips(folder / "videos", trials)))


def _is_summary(stored: Mapping[str, Any]) -> bool:
    """True for counts that make sense; a summary without trials is shown by them alone."""
    n, successes, outcomes = stored.get("n"), stored.get("successes"), stored.get("outcomes")
    if not (isinstance(n, int) and isinstance(successes, int) and isinstance(outcomes, dict)):
        return False
    return all(isinstance(count, int) and 0 <= count <= n for count in (successes, *outcomes.values()))


def _read_trials(path: Path, notes: list[str]) -> list[Trial]:
    """The trials of one suite; lines that are none (a torn last one, say) are counted in a note."""
    if not path.exists():
        return []
    trials, bad = [], 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            trial = Trial.from_json(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            trial = None
        if trial and _is_trial(trial):
            trials.append(trial)
        else:
            bad += 1
    if bad:
        notes.append(f"{path.parent.name}: {bad} lines of {path.name} are not trials and are left out")
    suites = {trial.suite for trial in trials}
    if len(suites) > 1:
        notes.append(f"{path.parent.name}: {path.name} mixes suites; only {path.parent.name} is shown")
        trials = [trial for trial in trials if trial.suite == path.parent.name]
    return trials


def _is_trial(trial: Trial) -> bool:
    thing = trial.goal.object
    texts = (trial.suite, trial.instruction, trial.goal.verb, thing.shape, thing.colour, trial.taken or "")
    typed = all(isinstance(text, str) for text in texts)
    typed = typed and isinstance(trial.goal.manner or "", str) and isinstance(trial.measures, Mapping)
    typed = typed and all(isinstance(value, int | float) for value in trial.measures.values())
    return typed and type(trial.seed) is type(trial.steps) is int and trial.outcome in OUTCOMES


def _clips(folder: Path, trials: list[Trial]) -> list[Clip]:
    by_seed = {trial.seed: trial for trial in trials}
    found = [(path, VIDEO_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.mp4"))]
    return [Clip(path, int(name[1]), name[2], by_seed.get(int(name[1]))) for path, name in found if name]
