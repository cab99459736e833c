"""Episodes that are there twice: the same start, draws or actions, or first pictures that nobody could tell apart."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass

import numpy as np

from mmil.contracts import Episode

SIDE = 16  # [pixels] of the small copy of a first frame
NEAR = 1.5  # mean difference [of 255] of such copies, below which two are alike
LISTED = 5  # groups of a kind


@dataclass(frozen=True)
class Kind:
    """What some episodes share."""

    what: str
    episodes: int  # that share it with an earlier one
    groups: tuple[tuple[int, ...], ...]  # the first few
    seen: int  # episodes that were compared


class Twins:
    """Eight bytes an episode and kind, and a small picture of those that are `chosen`."""

    def __init__(self) -> None:
        self._marks = {name: (array("Q"), array("Q")) for name in ("first state", "draws", "actions")}  # mark, episode
        self._copies: list[np.ndarray] = []  # uint8 (SIDE, n * SIDE, 3)
        self._chosen: list[int] = []

    def add(self, episode: Episode, index: int, *, chosen: bool) -> None:
        draws = json.dumps(episode.draws, sort_keys=True).encode() if episode.draws else b""
        state = episode.states[0].tobytes()
        for name, data in (("first state", state), ("draws", draws), ("actions", episode.actions.tobytes())):
            if data:  # what came from elsewhere may have no states and no draws
                marks, episodes = self._marks[name]
                marks.append(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()))
                episodes.append(index)
        if chosen and episode.images:
            self._copies.append(np.concatenate([_copy(images[0]) for images in episode.images.values()], axis=1))
            self._chosen.append(index)

    def result(self) -> list[Kind]:
        """Every kind that was looked at."""
        kinds = [_equal(name, np.array(marks), np.array(of)) for name, (marks, of) in self._marks.items() if len(marks)]
        return [*kinds, *([self._alike()] if self._copies else [])]

    def _alike(self) -> Kind:
        copies = np.stack(self._copies).reshape(len(self._copies), -1).astype(np.float32)
        groups: list[tuple[int, ...]] = []
        left = np.ones(len(copies), bool)
        for first in range(len(copies)):
            if not left[first]:
                continue
            near = left & (np.abs(copies - copies[first]).mean(axis=1) < NEAR)
            left &= ~near
            if near.sum() > 1:
                groups.append(tuple(np.array(self._chosen)[near].tolist()))
        return _kind("first pictures (nearly)", groups, len(copies))


def _copy(frame: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _equal(what: str, marks: np.ndarray, episodes: np.ndarray) -> Kind:
    order = np.argsort(marks, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(marks[order]) != 0])
    groups = [tuple(episodes[part].tolist()) for part in np.split(order, starts[1:]) if len(part) > 1]
    return _kind(what, sorted(groups), len(marks))


def _kind(what: str, groups: list[tuple[int, ...]], seen: int) -> Kind:
    return Kind(what, sum(len(group) - 1 for group in groups), tuple(groups[:LISTED]), seen)
