"""A person's own sentences for an evaluation: verb → templates, `lift: ["could you fetch the {object}"]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmil.contracts import Goal, UserError
from mmil.language.grammar import Grammar
from mmil.language.reading import read_yaml
from mmil.language.templates import SLOTS, quoted, slots


def load_instructions(path: str | Path, verbs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The templates of each verb in the YAML file `path`; every mistake is one line that names the file."""
    known = tuple(verbs)
    data = read_yaml(path)
    if not isinstance(data, dict) or not data:
        raise UserError(f"{path}: expected verb → list of templates (verbs: {', '.join(known)}); got {quoted(data)}")
    for verb in data:
        if verb not in known:
            raise UserError(f"{path}: unknown verb {quoted(verb)}; there are {', '.join(known)}")
    return {verb: _templates(items, f"{path}: {verb}") for verb, items in data.items()}


def sayable(own: Mapping[str, Sequence[str]], goal: Goal, grammar: Grammar) -> tuple[str, ...]:
    """Of the templates of a person's own, those that can ask for this goal: it has all that they name."""
    filled = grammar.filled(goal)
    return tuple(template for template in own.get(goal.verb, ()) if slots(template) <= filled)


def require_sayable(own: Mapping[str, Sequence[str]], grammar: Grammar, *, where: str) -> None:
    """Refuse a template that names what no goal of its verb has."""
    for verb, templates in own.items():
        known = {"object", "colour", "shape"}.union(*map(slots, grammar.verbs[verb].train))
        for template in templates:
            if beyond := sorted(slots(template) - known):
                listed = ", ".join("{" + slot + "}" for slot in SLOTS if slot in known)
                raise UserError(
                    f"{where}: {verb}: {quoted(template)} names a {{{beyond[0]}}}, which nothing has that is to be "
                    f"done so; there are {listed}"
                )


def _templates(items: Any, where: str) -> tuple[str, ...]:
    if not isinstance(items, list):
        raise UserError(f"{where}: expected a list of templates; got {quoted(items)}")
    if not items:
        raise UserError(f"{where}: the list is empty; give at least one template")
    return tuple(_template(item, where) for item in items)


def _template(item: Any, where: str) -> str:
    if not isinstance(item, str):
        raise UserError(f"{where}: {quoted(item)} is {type(item).__name__}, not a string (quote it?)")
    try:
        named = slots(item)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    if not named:
        listed = ", ".join("{" + slot + "}" for slot in SLOTS)
        raise UserError(f"{where}: {quoted(item)} names no object; use one of {listed}")
    return " ".join(item.split())
