"""The sentences of a data set taken apart: which words name the object, and what is left around them.

Learnt from the sentences alone, so that it holds for any bank: a word that only ever comes with one colour names that
colour, one that only ever comes with one shape names that shape.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmil.contracts import Goal

WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
SLOT = "{object}"
SEEN_AT_LEAST = 3  # a word met less often says nothing about what it goes with


@dataclass(frozen=True)
class Wording:
    """What was said, counted."""

    distinct: int  # sentences in the episodes
    available: int  # sentences the manifest lists
    templates: Sequence[tuple[str, int]]  # most frequent first
    names: Sequence[tuple[str, Sequence[tuple[str, int]]]]  # colour or shape → the words for it
    examples: Sequence[tuple[str, str]]  # goal, sentence


def take_apart(said: Sequence[tuple[Goal, str]], listed: Iterable[tuple[Goal, str]] = ()) -> Wording:
    """`said`: a row an episode; `listed`: every training sentence of every goal, where the manifest has them."""
    listed = list(listed)
    known = set(listed) or set(said)
    naming = name_words([*listed, *(pair for pair in said if pair in known)])  # the others name neighbours too
    templates = Counter(template(sentence, naming) for _, sentence in said)
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for _, sentence in said:
        for word in _words(sentence):
            if word in naming:
                words[naming[word]][word] += 1
    distinct = {sentence: goal for goal, sentence in said}
    spread = list(distinct.items())[:: max(1, len(distinct) // 20)][:20]
    return Wording(
        distinct=len(distinct),
        available=len({sentence for _, sentence in listed}),
        templates=templates.most_common(),
        names=[(name, counts.most_common()) for name, counts in sorted(words.items())],
        examples=[(str(goal), sentence) for sentence, goal in spread],
    )


def name_words(sentences: Iterable[tuple[Goal, str]]) -> dict[str, str]:
    """word → the colour or shape it names."""
    met: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    colours, shapes = set(), set()
    for goal, sentence in sentences:
        thing = goal.object
        colours.add(thing.colour)
        shapes.add(thing.shape)
        for word in set(_words(sentence)):
            met[word][thing.colour, thing.shape] += 1
    naming = {}
    for word, things in met.items():
        with_colours, with_shapes = {colour for colour, _ in things}, {shape for _, shape in things}
        if things.total() >= SEEN_AT_LEAST and len(with_colours) == 1 < len(colours):
            naming[word] = with_colours.pop()
        elif things.total() >= SEEN_AT_LEAST and len(with_shapes) == 1 < len(shapes):
            naming[word] = with_shapes.pop()
    return naming


def template(sentence: str, naming: dict[str, str]) -> str:
    """The sentence with a slot where the object was named."""
    slotted = WORD.sub(lambda match: SLOT if match[0].lower() in naming else match[0], sentence)
    return re.sub(rf"{re.escape(SLOT)}(?:[\s,]+{re.escape(SLOT)})+", SLOT, slotted)


def _words(sentence: str) -> list[str]:
    return [word.lower() for word in WORD.findall(sentence)]
