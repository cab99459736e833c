"""Begin with what another run has learnt: its weights, wherever name and shape are the same, and its statistics.

A layer that reads several things side by side (signals, cameras) keeps the columns of those it knew; columns of what is
new are zero, and where tokens ask tokens those of what is new are not heard, so that the policy begins by acting as it
did, whatever the new camera or signal shows. Of what is missing, columns are left out, as if it had read zero there
(a signal: its mean), and an attention goes on among those that remain. Pretrained parts are taken whole or not at all:
half of a network that was tuned, in one that was not, is neither.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from mmil.contracts import Spec, UserError, require_known
from mmil.data.shards import file_sha256
from mmil.data.stats import Stats
from mmil.policy import Policy
from mmil.run import MODEL, RunFolder, load_policy

Statistics = Literal["old", "new"]
PRETRAINED = re.compile(r"vision\.backbone|language\.model")
BUFFERS = "normalizer"
HEARING = "fusion.hearing."
NUMBERED = re.compile(r"^(other\.|fusion\.others\.|fusion\.hearing\.other_)(\d+)\b")
LISTED = 4  # names in a line


@dataclass(frozen=True)
class Taken:
    """Names of tensors: taken over, taken in part, begun anew, and left behind."""

    matched: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """A short table by part, and the first names of what did not fit."""
        kinds = {kind: Counter(map(_part, names)) for kind, names in vars(self).items()}
        parts = sorted({part for counts in kinds.values() for part in counts})
        width = max(map(len, parts))
        rows = [f"{part:<{width}}" + "".join(f"{counts[part]:>9}" for counts in kinds.values()) for part in parts]
        named = [f"{kind}: {_listed(names)}" for kind, names in vars(self).items() if kind != "matched" and names]
        return [" " * width + "".join(f"{kind:>9}" for kind in kinds), *rows, *named]


class Start:
    """A finished run to begin from. cameras: what here is called so, there was called … . statistics: whose."""

    def __init__(
        self, path: Path, spec: Spec, *, cameras: Mapping[str, str] | None = None, statistics: Statistics = "old"
    ) -> None:
        self.folder, self.statistics = RunFolder.open(path), statistics
        self.policy = load_policy(path)
        self._every = {_called(name, self.policy): value for name, value in self.policy.state_dict().items()}
        self.cameras = dict(cameras or {})
        require_known("camera", self.cameras, spec.cameras, where="in the data to give weights to")
        require_known("camera", self.cameras.values(), self.policy.spec.cameras, where=f"in {path}")

    def stats(self, found: Stats) -> Stats:
        """Statistics to normalise by: those the weights expect of every signal they know, or with "new" the data's."""
        if self.statistics == "new":
            return found
        kept = dict(found.signals)
        for name, one in found.signals.items():
            there = self.folder.stats.signals.get(self._there(f"signal.{name}").removeprefix("signal."))
            if there is not None and there.mean.shape == one.mean.shape:
                kept[name] = there
        return dataclasses.replace(found, signals=kept)

    def give(self, policy: Policy) -> Taken:
        """Put what fits into `policy`; refused where nothing that was learnt does."""
        here, every = policy.state_dict(), self._every
        whence = {name: self._there(_called(name, policy)) for name in here}
        there = {name: every[old] for name, old in whence.items() if old in every}
        unknown = every.keys() - whence.values()
        partly = self._partly(policy, there)
        same = {name: value for name, value in there.items() if name not in partly}
        matched = _matched(here, same, unknown, buffers=self.statistics == "old")
        if not partly and not any(_learnt(name, value) for name, value in matched.items()):
            raise UserError(f"nothing of {self.folder.path} fits this config and these data: {_misfit(here, every)}")
        kept, silent = self._hearing(policy, matched)
        policy.load_state_dict({**here, **matched, **partly, **kept, **silent})
        used = {self._there(_called(name, policy)) for name in (*matched, *partly, *kept)}
        new = [name for name in here if name not in matched and name not in partly]
        left = [name for name in every if name not in used]
        return Taken([*matched, *kept], list(partly), [*new, *silent], left)

    def _partly(self, policy: Policy, there: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weights that read other things than there, with the columns of what both read; zero for what is new."""
        here, known, found = policy.state_dict(), columns(self.policy), {}
        for name, asked in columns(policy).items():
            told = known.get(self._there(name))
            if name not in there or told is None or len(there[name]) != len(here[name]):
                continue
            if told == [(self._there(label), count) for label, count in asked]:
                continue
            kept = dict(zip(told, there[name].split([count for _, count in told], dim=1), strict=True))
            blocks = [kept.get((self._there(label), count)) for label, count in asked]
            if any(block is not None for block in blocks):
                own = here[name].split([count for _, count in asked], dim=1)
                pairs = zip(blocks, own, strict=True)
                found[name] = torch.cat([torch.zeros_like(new) if old is None else old for old, new in pairs], dim=1)
        return found

    def _hearing(self, policy: Policy, matched: Collection[str]) -> tuple[dict[str, torch.Tensor], ...]:
        """Loudness of sources in a fusion that is taken over: as it was there, and 0 where there was no such source."""
        known = {_called(HEARING + source, self.policy) for source in self.policy.fusion.sources}
        whence = {HEARING + source: self._there(_called(HEARING + source, policy)) for source in policy.fusion.sources}
        kept = {name: self._every[old] for name, old in whence.items() if old in self._every}
        silent = {name: torch.zeros(()) for name, old in whence.items() if old not in known}
        fits = any(name.startswith("fusion.") for name in matched) and known & set(whence.values())
        return (kept, silent) if fits else ({}, {})

    def lineage(self, taken: Taken) -> dict[str, Any]:
        """What data.json says of it, and of what it began from itself."""
        told = {
            "run": str(self.folder.path),
            "weights_sha256": file_sha256(self.folder.path / MODEL),
            "cameras": self.cameras,
            "statistics": self.statistics,
            **{kind: len(names) for kind, names in vars(taken).items()},
        }
        before = self.folder.data.get("start")
        return {**told, "start": before} if before else told

    def _there(self, name: str) -> str:
        """What a tensor or a signal of this policy is called in that run."""
        renamed = dict(self.cameras)
        for ending in ("", "-first"):
            renamed |= {f"camera_{new}{ending}": f"camera_{old}{ending}" for new, old in self.cameras.items()}
        first, *rest = name.split(".")
        return ".".join([first, *(renamed.get(part, part) for part in rest)])


def columns(policy: Policy) -> dict[str, list[tuple[str, int]]]:
    """Of every part that says so: weight → what its columns read, in order, and how many columns read it."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path, module in policy.named_modules():
        for name, told in getattr(module, "columns", {}).items():
            found[f"{path}.{name}"] = [(_called(label, policy), count) for label, count in told]
    return found


def _called(name: str, policy: Policy) -> str:
    """What has the number of a signal encoder of this policy in its name, by that encoder's name."""
    others = list(policy.others)
    return NUMBERED.sub(lambda found: found[1] + others[int(found[2])], name)


def _matched(
    here: Mapping[str, torch.Tensor], there: Mapping[str, torch.Tensor], unknown: Collection[str], *, buffers: bool
) -> dict[str, torch.Tensor]:
    """Of the same name and shape; of a pretrained part all or nothing."""
    fitting = {name for name, value in there.items() if here[name].shape == value.shape}
    torn = {_part(name) for name in (*unknown, *(here.keys() - fitting)) if PRETRAINED.match(name)}
    return {
        name: value
        for name, value in there.items()
        if name in fitting and _part(name) not in torn and (buffers or not name.startswith(BUFFERS))
    }


def _part(name: str) -> str:
    """The part of the policy that a tensor belongs to, as vision, or vision.backbone."""
    first, second, *_ = [*name.split("."), ""]
    return f"{first}.{second}" if PRETRAINED.match(f"{first}.{second}") else first


def _learnt(name: str, value: torch.Tensor) -> bool:
    """Whether it is a weight of our own; what has one axis may fit by chance."""
    return (
        value.dim() > 1 and not name.startswith((BUFFERS, "vision.mean", "vision.std")) and not PRETRAINED.match(name)
    )


def _misfit(here: Mapping[str, torch.Tensor], there: Mapping[str, torch.Tensor]) -> str:
    """The first weight that is another one there."""
    mine, theirs = ([name for name, value in state.items() if _learnt(name, value)] for state in (here, there))
    for name in mine:
        if name in theirs:
            return f"{name} is {tuple(there[name].shape)} there and {tuple(here[name].shape)} here"
    return f"it has {_listed(theirs)}; here are {_listed(mine)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
