"""Why held-out compositions are not apart from training: what cannot occur, what says the same, what leaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from mmil.contracts import Goal, Thing
from mmil.language.bank import Phrases
from mmil.language.compositions import PARTS, Composition, Compositions, parts
from mmil.language.coverage import Coverage
from mmil.language.grammar import Grammar
from mmil.language.leaks import leaks
from mmil.language.templates import said_in, slots
from mmil.language.words import content, tokens

Section = Mapping[str, Phrases]
Things = tuple[Thing, Thing | None]
Matched = dict[Composition, dict[Goal, None]]  # the goals of each, in order


def faults(held: Compositions, goals: Sequence[Goal], grammar: Grammar) -> list[str]:
    """A line each; empty where they are. `goals` is all that can be asked for, which the compositions divide."""
    goals = list(dict.fromkeys(goals))
    unknown = list(_unknown(held, goals, grammar))
    if unknown:
        return unknown
    matched: Matched = {one: {} for one in held.held_out}
    training: dict[Things, list[Goal]] = defaultdict(list)
    for goal in goals:
        found = held.matching(goal)
        for one in found:
            matched[one][goal] = None
        if not found:
            training[goal.object, goal.target].append(goal)
    if not training:
        return ["everything is held out: nothing is left to train on"]
    reasons = chain(_synonyms(held, grammar), _never_or_implied(matched), _said_in_training(matched, training, grammar))
    return [*reasons, *Coverage.count(held, goals).unseen]


def _sections(grammar: Grammar) -> dict[str, Section]:
    """Where the bank keeps the words of a part; other parts have none that stand alone."""
    shapes, colours = grammar.shapes, grammar.colours
    return {"shape": shapes, "target_shape": shapes, "colour": colours, "target_colour": colours}


def _unknown(held: Compositions, goals: Sequence[Goal], grammar: Grammar) -> Iterator[str]:
    """Values that no goal has; where the bank uses one as another word for a value, that is said."""
    values: dict[str, set[str]] = {name: set() for name in PARTS}
    for goal in goals:
        for name, value in parts(goal).items():
            values[name].add(value)
    sections = _sections(grammar)
    for name, value in dict.fromkeys(item for one in held.held_out for item in one.items):
        if value in values[name]:
            continue
        bank = sections.get(name, {})
        meant = [other for other, said in bank.items() if value not in bank and content(value) in _words(said)]
        if meant:
            yield f"{name} {value} is another word for {meant[0]}: hold out {name} {meant[0]}"
        else:
            yield f"no {name} {value} can be asked for; there are {', '.join(sorted(values[name])) or 'none'}"


def _words(phrases: Phrases) -> set[frozenset[str]]:
    return {content(word) for word in phrases.train + phrases.held_out} - {frozenset()}


def _synonyms(held: Compositions, grammar: Grammar) -> Iterator[str]:
    """Held-out values that the bank calls by a word of another value, inflection aside."""
    sections = _sections(grammar)
    for name, value in dict.fromkeys(item for one in held.held_out for item in one.items):
        own = sections.get(name, {}).get(value)
        for other, said in sections.get(name, {}).items():
            shared = _words(own) & _words(said) if own and other != value else set()
            if shared:
                word = " ".join(sorted(next(iter(shared))))
                yield f"{name} {value} and {name} {other} are synonyms in the bank, which calls both {word!r}"


def _never_or_implied(matched: Matched) -> Iterator[str]:
    for at, (one, own) in enumerate(matched.items()):
        if not own:
            yield f"{one} does not occur: no goal that was met has all of it"
            continue
        for before, (other, others) in enumerate(matched.items()):
            if own.keys() < others.keys() or (own.keys() == others.keys() and before < at):
                yield f"{one} is implied by {other}: every goal that shows it shows that; leave one of them out"
                break


def _said_in_training(matched: Matched, training: Mapping[Things, Sequence[Goal]], grammar: Grammar) -> Iterator[str]:
    """Sentences of training goals that say, or nearly say, a held-out one of the same things.

    Templates do not depend on the things they are filled with, so that one held-out goal stands for its kind.
    """
    for one, goals in matched.items():
        for goal in list(goals)[:1]:
            for twin in training.get((goal.object, goal.target), ()):
                if same := _same(twin, goal, grammar):
                    yield f"{one} leaks: {goal} is said as {twin} is, which is trained ({same})"
                    break


def _same(twin: Goal, goal: Goal, grammar: Grammar) -> str | None:
    """A sentence for both. Manners and relations are small words: where they differ, only the very same words leak."""
    said, own = (_sentences(one, grammar) for one in (twin, goal))
    if (twin.manner, twin.relation) == (goal.manner, goal.relation):
        return next(iter(leaks(said, own)), None)
    known = {tokens(text) for text in said}
    return next((text for text in own if tokens(text) in known), None)


def _sentences(goal: Goal, grammar: Grammar) -> list[str]:
    """The plain words in every template of training."""
    templates = grammar.verbs[goal.verb].train
    said = [grammar.fill(text, goal) for text in templates if goal.object.colour or "colour" not in slots(text)]
    phrases = grammar.manners.get(goal.manner or "")
    return [said_in(manner, text) for manner in phrases.train for text in said] if phrases else said
