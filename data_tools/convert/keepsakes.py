"""What an episode cannot say in our fields, kept so that it goes back as it came: other dtypes, long texts, attributes.

An array kept under the name it had stands for ours on the way back exactly if rounding it as before gives ours; whoever
changed the episode in between gets the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmil.data.sample import Extras

SHORT = 500  # characters; a longer text is compressed with the arrays
_TEXT = "text/"


@dataclass(frozen=True)
class Texts:
    """Texts and single numbers, the long ones apart."""

    short: dict[str, Any]
    long: dict[str, np.ndarray]  # uint8, UTF-8


def keep_texts(told: Mapping[str, Any], under: str) -> Texts:
    long = {name: text for name, text in told.items() if isinstance(text, str) and len(text) > SHORT}
    return Texts(
        {name: value for name, value in told.items() if name not in long},
        {f"{_TEXT}{under}/{name}": np.frombuffer(text.encode(), np.uint8) for name, text in long.items()},
    )


def kept_texts(extras: Extras, short: Mapping[str, Any], under: str) -> dict[str, Any]:
    """What keep_texts() took."""
    prefix = f"{_TEXT}{under}/"
    long = {name.removeprefix(prefix): array for name, array in extras.arrays.items() if name.startswith(prefix)}
    return {**short, **{name: array.tobytes().decode("utf-8", "replace") for name, array in long.items()}}


def originals(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those that float32 would change or forget the dtype of, and single numbers, which become vectors of one."""
    return {name: array for name, array in arrays.items() if array.dtype != np.float32 or array.ndim < 2}


def restored(extras: Extras, name: str, ours: np.ndarray) -> np.ndarray:
    """The array kept under `name` if it still says what `ours` says, else `ours`."""
    kept = extras.arrays.get(name)
    if kept is None or len(kept) != len(ours) or kept.size != ours.size:
        return ours
    with np.errstate(over="ignore"):
        return kept if np.array_equal(kept.astype(ours.dtype).reshape(ours.shape), ours) else ours
