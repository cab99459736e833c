"""What somebody else's loop gives a policy, checked against the Spec it was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmil.contracts import Observation, Spec, UserError, map_dtype, require_known
from mmil.limits import LONGEST, UNITS, limit
from mmil.shown import Shown

PARTS = ("images", "signals", "instruction", "maps")


def observed(given: Observation | Mapping[str, Any], spec: Spec) -> Observation:
    """The observation that is given, as one or as {"images": …, "signals": …, "instruction": …}, if it is of `spec`.

    Cameras and signals that the Spec does not name are left out. Pictures that render when somebody looks are checked
    then, and still render only then.
    """
    if isinstance(given, Observation):
        given = {part: getattr(given, part) for part in PARTS}
    if not isinstance(given, Mapping):
        raise UserError(
            f"got {type(given).__name__}; expected an Observation or a dict with images, signals, instruction"
        )
    require_known("part", given, PARTS, where="of an observation")
    images = _named(given, "images", spec.cameras)
    signals = _named(given, "signals", spec.signals)
    maps = _named(given, "maps", [name for name in spec.maps if name in (given.get("maps") or ())])
    return Observation(
        images=_pictures(images, spec),
        signals={name: _signal(name, signals[name], shape) for name, shape in spec.signals.items()},
        instruction=_sentence(given.get("instruction", "")),
        maps=Shown(tuple(maps), lambda name: _picture(name, maps[name], spec.maps[name], map_dtype(name))),
    )


def _sentence(given: Any) -> str:
    """What a tokenizer can read, and a person would say."""
    if not isinstance(given, str):
        raise UserError(f"instruction is {type(given).__name__}; expected a sentence (str)")
    if len(given) > LONGEST:
        raise UserError(f"instruction has {len(given)} characters; a sentence has {LONGEST} at most")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"instruction {given!a:.60} is no text: {error.reason} at {error.start}") from None
    return given


def _named(given: Mapping[str, Any], part: str, expected: Any) -> Mapping[str, Any]:
    """The mapping of that part, in which every expected name must be."""
    found = given.get(part) or {}
    if not isinstance(found, Mapping):
        raise UserError(f"{part} is {type(found).__name__}; expected a dict of {', '.join(expected)}")
    there = list(found)  # to ask a mapping that renders whether it holds a picture would be to render it
    missing = [name for name in expected if name not in there]
    if missing:
        raise UserError(
            f"no {part} {', '.join(missing)}; got {', '.join(map(str, there)) or 'none'}, expected "
            f"{', '.join(expected)}"
        )
    return found


def _pictures(images: Mapping[str, Any], spec: Spec) -> Mapping[str, np.ndarray]:
    def checked(name: str) -> np.ndarray:
        return _picture(f"camera {name}", images[name], spec.cameras[name], np.dtype(np.uint8))

    return (
        Shown(tuple(spec.cameras), checked)
        if isinstance(images, Shown)
        else {name: checked(name) for name in spec.cameras}
    )


def _picture(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Of the very dtype: nobody can tell whether a float picture ends at 1 or at 255."""
    array = _array(name, value)
    if array.dtype != dtype or array.shape != tuple(shape):
        raise UserError(f"{name} is {array.dtype} {array.shape}; expected {dtype} {tuple(shape)}, row 0 on top")
    return array


def _signal(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = _array(f"signal {name}", value)
    if array.dtype.kind not in "fiu" or array.shape != tuple(shape):
        raise UserError(f"signal {name} is {array.dtype} {array.shape}; expected float32 {tuple(shape)}")
    with np.errstate(over="ignore"):
        array = np.asarray(array, np.float32)
    if not np.isfinite(array).all():
        raise UserError(f"signal {name} holds a NaN or an infinity; expected finite numbers")
    if (peak := np.abs(array).max(initial=0.0)) > limit(name):
        unit = f" [{UNITS[name]}]" if name in UNITS else ""
        raise UserError(f"signal {name} reaches {peak:.3g}, more than {limit(name):.3g}{unit}: no measurement")
    return array


def _array(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} is no array: {error}") from None
