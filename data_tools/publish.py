"""Index and manifest: what makes shards a data set. The manifest is written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from data_tools.station import Speaker
from mmil.contracts import Goal
from mmil.data.address import Place, store_at
from mmil.data.dataset import FORMAT, INDEX, MANIFEST
from mmil.data.shards import Row, encode_rows
from mmil.seeds import sentence_rng

SENTENCES = 200  # a goal, kept with the data; the bank knows thousands, which a text encoder would read for minutes


def publish(
    out: Place,
    *,
    spec: Mapping[str, Any],
    config: Mapping[str, Any],
    rows: Sequence[Row],
    shards: Sequence[Mapping[str, Any]],
    said: Mapping[Goal, Sequence[str]],
    **more: Any,
) -> None:
    """`shards`: their entries (shard_entry), in order; `said`: the sentences to train on, a goal.

    `more` is told by the manifest as it is.
    """
    store, index = store_at(out), encode_rows(rows)
    store.write(INDEX, index)
    manifest = {
        "format": FORMAT,
        "spec": spec,
        "config": config,
        "shards": list(shards),
        "episodes": len(rows),
        "steps": sum(row.steps for row in rows),
        "failed_attempts": sum(row.attempts - 1 for row in rows),
        **more,
        "sentences": [{"goal": goal.to_json(), "sentences": said[goal]} for goal in sorted(said, key=str)],
        "index_sha256": hashlib.sha256(index).hexdigest(),
    }
    store.write(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")


def spoken(grammar: Speaker, goal: Goal, *, rows: Sequence[Row], seed: int, references: float = 0.0) -> list[str]:
    """The sentences of a goal's episodes and some more of training's, to say it anew at each reading.

    references: of the episodes' sentences, the share that was to refer to its scene; those are true nowhere else.
    """
    rng = sentence_rng(seed)
    more = {grammar.sample(goal, "train", rng) for _ in range(SENTENCES)}
    own = {row.instruction for row in rows if row.goal == goal}
    if references:
        own = {sentence for sentence in own if grammar.says(sentence, goal, "train")}
    return sorted(more | own)
