"""Templates: sentences with slots, and the one place that knows which slots exist."""

from __future__ import annotations

import re

from mmil.contracts import UserError

SLOTS = ("object", "colour", "shape", "relation")
_SLOT = re.compile(r"\{([^{}]*)\}")


def quoted(value: object, limit: int = 80) -> str:
    """`value` as one short line for a message."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def slots(template: str) -> frozenset[str]:
    """The slots that `template` names; refuses unknown ones and stray braces."""
    names = _SLOT.findall(template)
    unknown = [name for name in names if name not in SLOTS]
    if unknown:
        raise UserError(f"unknown slot {quoted('{' + unknown[0] + '}')} in {quoted(template)}; there are {_listed()}")
    if re.search(r"[{}]", _SLOT.sub("", template)):
        raise UserError(f"a brace without its partner in {quoted(template)}; the slots are {_listed()}")
    return frozenset(names)


def wording(template: str) -> str:
    """A template's own words: "{object}" is a slot, "objects" is a word."""
    return _SLOT.sub(" ", template)


def render(template: str, *, colour: str, shape: str, relation: str | None = None) -> str:
    """`template` with these words in its slots; checked first, filled in one pass."""
    if "relation" in slots(template) and relation is None:
        raise UserError(f"{quoted(template)} names a {{relation}}, and the goal has none")
    words = {"object": f"{colour} {shape}", "colour": colour, "shape": shape, "relation": relation or ""}
    return _SLOT.sub(lambda match: words[match[1]], template)


def _listed() -> str:
    return ", ".join("{" + name + "}" for name in SLOTS)
