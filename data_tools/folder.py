"""The place that a data set grows in: with which options it was begun, and what is only there until it is finished."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from mmil.contracts import UserError
from mmil.data.address import Place, store_at
from mmil.data.dataset import GENERATION, MANIFEST
from mmil.data.store import LOCK, TEMPORARY

PARTS = ".parts"


@contextlib.contextmanager
def claim(place: Place, config: Mapping[str, Any]) -> Iterator[None]:
    """Hold `place` alone, for a data set with these options: new, or begun by an earlier run with the same ones."""
    store = store_at(place)
    refuse_foreign(store, GENERATION)
    require_same(store, config)
    with store.hold(PARTS):
        require_same(store, config)  # nobody else can write it from here on
        if GENERATION not in store.sizes():
            store.write(GENERATION, json.dumps(config, indent=1).encode() + b"\n")
        yield


def require_same(place: Place, config: Mapping[str, Any]) -> None:
    """Raise UserError with the lines that differ if the data set was begun with other options."""
    store = store_at(place)
    try:
        there = json.loads(store.read(GENERATION))
    except FileNotFoundError:
        return
    except ValueError as error:
        raise UserError(f"{store}/{GENERATION} is not JSON: {error}") from None
    lines = _differences(json.loads(json.dumps(config)), there)
    if lines:
        raise UserError(f"{store} was begun with other options: {'; '.join(lines)}: name a new folder, or use those")


def is_finished(place: Place) -> bool:
    """Whether there is nothing left to do, not even to clear away."""
    names = store_at(place).sizes()
    return MANIFEST in names and LOCK not in names and not any(name.startswith(f"{PARTS}/") for name in names)


def finish(place: Place) -> None:
    """Remove what only an unfinished data set needs."""
    store_at(place).clear(PARTS)


def refuse_foreign(place: Place, mark: str) -> None:
    """Raise UserError where something lies that is not ours: ours begins with the file `mark`."""
    store = store_at(place)
    names = store.sizes()
    others = sorted(name for name in names if name != LOCK and not TEMPORARY.fullmatch(name))
    if others and mark not in names:
        raise UserError(f"{store} holds something else ({', '.join(others[:3])}) and no {mark}: name a new folder")


def _differences(asked: Any, there: Any, key: str = "") -> list[str]:
    if isinstance(asked, dict) and isinstance(there, dict):
        keys = sorted(asked.keys() | there.keys())
        prefix, absent = f"{key}." if key else "", "(absent)"
        return [line for k in keys for line in _differences(asked.get(k, absent), there.get(k, absent), f"{prefix}{k}")]
    return [] if asked == there else [f"{key}: {asked} (asked) != {there} (there)"]
