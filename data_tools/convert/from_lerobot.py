"""LeRobotDataset v3.0 as a source.

Its rows are observation[t] and action[t], so that N rows are N observations around N−1 actions: the last action has
nothing after it and is left out of the episode; it is kept among the extras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import or_
from pathlib import Path

import numpy as np
import pyarrow as pa

from data_tools.convert.actions import Extent, Scale
from data_tools.convert.given import Given
from data_tools.convert.keepsakes import originals
from data_tools.convert.lerobot import DEFAULTS, Feature
from data_tools.convert.lerobot_files import Entry, Files, numbers
from data_tools.convert.naming import LONGEST_CAMERA, LONGEST_SCENE, legal, legal_names
from data_tools.convert.notes import Notes
from data_tools.convert.takes import Header, NothingLeft, Source, Take, Unfit, foreign_episode
from mmil.contracts import Spec, UserError, require_known
from mmil.data.sample import Extras
from mmil.progress import progress

WORLD = "observation.environment_state"  # where things are: no policy's to know
TOLERANCE = 1e-4  # [s], lerobot's tolerance_s


@dataclass
class Look:
    """What the survey found in the rows of an episode; `reason` where it cannot be taken."""

    reason: str | None = None
    extent: Extent | None = None
    found: bool | None = None  # success
    sentence: str = ""


class LeRobotSource(Source):
    """A folder of the layout, whoever wrote it."""

    def __init__(self, path: Path, given: Given, notes: Notes) -> None:
        self._given, self._notes = given, notes
        self._files = Files(path)
        self._sort(self._files.info.features)
        self.names = [f"{path.resolve().name}/episode {entry.episode}" for entry in self._files.entries]
        entries = progress(self._files.entries, "survey", total=len(self.names), unit="episodes")
        self._looks = [self._look(entry) for entry in entries]
        fit = [look for look in self._looks if look.reason is None]
        if not fit:
            raise NothingLeft([(name, one.reason or "") for name, one in zip(self.names, self._looks, strict=True)])
        self.header = self._describe(path, fit)

    def take(self, index: int) -> Take:
        entry, look = self._files.entries[index], self._looks[index]
        if look.reason is not None:
            raise Unfit(look.reason)
        try:
            return self._read(entry, look, self.names[index])
        except ValueError as error:  # what an Episode refuses
            raise Unfit(str(error)) from None

    def close(self) -> None:
        self._files.close()

    # -- what they share -----------------------------------------------------------------------------------------------

    def _sort(self, features: Mapping[str, Feature]) -> None:
        """Which features are cameras, signals, and neither."""
        require_known("feature", self._given.leave_out, features, where="to leave out")
        if "action" not in features or not features["action"].is_numbers or len(features["action"].shape) != 1:
            raise UserError(f"the features have no vector action; there are {', '.join(features)}")
        left = {name for name in features if name in self._given.leave_out}
        used = [one for name, one in features.items() if name not in DEFAULTS and name not in left and name != "action"]
        pictures = [one for one in used if one.is_picture]
        for one in used:
            if one.is_picture and one.picture_shape is None:
                self._notes.lost[one.name] = f"it is {one.shape}; pictures here are (h, w, 3): depth has no place"
            elif not one.is_picture and not one.is_numbers and one.dtype != "string":
                self._notes.lost[one.name] = f"it is of dtype {one.dtype}, which has no place here"
        cameras = [one.name for one in pictures if one.picture_shape is not None]
        short = {name: legal(name.rpartition(".")[2], longest=LONGEST_CAMERA) for name in cameras}
        self._cameras = legal_names(cameras, short)
        numbered = [one.name for one in used if one.is_numbers and one.name != WORLD]
        seen = [name for name in numbered if name.startswith("observation.")]
        self._signals = legal_names(seen, {name: legal(name.removeprefix("observation."), longest=60) for name in seen})
        self._world = {WORLD: "environment_state"} if WORLD in features and WORLD not in left else {}
        self._aside = [
            one.name for one in used
            if one.name not in (*self._signals, *self._world) and (one.is_numbers or one.dtype == "string")
        ]  # fmt: skip
        for names in (self._cameras, self._signals, self._world):
            self._notes.names |= {mine: name for name, mine in names.items()}
        self._columns = [*DEFAULTS, "action", *self._signals, *self._world, *self._aside]

    def _look(self, entry: Entry) -> Look:
        """The cheap columns of an episode: everything but pictures."""
        try:
            table = self._files.columns(entry, self._columns)
            self._check(entry, table)
            actions = self._numbers(table, "action")
            if not np.isfinite(actions).all():
                raise Unfit("actions hold a NaN or an infinity")
            spoken = self._files.tasks.get(int(self._numbers(table, "task_index")[0]), "")
            return Look(extent=Extent.of(self._kept(actions)), found=self._won(table), sentence=spoken)
        except Unfit as reason:
            return Look(str(reason))

    def _check(self, entry: Entry, table: pa.Table) -> None:
        rows, fps = len(table), self._files.info.fps
        if rows != entry.length:
            raise Unfit(f"it has {rows} rows, meta/episodes says {entry.length}")
        if rows < 2:
            raise Unfit(f"too short: {rows} rows make no observation on both sides of an action")
        if not np.array_equal(self._numbers(table, "frame_index"), np.arange(rows)):
            raise Unfit("frame_index does not count from 0")
        times = self._numbers(table, "timestamp").astype(np.float64)
        if not np.isfinite(times).all():
            raise Unfit("timestamp holds a NaN or an infinity")
        off = np.abs(times - np.arange(rows) / fps).max()
        if off > TOLERANCE + 4 * np.finfo(np.float32).eps * rows / fps:
            step = float(np.median(np.diff(times)))
            raise Unfit(f"timestamps are {step:.4g} s apart and {off:.4g} s off; fps {fps:g} says {1 / fps:.4g} s")

    def _won(self, table: pa.Table) -> bool | None:
        for name, sure in (("next.success", True), ("next.reward", False)):
            if name in self._aside:
                values = self._numbers(table, name)
                if sure or np.isin(values, (0, 1)).all():
                    return bool((values == 1).any())
        return None

    def _describe(self, path: Path, fit: list[Look]) -> Header:
        given, notes, info = self._given, self._notes, self._files.info
        for look in fit:
            given.sentence(look.sentence)
        won = sum(bool(look.found) for look in fit)
        told = given.judged(True if won and all(look.found is not None for look in fit) else None)
        notes.read["outcome"] = f"{told} (--outcome)" if given.outcome else f"success of {won} in {len(fit)}"
        self._scale = Scale.over(reduce(or_, (look.extent for look in fit if look.extent)), given, notes)
        turns = any("quat" in name for name in self._signals)
        conventions = given.told({}, ["action", *(["quaternion"] if turns else [])], notes)
        row0 = given.row0 or "top"
        notes.read["row 0 of pictures"] = f"at the {row0} ({'--row0' if given.row0 else 'as PNG and mp4 have it'})"
        observed = given.observed or "before"
        why = "--observed" if given.observed else "LeRobot's layout"
        notes.read["observations"] = f"observation[t] is seen {observed} action[t] ({why})"
        title = given.scene or str(info.raw.get("robot_type") or path.resolve().name)
        spec = Spec(
            scene=legal(title, longest=LONGEST_SCENE),
            cameras={
                mine: shape for name, mine in self._cameras.items() if (shape := info.features[name].picture_shape)
            },
            signals={mine: info.features[name].shape for name, mine in self._signals.items()},
            action=given.axes(info.features["action"].axes, info.features["action"].shape[0], notes),
            control_hz=given.rate(info.fps, notes),
            controller={"name": "unknown", **self._scale.to_json()},
            conventions={"image": "RGB uint8, row 0 on top", **conventions},
            privileged={mine: info.features[name].shape for name, mine in self._world.items()},
            versions={"lerobot": str(info.raw["codebase_version"])},
        )
        given.settle()
        return Header("lerobot", spec)

    # -- an episode ----------------------------------------------------------------------------------------------------

    def _read(self, entry: Entry, look: Look, name: str) -> Take:
        embedded = [one for one in self._cameras if self._files.info.features[one].dtype == "image"]
        table = self._files.columns(entry, [*self._columns, *embedded])
        raw = {one: self._numbers(table, one) for one in (*self._signals, *self._world)}
        ours = {one: _ours(array, self._files.info.features[one]) for one, array in raw.items()}
        theirs = self._kept(self._numbers(table, "action"))
        sentence, outcome = self._given.sentence(look.sentence), self._given.judged(look.found)
        actions = self._scale.ours(theirs)
        episode = foreign_episode(
            name,
            theirs,
            scene=self.header.spec.scene,
            sentence=sentence,
            outcome=outcome,
            actions=actions,
            images={mine: self._pictures(entry, one, table) for one, mine in self._cameras.items()},
            signals={mine: ours[one] for one, mine in self._signals.items()},
            privileged={mine: ours[one] for one, mine in self._world.items()},
            states=np.zeros((entry.length, 0)),
            rewards=self._rewards(table, len(theirs), won=outcome == "success"),
        )
        return Take(name, episode, extras=self._extras(entry, table, raw))

    def _pictures(self, entry: Entry, name: str, table: pa.Table) -> np.ndarray:
        frames = self._files.frames(entry, self._files.info.features[name], table)
        return frames[:, ::-1].copy() if self._given.row0 == "bottom" else frames

    def _rewards(self, table: pa.Table, steps: int, *, won: bool) -> np.ndarray:
        if "next.reward" in self._aside:
            return self._kept(self._numbers(table, "next.reward")).astype(np.float32).reshape(steps)
        self._notes.made["rewards"] = "the source has none: 1 at the end of a success, else 0"
        return np.append(np.zeros(steps - 1), float(won)).astype(np.float32)

    def _extras(self, entry: Entry, table: pa.Table, raw: Mapping[str, np.ndarray]) -> Extras:
        """What it takes to give the episode back as it was."""
        info = self._files.info
        arrays = originals({f"columns/{name}": array for name, array in raw.items()})
        arrays["columns/action"] = self._numbers(table, "action")
        texts: dict[str, list[str]] = {}
        for name in self._aside:
            if info.features[name].is_numbers:
                arrays[f"columns/{name}"] = self._numbers(table, name)
            else:
                texts[name] = [str(text) for text in table.column(name).to_pylist()]
            self._notes.kept_aside[name] = "as it was, among the extras of each episode"
        which = "first" if self._given.observed == "after" else "last"
        self._notes.kept_aside[f"the {which} action"] = "it has an observation on one side only; among the extras"
        told = [self._files.tasks.get(int(number), "") for number in self._numbers(table, "task_index")]
        if len(set(told)) > 1:
            self._notes.changed["task"] = "some episodes change it midway; theirs is that of the first frame"
        kept = {"action", *self._signals, *self._world, *self._aside, *self._cameras}
        about = {
            "format": "lerobot",
            "episode": entry.episode,
            "observed": self._given.observed or "before",
            "row0": self._given.row0 or "top",
            "robot_type": info.raw.get("robot_type"),
            "features": {name: dict(one.raw) for name, one in info.features.items() if name in kept},
            "texts": texts,
            "tasks": [[text, len(list(run))] for text, run in groupby(told)],
            "names": {
                "cameras": {mine: name for name, mine in self._cameras.items()},
                "signals": {mine: name for name, mine in self._signals.items()},
                "privileged": {mine: name for name, mine in self._world.items()},
            },
        }
        return Extras(about, arrays)

    def _kept(self, rows: np.ndarray) -> np.ndarray:
        """(N−1, …) of (N, …): those of the actions with an observation on both sides."""
        return rows[1:] if self._given.observed == "after" else rows[:-1]

    def _numbers(self, table: pa.Table, name: str) -> np.ndarray:
        return numbers(table, self._files.info.features[name])


def _ours(array: np.ndarray, feature: Feature) -> np.ndarray:
    """float32 (N, …): a feature of shape (1,) is stored as plain numbers."""
    with np.errstate(over="ignore"):
        return array.reshape(len(array), *feature.shape).astype(np.float32)
