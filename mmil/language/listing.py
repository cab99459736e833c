"""`mmil instructions`: what the bank can say, a row a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mmil.contracts import Goal, Split, UserError
from mmil.language.grammar import Grammar
from mmil.language.templates import quoted


def listing(
    *, split: Split | None = None, verb: str | None = None, json_lines: bool = False, bank: str = "english"
) -> Iterator[str]:
    """Rows goal, verb, split, sentence: tab-separated under a heading, or with --json one JSON list.

    Each object of a verb is shown with one target, each template with plain words, and each other word in one of them.

    Args:
        split: only train or only held_out sentences
        verb: only its sentences
        json_lines: one JSON list instead, as does --json
        bank: a shipped bank, a folder or a .yaml file
    """
    grammar = Grammar.load(bank)
    if verb is not None and verb not in grammar.verbs:
        raise UserError(f"no verb {quoted(verb)} in the bank; there are {', '.join(grammar.verbs)}")
    rows = grammar.rows((goal for goal in _goals(grammar) if verb in (None, goal.verb)), split)
    if json_lines:
        yield json.dumps(list(rows), ensure_ascii=False, indent=0)
        return
    yield "\t".join(("goal", "verb", "split", "sentence"))
    for row in rows:
        yield "\t".join((row["goal"], row["verb"], row["split"], row["sentence"]))


def _goals(grammar: Grammar) -> list[Goal]:
    """Every verb with every object and relation; its targets take turns."""
    groups: dict[tuple[object, ...], list[Goal]] = {}
    for goal in grammar.goals(grammar.things()):
        groups.setdefault((goal.verb, goal.object, goal.relation), []).append(goal)
    return [goals[turn % len(goals)] for turn, goals in enumerate(groups.values())]
