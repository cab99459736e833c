"""Where the trials of a suite lie, and whether those that are there are the ones asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmil.contracts import UserError
from mmil.evaluation.journal import PART
from mmil.evaluation.suites import Suite
from mmil.run import RunFolder

_OWN = ("trials.jsonl", "summary.json", "videos", PART)


def place_of(suite: Suite, folder: RunFolder, out: Path | None, *, several: bool) -> Path:
    if out is None:
        return folder.path / "evaluation" / suite.name
    return free_place(out / suite.name if several else out, suite)


def free_place(place: Path, suite: Suite) -> Path:
    """A folder that is not there, or holds nothing but an earlier evaluation of this suite."""
    strangers = [item.name for item in place.iterdir() if item.name not in _OWN] if place.is_dir() else []
    if strangers or (place.exists() and not place.is_dir()):
        raise UserError(f"{place} holds something else: {', '.join(strangers[:3])}; name a new or empty folder")
    there = _summary(place).get("suite", suite.name)
    if there != suite.name:
        raise UserError(f"{place} holds an evaluation of {there}, not of {suite.name}; name a new or empty folder")
    return place


def _summary(place: Path) -> dict[str, Any]:
    try:
        told = json.loads((place / "summary.json").read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def finished(place: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The summary that is there, if it is of these very trials."""
    there = _summary(place)
    same = all(there.get(key) == value for key, value in asked.items())
    return there if there and same and "skills" in there else None  # those without were drawn otherwise
