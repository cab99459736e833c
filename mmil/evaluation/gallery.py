"""The films of a report: which to show, embedded whole, and a contact sheet of their frames for paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmil.contracts import OUTCOMES
from mmil.evaluation.page import data_uri, picture
from mmil.evaluation.runs import Clip, Suite
from mmil.evaluation.video import read_video

FILMS, FAILURES = 8, 6  # shown a suite; what failures leave free goes to successes
LARGEST = 3_000_000  # [bytes]; a longer film is named, not embedded
SHEET_FRAMES = 5


@dataclass(frozen=True)
class Shown:
    """A film ready to embed."""

    suite: str
    clip: Clip
    source: str  # data address of the mp4
    frames: tuple[str, ...]  # data addresses of evenly spaced pictures


def choose(clips: Sequence[Clip]) -> list[Clip]:
    """A few successes and as many sorts of failure as there are, in the order of their seeds."""
    sorts = {outcome: [clip for clip in clips if clip.outcome == outcome] for outcome in OUTCOMES}
    successes = sorts.pop("success")
    failures = [clips[turn] for turn in range(FAILURES) for clips in sorts.values() if turn < len(clips)]
    failures = failures[:FAILURES]
    return successes[: FILMS - len(failures)] + failures


def gallery(suite: Suite, notes: list[str]) -> list[Shown]:
    """The chosen films of a suite; one that does not play becomes a note."""
    shown = []
    for clip in choose(suite.clips):
        if clip.path.stat().st_size > LARGEST:
            notes.append(f"{suite.name}: {clip.path.name} is too long to embed; it lies in {clip.path.parent}")
            continue
        try:
            frames = read_video(clip.path)
        except (OSError, ValueError):  # av's errors are both
            notes.append(f"{suite.name}: {clip.path.name} cannot be played and is left out")
            continue
        shown.append(Shown(suite.name, clip, data_uri(clip.path.read_bytes(), "video/mp4"), _strip(frames)))
    return shown


def contact_sheet(shown: Sequence[Shown]) -> list[Shown]:
    """Of each suite one success and one failure, where it has them."""
    firsts = {(film.suite, film.clip.outcome == "success"): film for film in reversed(shown)}
    return [film for film in shown if film in firsts.values()]


def _strip(frames: np.ndarray) -> tuple[str, ...]:
    at = np.unique(np.linspace(0, len(frames) - 1, SHEET_FRAMES).round().astype(int))
    return tuple(picture(frames[i, ::2, ::2]) for i in at)  # films are enlarged twice
