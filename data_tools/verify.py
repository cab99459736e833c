"""Is a data set what it says it is? Checksums, invariants, split leaks, and a replay of some of its episodes.

Every episode is decoded and checked, by several workers; a sample of them is simulated again from seed and actions.
What was found is told, and written to verify.json.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from data_tools.checks import episode_reasons
from data_tools.generate import load_grammar
from data_tools.replay import Replayed, replay_episodes, summary, worst
from data_tools.told import Checker, held_out_reasons, leak_reasons
from mmil import parallel
from mmil.contracts import Scene, UserError
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.shards import Row, damage, file_sha256, scan, write_atomic
from mmil.progress import progress_bar

REPORT = "verify.json"


def verify(
    path: Path | str,
    *,
    scene: Callable[[], Scene] | None = None,
    replay: float = 0.02,
    workers: int | None = None,
    patience: float | None = parallel.PATIENCE,
    report: Path | None = None,
    grammar: Callable[[], Any] = load_grammar,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Every reason not to trust the data set; empty if there is none. `tell` hears a line a check.

    Args:
        path: the data set
        scene: that must reproduce episodes; without one none is replayed
        replay: the share of episodes (at least one, unless 0) that the scene must reproduce
        workers: processes (one a core)
        patience: seconds that an episode may take before its worker counts as hung, as of generate; null: no end
        report: where the findings are written (verify.json in the data set, where one may write)
        grammar: where sentences come from
        tell: hears a line a check
    """
    try:
        dataset = Dataset.open(path)
    except UserError as error:
        return [str(error)]
    if not 0 <= replay <= 1:
        raise UserError(f"replay is {replay}; it is a share of the episodes, 0 to 1")
    reasons = [*_seed_reasons(dataset), *leak_reasons(dataset, grammar()), *held_out_reasons(dataset)]
    reasons += _shard_reasons(dataset, grammar, workers=workers)
    tell(f"{len(dataset)} episodes in {len(dataset.shard_paths)} shards read: {len(reasons)} reasons to doubt them")
    replayed: list[Replayed] = []
    if scene is None and replay > 0:
        tell("no episode replayed: the manifest does not say in which scene they were made")
    elif scene is not None and replay > 0 and len(dataset):
        replayed, failures = _replay(dataset, scene, share=replay, workers=workers, patience=patience, tell=tell)
        reasons += failures
    return reasons + _write(dataset, report, reasons, replayed, tell=tell)


def _replay(
    dataset: Dataset,
    scene: Callable[[], Scene],
    *,
    share: float,
    workers: int | None,
    patience: float | None,
    tell: Callable[[str], None],
) -> tuple[list[Replayed], list[str]]:
    try:
        replayed = replay_episodes(dataset, scene, share=share, workers=workers, patience=patience)
    except UserError as error:
        return [], [str(error)]
    tell(summary(replayed))
    for one in worst(replayed):
        tell(f"  {one}")
    others = Counter(other for one in replayed for other in one.others)
    for other, count in others.items():
        tell(f"  {count} episodes were recorded with {other}")
    return replayed, [one.line for one in replayed if one.reasons]


def _write(
    dataset: Dataset,
    report: Path | None,
    reasons: list[str],
    replayed: Sequence[Replayed],
    *,
    tell: Callable[[str], None],
) -> list[str]:
    """The findings as a file; the one reason more where that cannot be."""
    if report is None and not os.access(dataset.path, os.W_OK):
        tell(f"no {REPORT} written: {dataset.path} is read-only; --report FILE names another place")
        return []
    findings = {
        "manifest_sha256": file_sha256(dataset.path / MANIFEST),
        "episodes": len(dataset),
        "reasons": reasons,
        "replayed": [one.to_json() for one in replayed],
        "not_reproduced": [one.index for one in replayed if one.reasons],
    }
    try:
        text = json.dumps(findings, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(report or dataset.path / REPORT, text.encode() + b"\n")
    except UserError as error:
        return [str(error)]
    return []


# -- what index and manifest say ---------------------------------------------------------------------------------------


def _seed_reasons(dataset: Dataset) -> Iterator[str]:
    for what in ("key", "seed"):
        counts = Counter(getattr(row, what) for row in dataset.rows)
        for value, count in counts.items():
            if count > 1:
                yield f"{count} episodes share the {what} {value}"
    for row in dataset.rows:
        if row.seed % 2:
            yield f"episode {row.index}: seed {row.seed} is odd, and odd seeds belong to trials"
        if row.split != "train":
            yield f"episode {row.index} is of split {row.split!r}; a data set to train on holds 'train' only"
    totals = {"episodes": len(dataset), "steps": sum(row.steps for row in dataset.rows)}
    for name, total in totals.items():
        if dataset.manifest[name] != total:
            yield f"the manifest counts {dataset.manifest[name]} {name}, the index {total}"


# -- what the shards hold ----------------------------------------------------------------------------------------------


def _shard_reasons(dataset: Dataset, grammar: Callable[[], Any], *, workers: int | None) -> list[str]:
    names = [shard["name"] for shard in dataset.manifest["shards"]]
    held = Counter(row.shard for row in dataset.rows)
    workers = min(workers or parallel.available_cores(), len(names)) or 1
    reasons: list[str] = []
    with progress_bar("check", total=len(dataset), unit="episodes") as advance:
        make = partial(Checker, dataset.path, grammar)
        with closing(parallel.run(_check_shard, names, make=make, workers=workers)) as work:
            for name, found in work:
                reasons += found
                advance(f"{len(reasons)} reasons", by=held[name])
    return sorted(reasons)


def _check_shard(checker: Checker, name: str) -> list[str]:
    """Reasons against one shard; an altered one is not looked into any further."""
    dataset = checker.dataset
    entry = next(shard for shard in dataset.manifest["shards"] if shard["name"] == name)
    rows = [row for row in dataset.rows if row.shard == name]
    line = damage(dataset.path / name, size=entry["bytes"], sha256=entry["sha256"])
    if line:
        return [line]
    try:
        found = scan(dataset.path / name, first=rows[0].index)
    except UserError as error:
        return [str(error)]
    return [*_row_reasons(rows, found), *(reason for row in rows for reason in _check_episode(checker, row))]


def _row_reasons(rows: list[Row], found: list[Row]) -> Iterator[str]:
    if len(rows) != len(found):
        yield f"{rows[0].shard} holds {len(found)} episodes, the index says {len(rows)}"
    for row, other in zip(rows, found, strict=False):
        wrong = [item.name for item in fields(Row) if getattr(row, item.name) != getattr(other, item.name)]
        if wrong:
            yield f"episode {row.index}: index and sample disagree about {', '.join(wrong)}"


def _check_episode(checker: Checker, row: Row) -> list[str]:
    try:
        episode = checker.dataset.episode(row.index)  # T+1 around T and finite, or it would not come to be
    except UserError as error:
        return [str(error)]
    reasons = [*episode_reasons(episode, checker.dataset.spec), *checker.sentence_reasons(row, episode)]
    if len(episode.actions) != row.steps:
        reasons.append(f"{len(episode.actions)} actions, the index says {row.steps}")
    return [f"episode {row.index} ({row.shard}): {reason}" for reason in reasons]
