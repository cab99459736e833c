"""A data set that grows an episode at a time: each is a shard, published before the next one begins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_tools.publish import publish, spoken
from data_tools.station import REFERENCES, Speaker
from mmil.contracts import Body, Episode, Goal, Spec, UserError
from mmil.data.dataset import INDEX, MANIFEST
from mmil.data.sample import encode_episode
from mmil.data.shards import END_OF_ARCHIVE, SHARD_NAME, Row, scan, shard_entry, shard_name, write_atomic
from mmil.seeds import episode_seed, sentence_rng


class Archive:
    """The episodes that stand in a folder, an episode a shard, and their index and manifest."""

    def __init__(self, out: Path, spec: Spec, *, config: Mapping[str, Any], seed: int, grammar: Speaker) -> None:
        self.out, self.spec, self.config, self.seed, self.grammar = out, spec, config, seed, grammar
        self.references = float(config.get(REFERENCES, 0.0))
        self.rows: list[Row] = []
        self._shards: list[dict[str, Any]] = []
        self._said: dict[Goal, list[str]] = {}
        self._require_same_spec()
        for number in range(sum(bool(SHARD_NAME.fullmatch(path.name)) for path in out.iterdir())):
            self._take(number)
        if self.rows:
            self.publish()  # an earlier session may have ended between a shard and its manifest

    def add(self, episode: Episode, *, attempts: int) -> None:
        """On disk, indexed and published when this returns."""
        number = len(self.rows)
        write_atomic(self.out / shard_name(number), [encode_episode(episode, attempts=attempts), END_OF_ARCHIVE])
        self._take(number)
        self.publish()

    def drop(self) -> None:
        """Throw the last episode away."""
        (self.out / self.rows.pop().shard).unlink()
        self._shards.pop()
        self.publish()

    def instruction(self, goal: Goal, seed: int, *, among: Sequence[Body]) -> str:
        return self.grammar.sample(goal, "train", sentence_rng(seed), among=among, references=self.references)

    def _take(self, number: int) -> None:
        path = self.out / shard_name(number)
        if not path.is_file():
            raise UserError(f"{path} is missing, and later ones are there: put it back, or name a new folder")
        rows = scan(path, first=number)
        if len(rows) != 1 or rows[0].seed != episode_seed(self.seed, number, rows[0].attempts - 1):
            raise UserError(f"{path} is damaged or of another data set: remove it and the later ones, and go on")
        self.rows += rows
        self._shards.append(shard_entry(path, rows))

    def publish(self) -> None:
        """Write index and manifest of what stands here."""
        if not self.rows:  # a data set of nothing is none
            for name in (MANIFEST, INDEX):
                (self.out / name).unlink(missing_ok=True)
            return
        goals = {row.goal for row in self.rows}
        for goal in goals:
            known = {row.instruction for row in self.rows if row.goal == goal}
            if not known <= set(self._said.get(goal, ())):
                about: dict[str, Any] = {"rows": self.rows, "seed": self.seed, "references": self.references}
                self._said[goal] = spoken(self.grammar, goal, **about)
        said = {goal: self._said[goal] for goal in goals}
        about = {"spec": self.spec.to_json(), "config": self.config}
        publish(self.out, **about, rows=self.rows, shards=self._shards, said=said)

    def _require_same_spec(self) -> None:
        if not (self.out / MANIFEST).is_file():
            return
        there = Spec.from_json(json.loads((self.out / MANIFEST).read_bytes())["spec"])
        self.spec.require(there, mine="the scene", theirs=str(self.out))
        mine, theirs = dict(self.spec.versions), dict(there.versions)
        if mine != theirs:
            raise UserError(f"{self.out} was begun with {theirs}, here are {mine}: name a new folder")
