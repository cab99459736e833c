"""What was made and is not kept, because its numbers or its pictures cannot be: where, and for what reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from data_tools.part import QUARANTINED
from data_tools.stock import Record
from mmil.data.sample import encode_json
from mmil.data.store import Store
from mmil.seeds import episode_seed

QUARANTINE = "quarantine.jsonl"  # a line an attempt; its seed makes it again


def write_quarantine(store: Store, records: Sequence[Record], *, seed: int) -> None:
    """A file beside the index, if there is anything to put there."""
    lines = [line for record in records for line in _lines(record, seed)]
    if lines:
        store.write(QUARANTINE, b"".join(encode_json(line) + b"\n" for line in lines))


def _lines(record: Record, seed: int) -> Iterator[dict[str, Any]]:
    for row, attempts in zip(record.rows, record.attempts, strict=True):
        for number, attempt in enumerate(attempts):
            if attempt.ending == QUARANTINED:
                where = {"index": row.index, "attempt": number, "seed": episode_seed(seed, row.index, number)}
                yield {**where, "verb": attempt.verb, "reason": attempt.reason}
