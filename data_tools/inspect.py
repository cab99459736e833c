"""`mmil inspect`: a data set card, one HTML file that shows what is in a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.card import costs, coverage_views, measures, notes, sentence_views, signal_views, tiles
from data_tools.checks import shape_reasons
from data_tools.mapped import shown
from data_tools.part import QUALITIES
from data_tools.player import BUDGET, playable, script, to_play, weight
from data_tools.skills import asked, counted_attempts, expert, qualities, skills
from data_tools.survey import Survey
from mmil.contracts import OUTCOMES, Episode, UserError
from mmil.data.dataset import Dataset
from mmil.evaluation.charts import histogram
from mmil.evaluation.facts import flatten
from mmil.evaluation.page import amount, picture, write_page
from mmil.progress import progress

TEMPLATES = Path(__file__).parent / "templates"
SHEET_EPISODES = 12


def inspect(path: Path | str, *, out: Path | str | None = None) -> Path:
    """Write the card of a data set; episodes pass one at a time.

    Args:
        path: the data set
        out: where the card goes (card.html in the data set)
    """
    dataset = Dataset.open(path)
    target = Path(out) if out else dataset.path / "card.html"
    target = target / "card.html" if target.is_dir() else target
    seen = _read(dataset)
    rows, manifest, survey = dataset.rows, dataset.manifest, seen.survey
    steps = [row.steps for row in rows]
    player, player_hash = script()
    return write_page(
        target,
        "card.html.j2",
        folders=[TEMPLATES],
        title=dataset.path.resolve().name,
        path=str(dataset.path),
        scene=dataset.spec.scene,
        outcomes=OUTCOMES,
        tiles=tiles(dataset),
        notes=notes(dataset, survey),
        skills=skills(rows, counted_attempts(manifest)),
        qualities=qualities(rows, counted_attempts(manifest, QUALITIES)),
        expert=expert(manifest, rows),
        asked=asked(rows),
        splits=dict(Counter(row.split for row in rows)),
        lengths=histogram(steps, x_label="steps in an episode", y_label="episodes") if steps else None,
        measures=measures(survey),
        sheet=seen.sheet,
        played=seen.played,
        player=player,
        player_hash=player_hash,
        twins=survey.twins.result(),
        costs=costs(dataset, seen.members),
        config=_rows(manifest["config"]),
        spec=_rows(dataset.spec.to_json()),
        lineage=[_rows(made) for made in manifest.get("lineage", [])],
        **sentence_views(dataset),
        **signal_views(survey),
        **coverage_views(survey),
    )


def _rows(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, amount(item)) for key, item in flatten(value).items()]


@dataclass
class _Seen:
    """What a pass over the episodes leaves."""

    survey: Survey
    sheet: list[dict[str, Any]] = field(default_factory=list)
    played: list[dict[str, Any]] = field(default_factory=list)
    members: Counter[str] = field(default_factory=Counter)  # [bytes], by kind


def _read(dataset: Dataset) -> _Seen:
    seen = _Seen(Survey(dataset.spec, steps=[row.steps for row in dataset.rows]))
    on_sheet, plays = _spread(len(dataset), SHEET_EPISODES), to_play(dataset.rows)
    items: dict[int, dict[str, Any]] = {}
    for index in progress(range(len(dataset)), "reading", total=len(dataset), unit="episodes"):
        members = dataset.sample(index)
        episode = dataset.decode(index, members)
        if reason := next(shape_reasons(episode, dataset.spec), None):
            raise UserError(f"episode {index}: {reason}; `mmil verify {dataset.path}` lists all that is wrong")
        seen.survey.add(episode)
        seen.members.update(_sizes(members))
        if index in on_sheet and episode.images:
            seen.sheet.append({**_about(episode), "frames": _strip(episode)})
        if index in plays:
            items[index] = {**_about(episode), **playable(episode, dataset.spec, index=index)}
    for index in plays:
        if not seen.played or sum(map(weight, seen.played)) + weight(items[index]) <= BUDGET:
            seen.played.append(items[index])
    return seen


def _sizes(members: Mapping[str, bytes]) -> Counter[str]:
    """[bytes] of an episode, by kind."""
    kinds = {"json": "description", "npz": "arrays"}
    sizes: Counter[str] = Counter()
    for name, content in members.items():
        sizes[kinds.get(name, "maps" if name.endswith(".png") else "pictures")] += len(content)
    return sizes


def _spread(count: int, wanted: int) -> set[int]:
    return set(np.linspace(0, max(0, count - 1), min(wanted, count)).round().astype(int).tolist())


def _about(episode: Episode) -> dict[str, Any]:
    return {
        "goal": str(episode.goal),
        "instruction": episode.instruction,
        "outcome": episode.outcome,
        "steps": len(episode.actions),
        "seed": episode.seed,
    }


def _strip(episode: Episode) -> Sequence[str]:
    """First, middle and last frame of every camera, and its maps at the middle one."""
    at = (0, len(episode.actions) // 2, len(episode.actions))
    return [
        picture(frames[i])
        for name, frames in shown(episode).items()
        for i in (at if name in episode.images else at[1:2])
    ]
