"""What frozen encoders make of pictures and sentences, kept on disk beside the data set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmil.contracts import UserError, metres
from mmil.data.cache import Encode, write_features
from mmil.data.module import WindowData
from mmil.data.sentences import number
from mmil.data.states import SentenceStates
from mmil.encoders.depth import GRID, on_grid
from mmil.encoders.language import TextTokens
from mmil.encoders.vision import TimmVision
from mmil.first import is_first
from mmil.policy import Policy


def read_from_cache(windows: WindowData, policy: Policy, *, precision: str, device: str = "cpu") -> None:
    """Have the windows read, in place of pictures, features under the encoder's hash and its precision; and made so.

    device: what kind makes those that are missing.
    """
    vision = policy.vision
    if not vision.frozen:
        raise UserError(
            "cache: true needs frozen vision; set frozen: true and tuned_stages: 0, or cache: false to tune it"
        )
    half, every = precision.startswith("bf16"), 1 if policy.past > 1 else windows.cut.stride
    fingerprint = {**vision.fingerprint(), "precision": "bf16" if half else "fp32"}
    parts = [fingerprint["sha256"][:12], *map(str, vision.stages), fingerprint["precision"], f"every{every}"]
    if windows.maps:
        fingerprint["depth"] = GRID
        parts.append("depth")
    if windows.views.count > 1:
        parts.append(f"views{windows.views.count}-{number(json.dumps(windows.views.about)):016x}")
    suffix = f"features-{'-'.join(parts)}"
    places = {path: _beside(path, suffix) for path in windows.paths}
    kept: dict[str, Any] = {"every": every, "views": windows.views, "maps": windows.maps, "fingerprint": fingerprint}
    encode = partial(_encode, vision, half=half, device=device)
    windows.read_from(list(places.values()), make=partial(_write, places, vision, encode, kept, device=device))


def keep_sentences(path: Path, language: TextTokens) -> None:
    """Have the language encoder keep what its frozen model reads beside the data set; the first process writes."""
    if language.frozen:
        fingerprint = language.fingerprint()
        parts = [fingerprint["sha256"][:12], *map(str, language.layers), str(language.max_pieces)]
        place = _beside(path, f"sentences-{'-'.join(parts)}{'-pooled' * language.pooled}")
        language.stored = SentenceStates(place, fingerprint, writes=is_first())


def _beside(path: Path, suffix: str) -> Path:
    """The folder that is called as the data set is and `suffix`, next to it."""
    named = path if path.name not in ("", "..") else path.resolve()  # "." has no name
    return named.with_name(f"{named.name}.{suffix}")


def _write(
    places: Mapping[Path, Path], vision: TimmVision, encode: Encode, kept: Mapping[str, Any], *, device: str
) -> None:
    with _lent(vision, device):
        for path, place in places.items():
            write_features(path, place, encode, **kept)


@contextmanager
def _lent(vision: TimmVision, device: str) -> Iterator[None]:
    """The encoder there for a while, and back: which device trains it is for the strategy to say."""
    home = vision.mean.device
    vision.to(device)
    try:
        yield
    finally:
        vision.to(home)


def _encode(vision: TimmVision, name: str, frames: Any, *, half: bool, device: str) -> list[Any]:
    if name not in vision.cameras:
        return [on_grid(torch.from_numpy(metres(frames))[:, None]).half().numpy()]
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).to(device)
    with torch.autocast(device, torch.bfloat16, enabled=half):  # a third of the time
        return [stage.contiguous().cpu().numpy() for stage in vision.encode(images)]
