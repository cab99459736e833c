"""`mmil render`: stored states shown again with other cameras, resolutions, colours or fidelity.

The new data set has the actions, labels, states and sentences of the old one; its manifest says which that is and what
was changed. Episodes are rendered by several workers into parts, which become shards as in generation, so that a run
that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_tools.film import write_film
from data_tools.folder import PARTS, claim, finish, is_finished, require_same
from data_tools.repaint import Difference
from data_tools.studio import Change, Studio, StudioPlan, nested, require_stored_pictures
from mmil import parallel
from mmil.contracts import UserError
from mmil.data.dataset import INDEX, MANIFEST, Dataset
from mmil.data.sample import complete, encode_episode, split_members
from mmil.data.shards import Row, assemble, encode_rows, file_sha256, scan, shard_entry, shard_name, write_atomic
from mmil.progress import progress_bar

ABOUT = "about.json"  # what all parts have in common
ABOUT_ATTEMPTS = ("attempts", "qualities", "quarantined", "infeasible")  # of the source's generation, and counted there
FILMED = 6  # episodes in a film unless asked for others


@dataclass(frozen=True)
class Rendered:
    """What was written where, and how far from the stored pictures the same ones were when nothing was changed."""

    written: Path
    episodes: int
    made: int  # episodes; 0 where the folder was finished before
    difference: Difference | None


def render(
    path: Path | str,
    *,
    out: Path | None = None,
    film: Path | None = None,
    look: int | None = None,
    cameras: dict[str, Any] | None = None,
    scene: dict[str, Any] | None = None,
    episodes: str | None = None,
    clear: bool = False,
    workers: int | None = None,
) -> Rendered:
    """Show stored states with another look: into a new data set, or into a film.

    Pictures are as the scene would have recorded them: as noisy, late and lossy as was drawn for the episode.

    Args:
        path: the data set
        out: folder of the new data set
        film: an mp4 with the episodes side by side, or a folder for an mp4 an episode
        look: seed that cameras, light and colours are drawn from anew
        cameras: pose of a camera, the same in every episode: {front: {azimuth: 40, elevation: 30}}
        scene: options of the scene that shows them: {image_size: [256, 256], rendering: stock}
        episodes: which ones: 0-5,9 (all; of a film, the first 6)
        clear: cameras record what they see, without the noise, delay and loss that were drawn; signals stay as they are
        workers: processes (one a core)
    """
    if (out is None) == (film is None):
        raise UserError("say where to: either --out DIR for a data set, or --film FILE.mp4 (or a folder of films)")
    dataset = Dataset.open(path)
    indexes = chosen(episodes, len(dataset)) if episodes else range(min(FILMED, len(dataset)) if film else len(dataset))
    plan = StudioPlan(dataset.path, Change(look, nested(cameras or {}), nested(scene or {}), clear))
    plan.change.node(dataset)
    if film is not None:
        difference = require_stored_pictures(dataset.path, indexes)
        return Rendered(write_film(plan, film, indexes, workers=workers), len(indexes), len(indexes), difference)
    return _new_data_set(_Work(dataset, plan, Path(out or "."), indexes), workers=workers)


def chosen(text: str, count: int) -> list[int]:
    """0-5,9 → the episodes it names, in order, each once."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UserError(f"episodes {text!r} are not like 0-5,9")
        found.update(range(int(first), min(int(last or first), count) + 1))
    if not found or max(found) >= count:
        raise UserError(f"episodes {text!r} name one that is not there; there are 0 to {count - 1}")
    return sorted(found)


def named(indexes: Sequence[int]) -> str:
    """What `chosen` reads: 0-5,9."""
    ends = [at for at in range(len(indexes)) if at + 1 == len(indexes) or indexes[at + 1] != indexes[at] + 1]
    starts = [0, *(end + 1 for end in ends[:-1])]
    spans = [(indexes[start], indexes[end]) for start, end in zip(starts, ends, strict=True)]
    return ",".join(f"{first}-{last}" if first < last else str(first) for first, last in spans)


@dataclass(frozen=True)
class _Work:
    """What is rendered into what; the new data set numbers its episodes from 0."""

    source: Dataset
    plan: StudioPlan
    out: Path
    indexes: Sequence[int]  # in the source

    @property
    def config(self) -> dict[str, Any]:
        """What a run that goes on must have been begun with."""
        sha256 = file_sha256(self.source.path / MANIFEST)
        return {"of": sha256, "episodes": named(self.indexes), **self.plan.change.to_json()}

    @property
    def shards(self) -> list[range]:
        """The new numbers in each shard; as many as in the source's largest."""
        size = max((shard["episodes"] for shard in self.source.manifest["shards"]), default=1)
        return [range(at, min(at + size, len(self.indexes))) for at in range(0, len(self.indexes), size)]

    @property
    def about(self) -> Path:
        return self.out / PARTS / ABOUT

    def part(self, number: int) -> Path:
        return self.out / PARTS / f"{number:06d}.part"

    def shard(self, number: int) -> Path:
        return self.out / shard_name(number)

    def __call__(self) -> _Bench:
        return _Bench(self, self.plan())


@dataclass(frozen=True)
class _Bench:
    """What a worker makes parts with."""

    work: _Work
    studio: Studio

    def close(self) -> None:
        self.studio.close()


def _new_data_set(work: _Work, *, workers: int | None) -> Rendered:
    out, difference, missing = work.out, None, list[int]()
    if out.resolve() == work.source.path.resolve():
        raise UserError(f"{out} is the data set itself; --out needs another folder")
    if is_finished(out):
        require_same(out, work.config)
        return Rendered(out, len(work.indexes), 0, difference)
    if not (out / MANIFEST).is_file():
        difference = require_stored_pictures(work.source.path, work.indexes)
    with claim(out, work.config):
        if not (out / MANIFEST).is_file():
            missing = _missing(work)
            _make(work, missing, workers=workers)
            _publish(work, [row for number, _ in enumerate(work.shards) for row in _shard(work, number)])
        finish(out)
    return Rendered(out, len(work.indexes), len(missing), difference)


def _missing(work: _Work) -> list[int]:
    """New numbers of episodes that no shard and no whole part holds yet."""
    open_shards = [span for number, span in enumerate(work.shards) if not work.shard(number).is_file()]
    return [number for span in open_shards for number in span if not _whole(work.part(number))]


def _whole(part: Path) -> bool:
    try:
        return part.is_file() and complete(split_members(part.read_bytes())[1])
    except (UserError, ValueError):
        return False


def _make(work: _Work, missing: list[int], *, workers: int | None) -> None:
    there = len(work.indexes) - len(missing)
    with progress_bar("render", total=len(work.indexes), unit="episodes", already=there) as advance:
        made = parallel.run(
            _make_part,
            missing,
            make=work,
            workers=min(workers or parallel.available_cores(), max(1, len(missing))),
            env=parallel.simulation_env(),
            name="episode {}".format,
        )
        with closing(made):
            for _, about in made:
                if not work.about.is_file():
                    write_atomic(work.about, json.dumps(about).encode())
                advance()


def _make_part(bench: _Bench, number: int) -> dict[str, Any]:
    """Write the part; what all parts have in common is the answer."""
    work, studio = bench.work, bench.studio
    row = work.source.rows[work.indexes[number]]
    write_atomic(work.part(number), encode_episode(studio.episode(row.index), attempts=row.attempts))
    spec = studio.scene.spec
    return {"spec": spec.to_json(), "redrawn": studio.redrawn, "versions": dict(spec.versions)}


def _shard(work: _Work, number: int) -> list[Row]:
    """The rows of a shard, which is made of its parts where it is not there yet."""
    path, span = work.shard(number), work.shards[number]
    if not path.is_file():
        assemble(path, map(work.part, span))
    rows = scan(path, first=span.start)
    if [row.key for row in rows] != [work.source.rows[work.indexes[at]].key for at in span]:
        raise UserError(f"{path} is damaged or of another data set: remove it and run again to make it anew")
    for at in span:
        work.part(at).unlink(missing_ok=True)
    return rows


def _publish(work: _Work, rows: Sequence[Row]) -> None:
    """Index and, last, the manifest: the source's, but for what is another one now and where it comes from."""
    write_atomic(work.out / INDEX, encode_rows(rows))
    source, about = work.source.manifest, json.loads(work.about.read_bytes())
    goals = [row.goal.to_json() for row in rows]
    made = {"verb": "render", **work.config, "redrawn": about["redrawn"], "versions": about["versions"]}
    manifest = {
        **{name: value for name, value in source.items() if name not in ABOUT_ATTEMPTS},
        # the states were simulated by what the source names, and not by what showed them
        "spec": {**about["spec"], "versions": dict(work.source.spec.versions)},
        "config": {**source["config"], "scene": work.plan.change.node(work.source)},
        "shards": [shard_entry(work.shard(number), rows) for number, _ in enumerate(work.shards)],
        "episodes": len(rows),
        "steps": sum(row.steps for row in rows),
        "failed_attempts": sum(row.attempts - 1 for row in rows),
        "sentences": [entry for entry in source["sentences"] if entry["goal"] in goals],
        "index_sha256": file_sha256(work.out / INDEX),
        "lineage": [*source.get("lineage", []), made],
    }
    write_atomic(work.out / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")
