"""From a goal to what a person would say: every sentence of a split, or one of them at random."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from mmil.contracts import Goal, Split, Thing, UserError
from mmil.language.bank import SPLITS, Bank, Phrases, find_bank, parse_bank
from mmil.language.leaks import check
from mmil.language.templates import quoted, render, slots


@dataclass(frozen=True)
class Grammar(Bank):
    """A bank that speaks. Held-out sentences mix plain names (red) with held-out words (scarlet)."""

    @classmethod
    def load(cls, name_or_path: str | Path = "english") -> Grammar:
        """Read a bank by name or path, and refuse it if its splits leak into each other."""
        path = find_bank(name_or_path)
        grammar = cls(**parse_bank(path))
        reasons = check(grammar)
        if reasons:
            more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
            raise UserError(f"bank {path} leaks: {'; '.join(reasons[:3])}{more}")
        return grammar

    def sentences(self, goal: Goal, split: Split) -> tuple[str, ...]:
        """Every sentence for `goal` in `split`, sorted."""
        words = self._words(goal, split)
        fillings = [dict(zip(words, chosen, strict=True)) for chosen in product(*words.values())]
        return tuple(
            sorted(
                {render(template, **filling) for template in self._templates(goal.verb, split) for filling in fillings}
            )
        )

    def sample(self, goal: Goal, split: Split, rng: np.random.Generator) -> str:
        """One sentence: a template first, then words, so that templates with more fillings weigh no more."""
        return self.fill(_choice(self._templates(goal.verb, split), rng), goal, rng, split=split)

    def fill(self, template: str, goal: Goal, rng: np.random.Generator | None = None, *, split: Split = "train") -> str:
        """`template` with words for `goal`: the plain names, or with `rng` any words of `split`."""
        plain, words = self._plain(goal), self._words(goal, split)
        if rng is None:
            return render(template, **plain)
        return render(template, **{slot: _say(plain[slot], words[slot], rng) for slot in words})

    def goals(self, things: Iterable[Thing]) -> list[Goal]:
        """Every goal that the bank has words for, of these things."""
        return [
            Goal(verb, thing, relation=relation)
            for thing in things
            for verb in self.verbs
            for relation in (self.relations if self._relates(verb) else (None,))
        ]

    def rows(self, things: Iterable[Thing], split: Split | None = None) -> Iterator[dict[str, str]]:
        """A row a sentence: goal, verb, split, sentence; for every verb and thing, of one split or of both."""
        for goal in sorted(self.goals(things), key=lambda goal: list(self.verbs).index(goal.verb)):
            for part in SPLITS if split is None else (split,):
                for sentence in self.sentences(goal, part):
                    yield {"goal": str(goal), "verb": goal.verb, "split": part, "sentence": sentence}

    def _templates(self, verb: str, split: Split) -> tuple[str, ...]:
        return _known("verb", verb, self.verbs).of(split)

    def _relates(self, verb: str) -> bool:
        return "relation" in slots(self._templates(verb, "train")[0])

    def _plain(self, goal: Goal) -> dict[str, str]:
        """Slot → the plain words for this goal."""
        words = {"colour": goal.object.colour, "shape": goal.object.shape}
        if goal.relation is not None:
            words["relation"] = _known("relation", goal.relation, self.relations).train[0]
        return words

    def _words(self, goal: Goal, split: Split) -> dict[str, tuple[str, ...]]:
        """Slot → the words of a split for this goal; held-out ones come beside the plain."""
        words = {
            "colour": _known("colour", goal.object.colour, self.colours).of(split),
            "shape": _known("shape", goal.object.shape, self.shapes).of(split),
        }
        if goal.relation is not None:
            words["relation"] = _known("relation", goal.relation, self.relations).of(split)
        if split == "train":
            return words
        plain = self._plain(goal)
        return {slot: (plain[slot], *options) for slot, options in words.items()}


def _known(kind: str, name: str, section: Mapping[str, Phrases]) -> Phrases:
    if name not in section:
        raise UserError(f"no {kind} {quoted(name)} in the bank; there are {', '.join(section)}")
    return section[name]


def _say(plain: str, words: tuple[str, ...], rng: np.random.Generator) -> str:
    """The plain name half of the time, as people do, else another word."""
    others = tuple(word for word in words if word != plain)
    return _choice(others, rng) if others and (plain not in words or rng.random() < 0.5) else plain


def _choice(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
