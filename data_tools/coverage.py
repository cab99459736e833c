"""What of the bank was said: its templates by verb and its words by name, and whether anything held out was."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mmil.contracts import Goal, Thing
from mmil.language.templates import REFERENCE, SLOTS, pattern

_SLOT = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Said:
    """The phrases of one name of the bank: templates of a verb, or words for a colour, a shape, a relation."""

    section: str
    name: str
    episodes: int
    said: Sequence[tuple[str, int]]  # of training, with episodes; the most frequent first
    never: Sequence[str]  # of training
    held_out: int  # phrases that are
    leaked: Sequence[tuple[str, int]]  # held-out phrases that were said all the same

    @property
    def otherwise(self) -> int:
        """Episodes that were asked for in words the bank does not have."""
        return max(0, self.episodes - sum(count for _, count in (*self.said, *self.leaked)))

    @property
    def share(self) -> float:
        """Of the training phrases."""
        return len(self.said) / max(1, len(self.said) + len(self.never))


def coverage(said: Iterable[tuple[Goal, str]], bank: Any) -> list[Said]:
    """A row a verb that was asked for, then one a way to refer to things, then one a word's name.

    `said`: a goal and a sentence an episode.
    `bank` has a mapping of names to phrases (`train`, `held_out`) in each of its sections, as mmil.language.bank.Bank.
    """
    counted = Counter(said)
    rows = [*_templates(counted, bank), *_references(counted, bank)]
    for section, phrases in vars(bank).items():
        if isinstance(phrases, Mapping) and phrases and all(map(_are_words, phrases.values())):
            rows += _words(counted, section, phrases)
    return rows


def _are_words(phrases: Any) -> bool:
    texts = [getattr(phrases, split, None) for split in ("train", "held_out")]
    return all(isinstance(some, tuple) and not any(map(_SLOT.search, some)) for some in texts)


def _templates(counted: Counter[tuple[Goal, str]], bank: Any) -> Iterator[Said]:
    """Rows of the verbs, then of the manners that wrap what they say."""
    manners = bank.manners
    asked: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (goal, sentence), count in counted.items():
        told = sentence
        if goal.manner and goal.manner in manners:
            manner, told = _manner(sentence, goal, manners)
            asked["manners", goal.manner] += count
            found["manners", goal.manner][manner] += count
        if goal.verb in bank.verbs:
            asked["templates", goal.verb] += count
            found["templates", goal.verb][_template(told, bank.verbs[goal.verb])] += count
    for section, name in sorted(asked, key=lambda pair: (pair[0] != "templates", pair)):
        phrases = (bank.verbs if section == "templates" else manners)[name]
        yield _row(section, name, asked[section, name], phrases, found[section, name])


def _manner(sentence: str, goal: Goal, manners: Mapping[str, Any]) -> tuple[str, str]:
    """The words of a manner, "" where there are none, and what they wrap."""
    if not goal.manner or goal.manner not in manners:
        return "", sentence
    mark = "?" if sentence.endswith("?") else ""
    manner = _template(sentence.removesuffix("?"), manners[goal.manner])
    inner = _pattern(manner).fullmatch(sentence.removesuffix("?")) if manner else None
    return manner, inner[1] + mark if inner else sentence


def _references(counted: Counter[tuple[Goal, str]], bank: Any) -> Iterator[Said]:
    """Rows of the ways to say a thing by what else is there."""
    kinds = bank.references
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (goal, sentence), count in counted.items():
        _, told = _manner(sentence, goal, bank.manners)
        for noun, thing in _nouns(told, goal, bank):
            for kind, phrases in kinds.items():
                for template in (*phrases.train, *phrases.held_out):
                    if _refers(template, noun, thing, bank):
                        found[kind][template] += count
    for kind in sorted(found):
        yield _row("references", kind, found[kind].total(), kinds[kind], found[kind])


def _nouns(sentence: str, goal: Goal, bank: Any) -> Iterator[tuple[str, Thing]]:
    """What a sentence calls the goal's object and target, by the verb's template that it was made from."""
    template = _template(sentence, bank.verbs[goal.verb]) if goal.verb in bank.verbs else ""
    relations = bank.relations.get(goal.relation)
    options = dict.fromkeys(SLOTS, "(.+)")  # of a relation its words, for "next to" is in what it could be, too
    options |= {"relation": f"({'|'.join(map(re.escape, relations.train + relations.held_out))})"} if relations else {}
    match = re.fullmatch(pattern(template, options), sentence, re.IGNORECASE) if template else None
    for slot, text in zip(_SLOT.findall(template), match.groups() if match else (), strict=False):
        thing = {"{object}": goal.object, "{target}": goal.target}.get(slot)
        if thing is not None and thing.colour:  # without one its name is all there is to say
            yield text, thing


def _refers(template: str, noun: str, thing: Thing, bank: Any) -> bool:
    names = {"shape": bank.shapes.get(thing.shape), "colour": bank.colours.get(thing.colour)}
    options = {slot: "|".join(map(re.escape, (*some.train, *some.held_out))) for slot, some in names.items() if some}
    form = pattern(template, {slot: f"(?:{options.get(slot, '.+')})" for slot in REFERENCE}, REFERENCE)
    return re.fullmatch(form, noun, re.IGNORECASE) is not None


def _words(counted: Counter[tuple[Goal, str]], section: str, names: Mapping[str, Any]) -> Iterator[Said]:
    """Rows of the names that goals hold; a held-out word is looked for in every sentence."""
    trained = {_key(word): (name, word) for name in names for word in names[name].train}
    held_out = {_key(word): (name, word) for name in names for word in names[name].held_out}
    known = held_out | trained
    asked, found = Counter[str](), Counter[tuple[str, str]]()
    for (goal, sentence), count in counted.items():
        parts = _parts(goal)
        asked.update({name: count for name in parts if name in names})
        for key in _matches(_key(sentence), known):
            if key not in trained or known[key][0] in parts:
                found[known[key]] += count
    for name in sorted(set(asked) | {name for name, _ in found}):
        mine = Counter({word: count for (whose, word), count in found.items() if whose == name})
        yield _row(section, name, asked[name], names[name], mine)


def _row(section: str, name: str, episodes: int, phrases: Any, counts: Counter[str]) -> Said:
    said = [(phrase, counts[phrase]) for phrase in phrases.train if counts[phrase]]
    return Said(
        section=section,
        name=name,
        episodes=episodes,
        said=sorted(said, key=lambda pair: -pair[1]),
        never=[phrase for phrase in phrases.train if not counts[phrase]],
        held_out=len(phrases.held_out),
        leaked=[(phrase, counts[phrase]) for phrase in phrases.held_out if counts[phrase]],
    )


def _parts(goal: Goal) -> set[str]:
    """Every name that a goal holds."""
    things = [thing for thing in (goal.object, goal.target) if thing]
    names = {goal.verb, goal.manner, goal.relation, *(part for one in things for part in (one.shape, one.colour))}
    return {name for name in names if name}


def _template(sentence: str, phrases: Any) -> str:
    """The one it was made from: of those that fit, the one with most words of its own; "" where none does."""
    templates = (*phrases.train, *phrases.held_out)
    fitting = [template for template in templates if _pattern(template).fullmatch(sentence)]
    return max(fitting, key=lambda template: len(_SLOT.sub("", template)), default="")


@lru_cache(maxsize=8192)
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("(.+)".join(map(re.escape, _SLOT.split(template))), re.IGNORECASE)


def _key(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _matches(words: tuple[str, ...], known: Mapping[tuple[str, ...], Any]) -> set[tuple[str, ...]]:
    """The known runs of words, the longest first: "sky blue" says nothing of "blue"."""
    longest, found, start = max(map(len, known), default=0), set[tuple[str, ...]](), 0
    while start < len(words):
        lengths = range(min(longest, len(words) - start), 0, -1)
        length = next((length for length in lengths if words[start : start + length] in known), 0)
        found |= {words[start : start + length]} if length else set()
        start += max(1, length)
    return found
