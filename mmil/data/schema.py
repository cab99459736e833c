"""What files must hold to be read any further: anybody may have written them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from mmil.contracts import OUTCOMES, STREAMS, Split

# a type, a test, [what every item is], {name: what it is}, {...: what every value is}
Schema = type | Callable[[Any], bool] | list | dict
SIDE = 1 << 14  # [pixels] of a picture: more is no camera
NAME = re.compile(r"[a-z0-9_-]+")  # webdataset cuts keys at the first dot and lowers the rest


def misfit(value: Any, schema: Schema, where: str = "") -> str | None:
    """The first place where `value` is not what it should be, and what lies there; None where all is well."""
    if isinstance(schema, list):
        items = list(enumerate(value)) if isinstance(value, list) else None
        pairs = [] if items is None else [(key, item, schema[0]) for key, item in items]
        fits = items is not None
    elif isinstance(schema, dict):
        fits = isinstance(value, Mapping)
        every = {name: schema[...] for name in value} if fits and ... in schema else {}
        named = {name: part for name, part in schema.items() if name is not ...}
        pairs = [(name, value.get(name), part) for name, part in (every | named).items()] if fits else []
    else:
        fits = isinstance(value, schema) if isinstance(schema, type) else bool(schema(value))
        pairs = []
    if not fits:
        return f"{where.lstrip('.') or 'it'} is {value!r:.60}"
    return next(filter(None, (misfit(part, inner, f"{where}.{name}") for name, part, inner in pairs)), None)


def natural(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def name(value: Any) -> bool:
    """What may name a scene, a camera or a sample: it becomes part of the names of files."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def optional(schema: Schema) -> Schema:
    """The same, or nothing at all."""
    return lambda value: value is None or misfit(value, schema) is None


def _picture(value: Any) -> bool:
    """(h, w, 3)"""
    return (
        misfit(value, [natural]) is None and len(value) == 3 and value[2] == 3 and 0 < min(value) <= max(value) < SIDE
    )


def _size(value: Any) -> bool:
    """(h, w)"""
    return misfit(value, [natural]) is None and len(value) == 2


def _maps(value: Any) -> bool:
    """["front.depth", …], each once."""
    return misfit(value, [map_of_camera]) is None and len(set(value)) == len(value)


def map_of_camera(value: Any) -> bool:
    """<camera>.<stream>"""
    camera, _, stream = value.partition(".") if isinstance(value, str) else ("", "", "")
    return name(camera) and stream in STREAMS


THING: Schema = {"shape": str, "colour": str}
GOAL: Schema = {
    "verb": str,
    "object": THING,
    "target": optional(THING),
    "manner": optional(str),
    "relation": optional(str),
}
ATTEMPT: dict = {  # what a row of the index and the json of a sample both say
    "seed": natural,
    "attempts": natural,
    "goal": GOAL,
    "instruction": str,
    "split": lambda value: value in get_args(Split),
    "outcome": lambda value: value in OUTCOMES,
    "things": [THING],
    "steps": natural,
    "quality": optional(str),
    "references": optional([str]),
    "labelled": optional(lambda value: misfit(value, [[natural]]) is None and all(len(span) == 2 for span in value)),
}
ROW: Schema = {**ATTEMPT, "key": name, "index": natural, "shard": str, "offset": natural, "size": natural}
SAMPLE: Schema = {
    **ATTEMPT,
    "scene": name,
    "cameras": [name],
    "draws": dict,
    "measures": optional({...: number}),
    "provenance": optional({...: str}),
    "maps": optional(_maps),
}
SPEC: Schema = {
    "scene": name,
    "cameras": {...: _picture},
    "signals": {...: [natural]},
    "action": [str],
    "control_hz": lambda value: number(value) and 0 < value < 1e6,
    "controller": dict,
    "conventions": dict,
    "privileged": optional({...: [natural]}),
    "versions": optional({...: str}),
    "maps": optional({...: _size}),
}
LINEAGE: Schema = optional([{"redrawn": [str]}])
SENTENCES: Schema = [{"goal": GOAL, "sentences": [str]}]
