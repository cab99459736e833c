"""Templates: sentences with slots, and the one place that knows which slots exist."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping

from mmil.contracts import UserError

SLOTS = ("object", "colour", "shape", "relation", "target")  # of a verb's templates
WHOLE = "instruction"  # the slot of a manner's templates
REFERENCE = ("shape", "colour", "landmark")  # of a reference's
_SLOT = re.compile(r"\{([^{}]*)\}")


class _Brief(reprlib.Repr):
    """What a message has room for: a few lines of YAML may stand for lists of lists without end."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 12
        self.maxstring = self.maxother = self.maxlong = 1000

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() < self.maxlong else "a number of many digits"


def quoted(value: object, limit: int = 80) -> str:
    """`value` as one short line for a message."""
    text = _Brief().repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def slots(template: str, known: tuple[str, ...] = SLOTS) -> frozenset[str]:
    """The slots that `template` names; refuses unknown ones and stray braces."""
    names = _SLOT.findall(template)
    unknown = [name for name in names if name not in known]
    listed = ", ".join("{" + name + "}" for name in known)
    if unknown:
        raise UserError(f"unknown slot {quoted('{' + unknown[0] + '}')} in {quoted(template)}; there are {listed}")
    if re.search(r"[{}]", _SLOT.sub("", template)):
        raise UserError(f"a brace without its partner in {quoted(template)}; the slots are {listed}")
    return frozenset(names)


def texts(template: str) -> list[str]:
    """What of `template` stands in every sentence that it says: the text around its slots."""
    return _SLOT.split(template)[::2]


def wording(template: str) -> str:
    """A template's own words: "{object}" is a slot, "objects" is a word."""
    return _SLOT.sub(" ", template)


def render(template: str, words: Mapping[str, str], known: tuple[str, ...] = SLOTS) -> str:
    """`template` with these words in its slots; checked first, filled in one pass."""
    missing = sorted(slots(template, known) - set(words))
    if missing:
        raise UserError(f"{quoted(template)} names a {{{missing[0]}}}, and the goal has none")
    return _SLOT.sub(lambda match: words[match[1]], template)


def pattern(template: str, options: Mapping[str, str], known: tuple[str, ...] = SLOTS) -> str:
    """A regular expression of what `template` can say, from those of its slots."""
    assert slots(template, known) <= set(options), "every slot has its options"
    texts = _SLOT.split(template)  # text, slot, text, slot, …
    return "".join(options[part] if i % 2 else re.escape(part) for i, part in enumerate(texts))


def said_in(manner: str, sentence: str) -> str:
    """A sentence in a manner's words, which come before its question mark."""
    mark = "?" if sentence.endswith("?") else ""
    return render(manner, {WHOLE: sentence.removesuffix("?")}, (WHOLE,)) + mark
