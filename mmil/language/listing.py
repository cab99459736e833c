"""`mmil instructions`: every sentence of the bank, a row each."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mmil.contracts import Split, Thing
from mmil.language.grammar import Grammar


def listing(*, split: Split | None = None, json_lines: bool = False, bank: str = "english") -> Iterator[str]:
    """Rows goal, verb, split, sentence: tab-separated under a heading, or with --json one JSON list.

    split: only train or only held_out sentences. bank: a shipped bank or a .yaml file.
    """
    grammar = Grammar.load(bank)
    things = [Thing(shape=shape, colour=colour) for shape in grammar.shapes for colour in grammar.colours]
    rows = list(grammar.rows(things, split))
    if json_lines:
        yield json.dumps(rows, ensure_ascii=False, indent=0)
        return
    yield "\t".join(("goal", "verb", "split", "sentence"))
    for row in rows:
        yield "\t".join((row["goal"], row["verb"], row["split"], row["sentence"]))
