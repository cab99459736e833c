"""Why held-out compositions are not apart from training: what cannot occur, what says the same, what leaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from mmil.contracts import Goal
from mmil.language.bank import Phrases
from mmil.language.compositions import PARTS, Compositions, parts
from mmil.language.coverage import Coverage
from mmil.language.grammar import Grammar
from mmil.language.leaks import leaks
from mmil.language.words import content, tokens

Section = Mapping[str, Phrases]


def faults(held: Compositions, goals: Sequence[Goal], grammar: Grammar) -> list[str]:
    """A line each; empty where they are. `goals` is all that can be asked for, which the compositions divide."""
    goals = list(dict.fromkeys(goals))
    unknown = list(_unknown(held, goals, grammar))
    if unknown:
        return unknown
    if not held.of_split(goals, "train"):
        return ["everything is held out: nothing is left to train on"]
    found = chain(_synonyms(held, grammar), _never_or_implied(held, goals), _said_in_training(held, goals, grammar))
    return [*found, *Coverage.count(held, goals).unseen]


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


def _never_or_implied(held: Compositions, goals: Sequence[Goal]) -> Iterator[str]:
    matched = {one: {goal for goal in goals if one.matches(goal)} for one in held.held_out}
    for at, (one, own) in enumerate(matched.items()):
        if not own:
            yield f"{one} can never occur: no goal has all of it"
            continue
        for before, (other, others) in enumerate(matched.items()):
            if (own < others) or (own == others and before < at):
                yield f"{one} is implied by {other}: every goal that shows it shows that; leave one of them out"
                break


def _said_in_training(held: Compositions, goals: Sequence[Goal], grammar: Grammar) -> Iterator[str]:
    """Sentences of training goals that say, or nearly say, a held-out one of the same things.

    Templates do not depend on the things they are filled with, so that one held-out goal stands for its kind.
    """
    training = held.of_split(goals, "train")
    for one in held.held_out:
        for goal in [goal for goal in goals if one.matches(goal)][:1]:
            twins = [twin for twin in training if (twin.object, twin.target) == (goal.object, goal.target)]
            said = next(((twin, same) for twin in twins if (same := _same(twin, goal, grammar))), None)
            if said:
                yield f"{one} leaks: {goal} is said as {said[0]} is, which is trained ({said[1]})"


def _same(twin: Goal, goal: Goal, grammar: Grammar) -> str | None:
    """A sentence for both. Manners and relations are small words: where they differ, only the very same words leak."""
    said, own = ([grammar.fill(text, one) for text in grammar.verbs[one.verb].train] for one in (twin, goal))
    if (twin.manner, twin.relation) == (goal.manner, goal.relation):
        return next(iter(leaks(said, own)), None)
    known = {tokens(text) for text in said}
    return next((text for text in own if tokens(text) in known), None)
