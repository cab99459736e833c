"""From a goal to what a person would say: sentences of a split, one of them at random, or whether one is among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

import numpy as np

from mmil.contracts import Goal, Split, Thing, UserError
from mmil.language.bank import SPLITS, Bank, Phrases, find_bank, parse_bank
from mmil.language.leaks import check
from mmil.language.references import Placed, Reference, referring
from mmil.language.templates import REFERENCE, WHOLE, pattern, quoted, render, said_in, slots, texts

FLAT = 8.0  # ranks that are about as usual as the first


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
        """Every template with the plain words, and every other word in one of them; sorted."""
        plain, words, templates = self._plain(goal), self._words(goal, split), self._templates(goal, split)
        if split == "train":
            plain = {slot: word if word in words[slot] else words[slot][0] for slot, word in plain.items()}
        others = [{**plain, slot: word} for slot in words for word in words[slot] if word != plain[slot]]
        said = [(template, plain) for template in templates] + list(zip(cycle(templates), others, strict=False))
        bodies = [render(template, _phrased(filling)) for template, filling in said]
        return tuple(sorted({said_in(manner, body) for body in bodies for manner in self._manners(goal, split)}))

    def sample(
        self,
        goal: Goal,
        split: Split,
        rng: np.random.Generator,
        *,
        among: Sequence[Placed] = (),
        references: float = 0.0,
    ) -> str:
        """One sentence: a template first, then words, so that those with more fillings weigh no more; usual ones often.

        references: of the sentences, how many say a thing by what it is `among` ("the cube next to the can"), where
        that means it and nothing else; such a sentence is true in its scene alone.
        """
        nouns = self._refer(goal, among, split, rng) if references and rng.random() < references else {}
        templates = self._templates(goal, split)
        if "object" in nouns:
            templates = tuple(template for template in templates if "object" in slots(template))
        template = _choice(templates, rng)
        sentence = render(template, _phrased(self._draw_words(goal, split, rng)) | nouns)
        return self.mannered(sentence, goal, rng, split=split)

    def fill(self, template: str, goal: Goal, rng: np.random.Generator | None = None, *, split: Split = "train") -> str:
        """`template` with words for `goal`: the plain names, or with `rng` any words of `split`."""
        return render(template, _phrased(self._plain(goal) if rng is None else self._draw_words(goal, split, rng)))

    def filled(self, goal: Goal) -> frozenset[str]:
        """The slots of a template that there are words for when `goal` is asked for."""
        return frozenset(_phrased(self._plain(goal)))

    def mannered(self, sentence: str, goal: Goal, rng: np.random.Generator, *, split: Split = "train") -> str:
        """`sentence`, and that it is to be done in the goal's manner, if it has one."""
        return sentence if goal.manner is None else said_in(_choice(self._manners(goal, split), rng), sentence)

    def says(self, sentence: str, goal: Goal, split: Split, *, among: Sequence[Placed] = ()) -> bool:
        """Whether `sentence` is one that sample() can say of `goal`: anywhere, or also where these things are."""
        options = _phrased({part: _either(said) for part, said in self._words(goal, split).items()})
        for one in referring(goal, among, self):
            options[one.slot] = f"(?:{options[one.slot]}|{self._pattern(one, split)})"
        for template in self._templates(goal, split):
            body, mark = template.removesuffix("?"), r"\?" if template.endswith("?") else ""
            for manner in self._manners(goal, split):
                if all(text in sentence for text in (*texts(body), *texts(manner))):  # patterns take longer
                    form = pattern(manner, {WHOLE: pattern(body, options)}, (WHOLE,)) + mark
                    if re.fullmatch(form, sentence):
                        return True
        return False

    def things(self) -> list[Thing]:
        """Every shape in every colour, or once where it has a look of its own."""
        return [
            Thing(shape, colour)
            for shape, phrases in self.shapes.items()
            for colour in (self.colours if phrases.coloured else ("",))
        ]

    def goals(self, things: Iterable[Thing]) -> list[Goal]:
        """Every goal without a manner that the bank has words for, of these things."""
        known = tuple(things)
        return [
            Goal(verb, thing, target=target, relation=relation)
            for verb, phrases in self.verbs.items()
            for thing in _of_shapes(known, phrases.objects)
            for relation in phrases.relations or (None,)
            for target in (_of_shapes(known, phrases.targets) if self._aims(verb) else (None,))
            if target != thing
        ]

    def rows(self, goals: Iterable[Goal], split: Split | None = None) -> Iterator[dict[str, str]]:
        """A row a sentence: goal, verb, split, sentence; of one split or of both."""
        for goal in goals:
            for part in SPLITS if split is None else (split,):
                for sentence in self.sentences(goal, part):
                    yield {"goal": str(goal), "verb": goal.verb, "split": part, "sentence": sentence}

    def _templates(self, goal: Goal, split: Split) -> tuple[str, ...]:
        templates = _known("verb", goal.verb, self.verbs).of(split)
        if goal.object.colour:
            return templates
        return tuple(template for template in templates if "colour" not in slots(template))

    def _manners(self, goal: Goal, split: Split) -> tuple[str, ...]:
        if goal.manner is None:
            return ("{instruction}",)
        return _known("manner", goal.manner, self.manners).of(split)

    def _aims(self, verb: str) -> bool:
        return "target" in slots(self.verbs[verb].train[0])

    def _plain(self, goal: Goal) -> dict[str, str]:
        """The plain words for this goal; parts of the target are called target_colour and target_shape."""
        words = {"colour": goal.object.colour, "shape": goal.object.shape}
        if goal.relation is not None:
            words["relation"] = _known("relation", goal.relation, self.relations).train[0]
        if goal.target is not None:
            words |= {"target_colour": goal.target.colour, "target_shape": goal.target.shape}
        return {part: word for part, word in words.items() if word}

    def _words(self, goal: Goal, split: Split) -> dict[str, tuple[str, ...]]:
        """The words of a split for this goal, by part; held-out ones come beside the plain."""
        said = {"colour": self.colours, "shape": self.shapes, "relation": self.relations}
        names = {"relation": goal.relation or ""}
        words = {}
        for part, plain in self._plain(goal).items():
            kind = part.removeprefix("target_")
            options = _known(kind, names.get(part, plain), said[kind]).of(split)
            words[part] = options if split == "train" else (plain, *options)
        return words

    def _draw_words(self, goal: Goal, split: Split, rng: np.random.Generator) -> dict[str, str]:
        plain = self._plain(goal)
        return {part: _say(plain[part], words, rng) for part, words in self._words(goal, split).items()}

    def _refer(self, goal: Goal, among: Sequence[Placed], split: Split, rng: np.random.Generator) -> dict[str, str]:
        """A noun phrase for one of the goal's slots, by what else is there; none where nothing else would tell."""
        known = referring(goal, among, self)
        if not known:
            return {}
        one = known[int(rng.integers(len(known)))]
        words = self._draw_words(_beside(one), split, rng) | {"colour": one.thing.colour}
        return {one.slot: render(_choice(one.phrases.of(split), rng), _referring(words), REFERENCE)}

    def _pattern(self, one: Reference, split: Split) -> str:
        """A regular expression of all that a reference can be said as."""
        words = self._words(_beside(one), split) | {"colour": (one.thing.colour,)}
        options = _referring({part: _either(said) for part, said in words.items()})
        return "|".join(pattern(template, options, REFERENCE) for template in one.phrases.of(split))


def _beside(one: Reference) -> Goal:
    """A thing and its landmark as a goal has a thing and its target, which have words already."""
    return Goal("", one.thing, target=one.landmark)


def _referring(words: Mapping[str, str]) -> dict[str, str]:
    """Slots of a reference's template from the words of its thing and landmark; a colour alone has its plain name."""
    filling = _phrased(words)
    return {"landmark" if slot == "target" else slot: text for slot, text in filling.items()}


def _either(words: tuple[str, ...]) -> str:
    return "(?:" + "|".join(map(re.escape, words)) + ")"


def _phrased(words: Mapping[str, str]) -> dict[str, str]:
    """Slots of a template from the words for its parts."""
    filling = {part: word for part, word in words.items() if not part.startswith("target_")}
    filling["object"] = " ".join(words[part] for part in ("colour", "shape") if part in words)
    if "target_shape" in words:
        filling["target"] = " ".join(words[part] for part in ("target_colour", "target_shape") if part in words)
    return filling


def _of_shapes(things: Sequence[Thing], shapes: Sequence[str]) -> list[Thing]:
    return [thing for thing in things if not shapes or thing.shape in shapes]


def _known(kind: str, name: str, section: Mapping[str, Phrases]) -> Phrases:
    if name not in section:
        raise UserError(f"no {kind} {quoted(name)} in the bank; there are {', '.join(section)}")
    return section[name]


def _say(plain: str, words: tuple[str, ...], rng: np.random.Generator) -> str:
    """The plain name half of the time, as people do, else another word."""
    others = tuple(word for word in words if word != plain)
    return _choice(others, rng) if others and (plain not in words or rng.random() < 0.5) else plain


def _choice(options: tuple[str, ...], rng: np.random.Generator) -> str:
    """One of them, those that stand first more often, as people say usual things more often than rare ones.

    The r-th is drawn as 1 / (r + FLAT) (Mandelbrot 1953): of 130 the first 20 for 45 % of the time.
    """
    return options[int(np.searchsorted(_shares(len(options)), rng.random(), side="right"))]


@cache
def _shares(count: int) -> np.ndarray:
    """(count,) of draws that fall on this one or on one before it."""
    each = 1 / (np.arange(1, count + 1) + FLAT)
    return np.append(np.cumsum(each / each.sum())[:-1], 1.0)
