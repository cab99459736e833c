"""The bank: wordings and words of each split, as data read from YAML and checked for form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from mmil.contracts import Split, UserError
from mmil.language.reading import read_yaml
from mmil.language.templates import REFERENCE, WHOLE, quoted, slots

BANKS = Path(__file__).parent / "banks"
WORDS, VERBS = "words.yaml", "verbs"  # of a bank that is a folder: its words, and a file a verb
SPLITS: tuple[Split, ...] = get_args(Split)
LISTS = ("relations", "objects", "targets", "like")  # that some phrases have beside their splits
FLAGS = {"coloured": True, "alone": False}  # and what holds where they do not say
WORD_SECTIONS = ("shapes", "colours", "relations")
OPTIONAL = ("manners", "references")  # a bank may have none
_WORD = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+)*")


@dataclass(frozen=True)
class Phrases:
    """Templates of a verb, or words for a shape or colour, each in one split only."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    relations: tuple[str, ...] = ()  # of a verb whose templates name one
    objects: tuple[str, ...] = ()  # shapes that it is done to, or said of; any, where none are listed
    targets: tuple[str, ...] = ()  # shapes of what it is done with
    like: tuple[str, ...] = ()  # of a shape: others that its words might mean, where nothing else tells them apart
    coloured: bool = True  # of a shape: whether a colour tells one from another
    alone: bool = False  # of a reference: not said where the goal names a place, which "next to" would be taken for

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
    manners: Mapping[str, Phrases]
    references: Mapping[str, Phrases]
    null: tuple[str, ...]


def find_bank(name_or_path: str | Path) -> Path:
    """The folder of a bank that comes with mmil, by name, or any other folder or .yaml, by path."""
    shipped = {path.name: path for path in sorted(BANKS.iterdir()) if path.is_dir()}
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml") and not (path / WORDS).is_file():
        known = ", ".join(shipped)
        raise UserError(f"no bank {quoted(str(name_or_path))}; there are {known}, or a path to a .yaml or a folder")
    return path


def read_bank(path: Path) -> Any:
    """The sections of a bank from its one file, or from its words and a file a verb."""
    if not path.is_dir():
        return read_yaml(path)
    data = read_yaml(path / WORDS)
    if isinstance(data, dict):
        verbs: dict[Any, Any] = {}
        for file in sorted((path / VERBS).glob("*.yaml")):
            verbs |= read_yaml(file) or {}
        data = {**data, "verbs": verbs}
    return data


def parse_bank(path: Path) -> dict[str, Any]:
    """The fields of a Bank from its files; every fault of form is a UserError that names them."""
    data = read_bank(path)
    sections = ("verbs", *WORD_SECTIONS)
    keys = {*sections, "irrelevant"}
    if not isinstance(data, dict) or not keys <= set(data) or set(data) - keys - set(OPTIONAL):
        got = sorted(map(str, data)) if isinstance(data, dict) else quoted(data)
        raise UserError(f"bank {path}: needs exactly {', '.join(sorted(keys))}; got {quoted(got)}")
    parts = {key: _section(data[key], f"bank {path}: {key}") for key in sections}
    parts |= {key: _section(data[key], f"bank {path}: {key}") if data.get(key) else {} for key in OPTIONAL}
    for verb, phrases in parts["verbs"].items():
        _require_verb(phrases, f"bank {path}: {verb}")
        for what, known in (("relations", "relations"), ("objects", "shapes"), ("targets", "shapes")):
            _require_known(getattr(phrases, what), parts[known], f"bank {path}: {verb}: {what}")
    for section, what in (("shapes", "like"), ("references", "objects")):
        for name, phrases in parts[section].items():
            _require_known(getattr(phrases, what), parts["shapes"], f"bank {path}: {name}: {what}")
    for key, allowed in (("manners", (WHOLE,)), ("references", REFERENCE)):
        for _, phrases in parts[key].items():
            for template in phrases.train + phrases.held_out:
                _slots(template, f"bank {path}: {key}", allowed)
    _require_words(parts["shapes"] | parts["colours"], f"bank {path}")
    return {"name": path.stem, **parts, "null": _strings(data["irrelevant"], f"bank {path}: irrelevant")}


def _section(data: Any, where: str) -> dict[str, Phrases]:
    if not isinstance(data, dict) or not data:
        raise UserError(f"{where} must map names to phrases; got {quoted(data)}")
    section = {}
    for name, phrases in data.items():
        if not isinstance(phrases, dict) or not set(SPLITS) <= set(phrases) <= {*SPLITS, *LISTS, *FLAGS}:
            raise UserError(f"{where}: {name} needs exactly {', '.join(SPLITS)}; got {quoted(phrases)}")
        parts: dict[str, Any] = {
            key: _strings(phrases[key], f"{where}: {name}: {key}") for key in phrases if key not in FLAGS
        }
        parts |= {key: bool(phrases.get(key, usual)) for key, usual in FLAGS.items()}
        section[str(name)] = Phrases(**parts)
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


def _slots(template: str, where: str, *known: tuple[str, ...]) -> frozenset[str]:
    try:
        return slots(template, *known)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _require_verb(phrases: Phrases, where: str) -> None:
    """A template says all of the object, since a part may be ambiguous; all name a relation and a target, or none."""
    forms: dict[frozenset[str], str] = {}
    for template in phrases.train + phrases.held_out:
        named = _slots(template, where)
        if "object" not in named and not {"colour", "shape"} <= named:
            raise UserError(f"{where}: {quoted(template)} names neither {{object}} nor both {{colour}} and {{shape}}")
        forms.setdefault(named & {"relation", "target"}, template)
    for slot in ("relation", "target"):
        two = {slot in form: template for form, template in forms.items()}
        if len(two) > 1:
            raise UserError(f"{where}: {quoted(two[True])} names a {{{slot}}}, {quoted(two[False])} does not")
    if any("relation" in form for form in forms) != bool(phrases.relations):
        raise UserError(f"{where}: templates with {{relation}} and a list `relations` come together; got one")


def _require_known(names: tuple[str, ...], section: Mapping[str, Phrases], where: str) -> None:
    unknown = sorted(set(names) - set(section))
    if unknown:
        raise UserError(f"{where}: the bank has no {', '.join(unknown)}; there are {', '.join(section)}")


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


def phrases_of(bank: Bank) -> Iterator[Phrases]:
    """Every template and word of the bank."""
    sections = (bank.verbs, bank.shapes, bank.colours, bank.relations, bank.manners, bank.references)
    return (phrases for section in sections for phrases in section.values())
