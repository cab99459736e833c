"""What is written last: the index, what was put into quarantine, and the manifest that makes a data set of it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from data_tools.part import INFEASIBLE, QUARANTINED
from data_tools.station import Speaker
from data_tools.stock import SPEC, Record, Stock
from mmil.contracts import Goal
from mmil.data.dataset import FORMAT, INDEX, MANIFEST
from mmil.data.sample import encode_json
from mmil.data.shards import Row, encode_rows
from mmil.seeds import episode_seed, sentence_rng

QUARANTINE = "quarantine.jsonl"  # a line an attempt that is not kept; its seed makes it again
SENTENCES = 200  # a goal, kept with the data; the bank knows thousands, which a text encoder would read for minutes


def publish(stock: Stock, grammar: Speaker, config: Mapping[str, Any]) -> None:
    """Write all of it to the store; the manifest last."""
    records = [stock.records[number] for number in sorted(stock.records)]
    rows = [row for record in records for row in record.rows]
    index = encode_rows(rows)
    quarantine = [line for record in records for line in _quarantined(record, stock.seed)]
    stock.store.write(INDEX, index)
    if quarantine:
        stock.store.write(QUARANTINE, b"".join(encode_json(line) + b"\n" for line in quarantine))
    goals = sorted({row.goal for row in rows}, key=str)
    manifest = {
        "format": FORMAT,
        "spec": json.loads(stock.store.read(SPEC)),
        "config": config,
        "shards": [record.entry for record in records],
        "episodes": len(rows),
        "steps": sum(row.steps for row in rows),
        "failed_attempts": sum(row.attempts - 1 for row in rows),
        "attempts": stock.tally.to_json(),
        QUARANTINED: stock.tally.count(QUARANTINED),
        INFEASIBLE: stock.tally.count(INFEASIBLE),
        "sentences": [
            {"goal": goal.to_json(), "sentences": spoken(grammar, goal, rows=rows, seed=stock.seed)} for goal in goals
        ],
        "index_sha256": hashlib.sha256(index).hexdigest(),
    }
    stock.store.write(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n")


def spoken(grammar: Speaker, goal: Goal, *, rows: Sequence[Row], seed: int) -> list[str]:
    """The sentences of a goal's episodes and some more of training's, to say it anew at each reading."""
    rng = sentence_rng(seed)
    more = {grammar.sample(goal, "train", rng) for _ in range(SENTENCES)}
    return sorted(more | {row.instruction for row in rows if row.goal == goal})


def _quarantined(record: Record, seed: int) -> list[dict[str, Any]]:
    return [
        {
            "index": row.index,
            "attempt": number,
            "seed": episode_seed(seed, row.index, number),
            "verb": attempt.verb,
            "reason": attempt.reason,
        }
        for row, attempts in zip(record.rows, record.attempts, strict=True)
        for number, attempt in enumerate(attempts)
        if attempt.ending == QUARANTINED
    ]
