"""A scene and an expert → a data set. The same seed gives the same bytes, however many workers, however often killed.

Workers turn an index into a part (one episode, written atomically); this process turns the parts of a shard into the
shard, and when all shards stand writes the index and, last, the manifest. Whatever a killed run left, each file of it
is whole, so the next run takes it as it is and makes only what is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from data_tools.folder import PARTS, SPEC, claim, finish, is_finished, require_same
from data_tools.guard import picture_faults
from mmil import parallel
from mmil.contracts import Actor, Episode, Goal, Outcome, Scene, Spec, Split, UserError
from mmil.data.dataset import FORMAT, INDEX, MANIFEST, Dataset
from mmil.data.sample import complete, encode_episode, split_members
from mmil.data.shards import Row, assemble, encode_rows, file_sha256, scan, shard_entry, shard_name, write_atomic
from mmil.progress import progress_bar
from mmil.rollout import rollout
from mmil.seeds import episode_seed, sentence_rng

SENTENCES = 200  # a goal, kept with the data; the bank knows thousands, which a text encoder would read for minutes
Keep = Literal["success", "all"]


class Speaker(Protocol):
    """What generation needs of a Grammar."""

    def sample(self, goal: Goal, split: Split, rng: np.random.Generator) -> str: ...


@dataclass(frozen=True)
class Generated:
    """What stands in the folder now, and how much of it this run made."""

    out: Path
    episodes: int
    steps: int
    failed_attempts: int
    made: int  # episodes; 0 where the folder was finished before


def load_grammar() -> Speaker:
    from mmil.language.grammar import Grammar

    return Grammar.load()


def generate(
    *,
    scene: Callable[[], Scene],
    actor: Callable[[], Actor],
    out: Path,
    episodes: int,
    seed: int,
    horizon: int,
    expert: Callable[[], Actor] | None = None,
    grammar: Callable[[], Speaker] = load_grammar,
    workers: int | None = None,
    episodes_per_shard: int = 32,
    keep: Keep = "success",
    max_attempts: int = 20,
    config: Mapping[str, Any] | None = None,
) -> Generated:
    """Make `episodes` episodes in `out`, or what is missing of them; factories must be picklable.

    `actor` drives, `expert` (if any) labels. `config` is what else made the data what it is; it is kept beside the
    data, and a folder begun with another one is refused.
    """
    order = _Order(scene, actor, expert, grammar, Path(out), seed, horizon, keep, max_attempts)
    config = _resolved(config or {}, order, episodes=episodes, episodes_per_shard=episodes_per_shard)
    if is_finished(order.out):
        require_same(order.out, config)
        return _summary(order.out, made=0)
    missing: list[int] = []
    with claim(order.out, config):
        if not (order.out / MANIFEST).is_file():
            stock = _Stock(order, episodes, episodes_per_shard)
            missing = stock.missing()
            _make(order, stock, missing, workers=workers)
            _publish(order, stock, config)
        finish(order.out)
    return _summary(order.out, made=len(missing))


@dataclass(frozen=True)
class _Report:
    """What a worker says of an episode it made."""

    index: int
    attempts: int
    outcome: Outcome


@dataclass(frozen=True)
class _Order:
    """What every worker is told; calling it gives the worker what it works with."""

    scene: Callable[[], Scene]
    actor: Callable[[], Actor]
    expert: Callable[[], Actor] | None
    grammar: Callable[[], Speaker]
    out: Path
    seed: int
    horizon: int
    keep: Keep
    max_attempts: int

    def __call__(self) -> _Station:
        expert = self.expert() if self.expert else None
        station = _Station(self, self.scene(), self.actor(), expert, self.grammar())
        _agree_on_spec(self.out / PARTS / SPEC, station.scene.spec)
        return station

    def part(self, index: int) -> Path:
        return self.out / PARTS / f"{index:06d}.part"


@dataclass(frozen=True)
class _Station:
    """A worker's own scene, actors and grammar."""

    order: _Order
    scene: Scene
    actor: Actor
    expert: Actor | None
    grammar: Speaker

    def close(self) -> None:
        self.scene.close()

    def attempt(self, seed: int) -> Episode:
        rng = sentence_rng(seed)
        return rollout(
            self.scene,
            self.actor,
            expert=self.expert,
            seed=seed,
            horizon=self.order.horizon,
            instruction=lambda goal: self.grammar.sample(goal, "train", rng),
        )


def _make_part(station: _Station, index: int) -> _Report:
    """Try seed after seed until an episode is worth keeping, and write its part."""
    order, outcomes = station.order, Counter[Outcome]()
    for attempt in range(order.max_attempts):
        episode = station.attempt(episode_seed(order.seed, index, attempt))
        outcomes[episode.outcome] += 1
        if faults := picture_faults(episode):
            raise UserError(f"episode {index} (scene seed {episode.seed}): {faults[0]}")
        if episode.success or order.keep == "all":
            write_atomic(order.part(index), encode_episode(episode, attempts=attempt + 1))
            return _Report(index, attempt + 1, episode.outcome)
    seen = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
    raise UserError(f"episode {index}: no success in {order.max_attempts} attempts ({seen}); is the expert able to?")


class _Stock:
    """What stands in the folder: parts, and the shards assembled from them."""

    def __init__(self, order: _Order, episodes: int, per_shard: int) -> None:
        self.order, self.episodes, self.per_shard = order, episodes, per_shard
        self.reports: dict[int, _Report] = {}
        self.attempts = self.successes = 0
        self.shards: dict[int, tuple[list[Row], dict[str, Any]]] = {}  # number → rows, entry of the manifest
        for number in range(-(-episodes // per_shard)):
            self._take(number)

    def indexes(self, number: int) -> range:
        return range(number * self.per_shard, min((number + 1) * self.per_shard, self.episodes))

    def missing(self) -> list[int]:
        return [index for index in range(self.episodes) if index not in self.reports]

    def add(self, report: _Report) -> None:
        """Count a part in, and assemble its shard once it is the last one."""
        self._count(report)
        number = report.index // self.per_shard
        if all(index in self.reports for index in self.indexes(number)):
            assemble(self._path(number), map(self.order.part, self.indexes(number)))
            self._take(number)

    @property
    def note(self) -> str:
        rate = f"{self.successes / self.attempts:.1%}" if self.attempts else "-"
        return f"expert {self.successes}/{self.attempts} = {rate}"

    def _count(self, report: _Report) -> None:
        if report.index not in self.reports:
            self.reports[report.index] = report
            self.attempts += report.attempts
            self.successes += report.outcome == "success"

    def _path(self, number: int) -> Path:
        return self.order.out / shard_name(number)

    def _take(self, number: int) -> None:
        path, indexes = self._path(number), self.indexes(number)
        if not path.is_file():
            for report in filter(None, [_inspect(self.order, index) for index in indexes]):
                self.add(report)
            return
        rows = scan(path, first=indexes.start)
        expected = [episode_seed(self.order.seed, row.index, row.attempts - 1) for row in rows]
        if len(rows) != len(indexes) or [row.seed for row in rows] != expected:
            raise UserError(f"{path} is damaged or of another data set: remove it and run again to make it anew")
        self.shards[number] = rows, shard_entry(path, rows)
        for row in rows:
            self._count(_Report(row.index, row.attempts, row.outcome))
            self.order.part(row.index).unlink(missing_ok=True)


def _inspect(order: _Order, index: int) -> _Report | None:
    """The report of a part that an earlier run left; one that is not whole is removed."""
    path = order.part(index)
    if not path.is_file():
        return None
    try:
        _, members = split_members(path.read_bytes())
        about = json.loads(members["json"]) if complete(members) else {}
    except (UserError, ValueError):
        about = {}
    if about.get("seed") != episode_seed(order.seed, index, about.get("attempts", 1) - 1):
        path.unlink()
        return None
    return _Report(index, about["attempts"], about["outcome"])


def _make(order: _Order, stock: _Stock, missing: list[int], *, workers: int | None) -> None:
    env, name = parallel.simulation_env(), "episode {}".format
    there = stock.episodes - len(missing)
    with (
        progress_bar("generate", total=stock.episodes, unit="episodes", already=there, note=stock.note) as advance,
        closing(parallel.run(_make_part, missing, make=order, workers=workers, env=env, name=name)) as work,
    ):
        for _, report in work:
            stock.add(report)
            advance(stock.note)


def _agree_on_spec(path: Path, spec: Spec) -> None:
    """One Spec, versions included, for every run that has a part in the data set: others would make other bytes."""
    text = json.dumps(spec.to_json(), indent=1).encode()
    if not path.is_file():
        write_atomic(path, text)
    elif path.read_bytes() != text:
        there = Spec.from_json(json.loads(path.read_bytes()))
        lines = spec.differences(there) or [f"versions: {dict(spec.versions)} != {dict(there.versions)}"]
        raise UserError(f"{path.parent.parent} was begun with another scene: {'; '.join(lines)}: name a new folder")


def _publish(order: _Order, stock: _Stock, config: Mapping[str, Any]) -> None:
    rows = [row for number in sorted(stock.shards) for row in stock.shards[number][0]]
    write_atomic(order.out / INDEX, encode_rows(rows))
    grammar = order.grammar()
    goals = sorted({row.goal for row in rows}, key=str)
    manifest = {
        "format": FORMAT,
        "spec": json.loads((order.out / PARTS / SPEC).read_bytes()),
        "config": config,
        "shards": [stock.shards[number][1] for number in sorted(stock.shards)],
        "episodes": len(rows),
        "steps": sum(row.steps for row in rows),
        "failed_attempts": sum(row.attempts - 1 for row in rows),
        "sentences": [
            {"goal": goal.to_json(), "sentences": spoken(grammar, goal, rows=rows, seed=order.seed)} for goal in goals
        ],
        "index_sha256": file_sha256(order.out / INDEX),
    }
    write_atomic(order.out / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")


def spoken(grammar: Speaker, goal: Goal, *, rows: Sequence[Row], seed: int) -> list[str]:
    """The sentences of a goal's episodes and some more of training's, to say it anew at each reading."""
    rng = sentence_rng(seed)
    more = {grammar.sample(goal, "train", rng) for _ in range(SENTENCES)}
    return sorted(more | {row.instruction for row in rows if row.goal == goal})


def _summary(out: Path, *, made: int) -> Generated:
    manifest = Dataset.open(out).manifest
    return Generated(out, manifest["episodes"], manifest["steps"], manifest["failed_attempts"], made)


def _resolved(config: Mapping[str, Any], order: _Order, *, episodes: int, episodes_per_shard: int) -> dict[str, Any]:
    """What makes the data what it is; where it is written and by how many workers does not."""
    numbers = {"episodes": episodes, "episodes_per_shard": episodes_per_shard, "horizon": order.horizon}
    for name, number in {**numbers, "max_attempts": order.max_attempts}.items():
        if number < 1:
            raise UserError(f"{name} is {number}; it must be 1 or more")
    if order.seed < 0:
        raise UserError(f"seed is {order.seed}; it must be 0 or more")
    own = {**numbers, "seed": order.seed, "keep": order.keep, "max_attempts": order.max_attempts}
    return {**{key: value for key, value in config.items() if key not in ("out", "workers")}, **own}
