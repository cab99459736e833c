"""The bank: wordings and words of each split, as data read from YAML and checked for form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from mmil.contracts import SIDES, Split, UserError
from mmil.language.reading import read_yaml
from mmil.language.templates import quoted, slots

BANKS = Path(__file__).parent / "banks"
SPLITS: tuple[Split, ...] = get_args(Split)
_WORD = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+)*")


@dataclass(frozen=True)
class Phrases:
    """Templates of a verb, or words for a shape or colour, each in one split only."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def of(self, split: Split) -> tuple[str, ...]:
        if split not in SPLITS:
            raise UserError(f"unknown split {quoted(split)}; there are {', '.join(SPLITS)}")
        return self.train if split == "train" else self.held_out


@dataclass(frozen=True)
class Bank:
    """All that can be said: each name (lift, cube, red) with its phrases, and sentences that say nothing."""

    name: str
    verbs: Mapping[str, Phrases]
    shapes: Mapping[str, Phrases]
    colours: Mapping[str, Phrases]
    relations: Mapping[str, Phrases]
    null: tuple[str, ...]


def find_bank(name_or_path: str | Path) -> Path:
    """The file of a bank that comes with mmil, by name, or of any other, by path."""
    shipped = {path.stem: path for path in sorted(BANKS.glob("*.yaml"))}
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"no bank {quoted(str(name_or_path))}; there are {', '.join(shipped)}, or a path to a .yaml")
    return path


def parse_bank(path: Path) -> dict[str, Any]:
    """The fields of a Bank from its file; every fault of form is a UserError that names the file."""
    data = read_yaml(path)
    sections = ("verbs", "shapes", "colours", "relations")
    keys = {*sections, "irrelevant"}
    if not isinstance(data, dict) or set(data) != keys:
        got = sorted(map(str, data)) if isinstance(data, dict) else quoted(data)
        raise UserError(f"bank {path}: needs exactly {', '.join(sorted(keys))}; got {quoted(got)}")
    parts = {key: _section(data[key], f"bank {path}: {key}") for key in sections}
    for verb, phrases in parts["verbs"].items():
        for template in phrases.train + phrases.held_out:
            _require_whole_object(template, f"bank {path}: {verb}")
        _require_one_form(phrases, f"bank {path}: {verb}")
    _require_words(parts["shapes"] | parts["colours"], f"bank {path}")
    _require_relations(parts["relations"], f"bank {path}: relations")
    return {"name": path.stem, **parts, "null": _strings(data["irrelevant"], f"bank {path}: irrelevant")}


def _section(data: Any, where: str) -> dict[str, Phrases]:
    if not isinstance(data, dict) or not data:
        raise UserError(f"{where} must map names to phrases; got {quoted(data)}")
    section = {}
    for name, phrases in data.items():
        if not isinstance(phrases, dict) or set(phrases) != set(SPLITS):
            raise UserError(f"{where}: {name} needs exactly {', '.join(SPLITS)}; got {quoted(phrases)}")
        lists = {split: _strings(phrases[split], f"{where}: {name}: {split}") for split in SPLITS}
        section[str(name)] = Phrases(**lists)
    return section


def _strings(data: Any, where: str) -> tuple[str, ...]:
    if not isinstance(data, list) or not data:
        raise UserError(f"{where} must be a list with something in it; got {quoted(data)}")
    for item in data:
        if not isinstance(item, str):
            raise UserError(f"{where}: {quoted(item)} is {type(item).__name__}, not a string")
        if data.count(item) > 1:
            raise UserError(f"{where}: {quoted(item)} is given twice")
    return tuple(data)


def _require_whole_object(template: str, where: str) -> None:
    """A scene holds several objects of a colour or shape, so that a part of the name may be ambiguous."""
    try:
        named = slots(template)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    if "object" not in named and not {"colour", "shape"} <= named:
        raise UserError(f"{where}: {quoted(template)} names neither {{object}} nor both {{colour}} and {{shape}}")


def _require_one_form(phrases: Phrases, where: str) -> None:
    named = {"relation" in slots(template): template for template in phrases.train + phrases.held_out}
    if len(named) > 1:
        raise UserError(f"{where}: {quoted(named[True])} names a {{relation}}, {quoted(named[False])} does not")


def _require_relations(section: Mapping[str, Phrases], where: str) -> None:
    unknown = sorted(set(section) - set(SIDES))
    if unknown:
        raise UserError(f"{where}: no relation {', '.join(unknown)}; there are {', '.join(SIDES)}")


def _require_words(section: Mapping[str, Phrases], where: str) -> None:
    counts = Counter(word for phrases in section.values() for word in phrases.train + phrases.held_out)
    for name, phrases in section.items():
        if name not in phrases.train:
            raise UserError(f"{where}: {name} must be among its own train words; got {', '.join(phrases.train)}")
        for word in phrases.train + phrases.held_out:
            if not _WORD.fullmatch(word):
                raise UserError(f"{where}: {name}: {quoted(word)} is not a word")
            if counts[word] > 1:
                raise UserError(f"{where}: {quoted(word)} stands for {counts[word]} things; a word is given once")
