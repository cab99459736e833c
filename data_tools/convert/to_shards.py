"""Takes into a data set of ours: parts, shards, index, and last the manifest."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.convert.notes import Fidelity, Notes
from data_tools.convert.takes import Header, Sink, Take
from mmil.contracts import Goal
from mmil.data.dataset import FORMAT, GENERATION, INDEX, MANIFEST
from mmil.data.jpeg import decode_frame, encode_frame
from mmil.data.sample import encode_episode
from mmil.data.shards import Row, assemble, encode_rows, file_sha256, scan, shard_entry, shard_name, write_atomic


class ShardSink(Sink):
    """Writes `per_shard` episodes a shard into `folder`; `config` is told by the manifest."""

    def __init__(
        self, folder: Path, header: Header, config: Mapping[str, Any], *, per_shard: int, notes: Notes
    ) -> None:
        self._folder, self._header, self._config = folder, header, dict(config)
        self._per_shard, self._notes = per_shard, notes
        self._parts: list[Path] = []
        self._rows: list[Row] = []
        self._shards: list[dict[str, Any]] = []
        self._said: dict[Goal, set[str]] = defaultdict(set)
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, take: Take) -> None:
        frames = {
            camera: take.jpegs.get(camera) or self._encode(camera, images)
            for camera, images in take.episode.images.items()
        }
        self.put(take, frames)

    def put(self, take: Take, frames: Mapping[str, Sequence[bytes]]) -> None:
        """Write an episode with these pictures, whatever they are."""
        part = self._folder / f".{len(self._parts):06d}.part"
        data = encode_episode(take.episode, attempts=take.attempts, frames=frames, extras=take.extras)
        write_atomic(part, data)
        self._parts.append(part)
        self._said[take.episode.goal].add(take.episode.instruction)
        if len(self._parts) == self._per_shard:
            self._close_shard()

    def finish(self, **more: Any) -> None:
        """`more` goes into the manifest as it is."""
        if self._parts:
            self._close_shard()
        write_atomic(self._folder / GENERATION, json.dumps(self._config, indent=1).encode() + b"\n")
        write_atomic(self._folder / INDEX, encode_rows(self._rows))
        manifest = {
            "format": FORMAT,
            "spec": self._header.spec.to_json(),
            "config": self._config,
            "shards": self._shards,
            "episodes": len(self._rows),
            "steps": sum(row.steps for row in self._rows),
            "failed_attempts": 0,
            **self._header.attempts,
            "sentences": [
                {"goal": goal.to_json(), "sentences": sorted(self._sentences(goal, said))}
                for goal, said in sorted(self._said.items(), key=lambda item: str(item[0]))
            ],
            "index_sha256": file_sha256(self._folder / INDEX),
            **more,
        }
        write_atomic(self._folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """No file stays open."""

    def _sentences(self, goal: Goal, said: set[str]) -> set[str]:
        """Those of the source and those spoken; some of these are of their scene alone where the source has such."""
        known = set(self._header.sentences.get(goal, ()))
        return known if known and self._header.config.get("references") else known | said

    def _close_shard(self) -> None:
        path = self._folder / shard_name(len(self._shards))
        assemble(path, self._parts)
        rows = scan(path, first=len(self._rows))
        self._rows += rows
        self._shards.append(shard_entry(path, rows))
        while self._parts:
            self._parts.pop().unlink()

    def _encode(self, camera: str, images: np.ndarray) -> list[bytes]:
        jpegs = [encode_frame(image) for image in images]
        loss = self._notes.pictures.setdefault(camera, Fidelity("JPEG, quality 95"))
        for instant in {0, len(images) // 2, len(images) - 1}:
            loss.add(images[instant], decode_frame(jpegs[instant]))
        return jpegs
