"""What was carried over, what was not and why, what had to be made, and how much a lossy picture lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SHOWN = 10  # episodes told at the terminal; the report has them all
CERTAIN = 99.0  # [dB], told for pictures without any difference


@dataclass
class Fidelity:
    """How far pictures are from what they were."""

    how: str
    frames: int = 0
    squares: float = 0.0
    values: int = 0
    worst: int = 0  # [of 255]

    def add(self, before: np.ndarray, after: np.ndarray) -> None:
        """Compare two uint8 pictures."""
        difference = np.abs(before.astype(np.int16) - after)
        self.frames += 1
        self.squares += float((difference.astype(np.float64) ** 2).sum())
        self.values += difference.size
        self.worst = max(self.worst, int(difference.max(initial=0)))

    @property
    def psnr(self) -> float:
        """[dB], over all frames that were compared."""
        return min(CERTAIN, 10 * np.log10(255**2 * self.values / self.squares)) if self.squares else CERTAIN

    def __str__(self) -> str:
        if not self.squares:
            return f"{self.how}: lossless, {self.frames} frames compared"
        return f"{self.how}: PSNR {self.psnr:.1f} dB, at most {self.worst} of 255, {self.frames} frames compared"


@dataclass
class Notes:
    """Gathers what the report says; a field is told once, however many episodes have it."""

    lost: dict[str, str] = field(default_factory=dict)  # field of the source → why it is not there any more
    changed: dict[str, str] = field(default_factory=dict)  # field → how it differs from what it was
    made: dict[str, str] = field(default_factory=dict)  # field the source lacks → where its value is from
    read: dict[str, str] = field(default_factory=dict)  # convention → what the source or the person said
    names: dict[str, str] = field(default_factory=dict)  # ours → theirs
    pictures: dict[str, Fidelity] = field(default_factory=dict)  # camera → loss
    kept_aside: dict[str, str] = field(default_factory=dict)  # field without a place in the format → where it is kept
    unfit: list[tuple[str, str]] = field(default_factory=list)  # episode, reason

    def to_json(self) -> dict[str, Any]:
        pictures = {
            camera: {"how": one.how, "psnr_db": round(one.psnr, 2), "worst": one.worst, "frames": one.frames}
            for camera, one in self.pictures.items()
        }
        return {
            "not_carried_over": self.lost,
            "changed": self.changed,
            "made": self.made,
            "read": self.read,
            "names": self.names,
            "kept_aside": self.kept_aside,
            "pictures": pictures,
            "quarantined": [{"episode": name, "reason": reason} for name, reason in self.unfit],
        }

    def lines(self) -> Iterator[str]:
        """For the person at the terminal."""
        kinds = (
            ("read", self.read),
            ("made", self.made),
            ("changed", self.changed),
            ("kept aside", self.kept_aside),
            ("not carried over", self.lost),
            ("quarantined", dict(self.unfit[:SHOWN])),
        )
        yield from (f"picture {camera}: {loss}" for camera, loss in self.pictures.items())
        for title, told in kinds:
            yield from (f"{title}: {name}: {text}" for name, text in told.items())
