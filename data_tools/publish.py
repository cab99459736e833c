"""Index and manifest: what makes shards a data set. The manifest is written last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmil.contracts import Goal
from mmil.data.dataset import FORMAT, INDEX, MANIFEST
from mmil.data.shards import Row, encode_rows, file_sha256, write_atomic


def publish(
    out: Path,
    *,
    spec: Mapping[str, Any],
    config: Mapping[str, Any],
    rows: Sequence[Row],
    shards: Sequence[Mapping[str, Any]],
    said: Mapping[Goal, Sequence[str]],
) -> None:
    """`shards`: their entries (shard_entry), in order; `said`: the sentences to train on, a goal."""
    write_atomic(out / INDEX, encode_rows(rows))
    manifest = {
        "format": FORMAT,
        "spec": spec,
        "config": config,
        "shards": list(shards),
        "episodes": len(rows),
        "steps": sum(row.steps for row in rows),
        "failed_attempts": sum(row.attempts - 1 for row in rows),
        "sentences": [{"goal": goal.to_json(), "sentences": said[goal]} for goal in sorted(said, key=str)],
        "index_sha256": file_sha256(out / INDEX),
    }
    write_atomic(out / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")
