"""The check that held-out language is held out: no template, sentence, word or near-duplicate is shared.

A near-duplicate is a sentence with the same content words, whatever their order, their inflection and the
function or polite words around them. Sentences are compared by a key, so the time grows with their number only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping

from mmil.contracts import Split, UserError
from mmil.language.bank import SPLITS, Bank, Phrases, phrases_of
from mmil.language.templates import quoted, slots, wording
from mmil.language.words import content, tokens


def leaks(train: Iterable[str], held_out: Iterable[str]) -> list[str]:
    """Why these two sets of sentences are not apart, a reason a held-out sentence; empty where they are."""
    same = {tokens(sentence): sentence for sentence in train}
    alike = {_key(sentence): sentence for sentence in same.values()}
    reasons = []
    for sentence in dict.fromkeys(held_out):
        if tokens(sentence) in same:
            reasons.append(f"shared sentence: {quoted(sentence)}")
        elif _key(sentence) in alike:
            reasons.append(f"near-duplicate: {quoted(sentence)} of {quoted(alike[_key(sentence)])} in train")
    return reasons


def overlaps(bank: Bank, train: Iterable[str]) -> list[str]:
    """Which of these sentences a held-out template of the bank could say as well, however it is filled.

    Every held-out sentence of a bank with many verbs and words cannot be listed; what their templates hold can be.
    """
    templates = _held_out(bank.verbs)
    nouns = _held_out(bank.references)
    words = _fillings(bank)
    reasons = []
    for sentence in dict.fromkeys(train):
        said = content(sentence)
        for template, own in templates.items():
            if own <= said and _covers(said - own, [words[slot] for slot in slots(template)]):
                reasons.append(f"near-duplicate: {quoted(sentence)} of the held-out {quoted(template)}")
        for noun, own in nouns.items():
            if own <= said:
                reasons.append(f"{quoted(sentence)} refers to a thing as the held-out {quoted(noun)}")
    return reasons


def _held_out(section: Mapping[str, Phrases]) -> dict[str, frozenset[str]]:
    """Held-out templates, and the stems of their own content words."""
    return {template: content(wording(template)) for phrases in section.values() for template in phrases.held_out}


def _fillings(bank: Bank) -> dict[str, set[frozenset[str]]]:
    """Slot → what a word in it can add, in held-out sentences: held-out words and plain names."""
    kinds = {"colour": bank.colours, "shape": bank.shapes, "relation": bank.relations}
    words = {
        slot: {
            content(word) for name, phrases in section.items() for word in (name, phrases.train[0], *phrases.held_out)
        }
        for slot, section in kinds.items()
    }
    noun = {colour | shape for colour in words["colour"] | {frozenset[str]()} for shape in words["shape"]}
    return {**words, "object": noun, "target": noun}


def _covers(rest: frozenset[str], options: list[set[frozenset[str]]], said: frozenset[str] = frozenset()) -> bool:
    """Whether one choice a slot says all of `rest` and nothing else."""
    if not options:
        return said == rest
    first, *others = options
    return any(choice <= rest and _covers(rest, others, said | choice) for choice in first)


def require_apart(train: Iterable[str], held_out: Iterable[str], *, what: str) -> None:
    """Raise UserError if the sentences `what` was trained on overlap with the held-out ones."""
    reasons = leaks(train, held_out)
    if reasons:
        raise UserError(f"{what}: {len(reasons)} held-out sentences are not held out: {'; '.join(reasons[:3])}")


def check(bank: Bank) -> list[str]:
    """Why the splits of `bank` are not apart; empty where they are.

    That no sentence is shared follows: each held-out template has a content word that no train sentence has.
    """
    known = _content_of(bank, "train")
    return [
        *_word_leaks(bank.shapes, bank.colours, bank.relations, bank.manners, bank.references, known=known),
        *(reason for verb, phrases in bank.verbs.items() for reason in _template_leaks(verb, phrases, known)),
        *_null_leaks(bank),
    ]


def _key(sentence: str) -> Hashable:
    return content(sentence) or tokens(sentence)  # "what is it" and "can you" share no content, and are not alike


def _content_of(bank: Bank, *splits: Split) -> frozenset[str]:
    """Stems of every content word that sentences of these splits can hold, whatever the verb."""
    texts = [wording(text) for phrases in phrases_of(bank) for split in splits for text in phrases.of(split)]
    return frozenset().union(*map(content, texts))


def _word_leaks(*sections: Mapping[str, Phrases], known: frozenset[str]) -> Iterator[str]:
    for section in sections:
        for name, phrases in section.items():
            for word in phrases.held_out:
                if not content(wording(word)) - known:
                    yield f"held-out word {quoted(word)} of {name} occurs in train"


def _template_leaks(verb: str, phrases: Phrases, known: frozenset[str]) -> Iterator[str]:
    same = {tokens(template): template for template in phrases.train}
    near = {form: template for words, template in same.items() for form in _one_word_apart(words)}
    for template in phrases.held_out:
        words = tokens(template)
        twins = [near[form] for form in _one_word_apart(words) if form in near]
        if words in same:
            yield f"shared template of {verb}: {quoted(template)}"
        elif not content(wording(template)) - known:
            yield f"held-out template of {verb} without a held-out content word: {quoted(template)}"
        elif twins:
            yield f"held-out template of {verb} one word from {quoted(twins[0])} in train: {quoted(template)}"


def _one_word_apart(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Forms with one wild card; two templates share one exactly if a single word changes one into the other."""
    for at in range(len(words) + 1):
        yield (*words[:at], "*", *words[at:])
        if at < len(words):
            yield (*words[:at], "*", *words[at + 1 :])


def _null_leaks(bank: Bank) -> Iterator[str]:
    """Sentences of the suite `null` that say something after all."""
    said = _content_of(bank, *SPLITS)
    for sentence in bank.null:
        if content(sentence) & said:
            word = sorted(content(sentence) & said)[0]
            yield f"irrelevant sentence {quoted(sentence)} holds {quoted(word)}, a word of the bank"
