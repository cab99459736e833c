"""robomimic files that mmil wrote, as a source: what the layout holds, and from the part `mmil` what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from data_tools.convert import hdf5
from data_tools.convert.actions import Scale
from data_tools.convert.demos import OWN, Demo
from data_tools.convert.notes import Notes
from data_tools.convert.pixels import decode_picture
from data_tools.convert.robomimic_files import by_number
from data_tools.convert.takes import Header, Source, Take, Unfit, decoding, told_of_attempts
from mmil.contracts import Spec, UserError, millimetres
from mmil.data.sample import Extras, compose
from mmil.data.sentences import read_sentences


def is_own(path: Path) -> bool:
    """Whether mmil wrote the file."""
    if not path.is_file():
        return False
    with hdf5.open_file(path) as file:
        try:
            data = hdf5.subgroup(file, "data")
            return data is not None and OWN in hdf5.attributes(data)[0]
        except Unfit as reason:
            raise UserError(f"{path}: {reason}") from None


class OwnRobomimicSource(Source):
    """What an episode of ours became there, and what became of it since: the layout's arrays count, not ours."""

    def __init__(self, path: Path, notes: Notes) -> None:
        self._path, self._notes = path, notes
        self._file = hdf5.open_file(path)
        data = hdf5.subgroup(self._file, "data")
        assert data is not None, "is_own() was asked"
        try:
            plain, _ = hdf5.attributes(data)
            told = hdf5.table(plain.get(OWN), f"{path}: the attribute {OWN} of data")
            spec = Spec.from_json(told["spec"])
            attempts = {**told_of_attempts(told), "failed_attempts": int(told["failed_attempts"])}
            self.header = Header("robomimic", spec, told["config"], read_sentences(told), attempts)
        except (Unfit, UserError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: the attribute {OWN} of data is damaged: {error}") from None
        self._data, self._scale = data, Scale.told_by(spec)
        self.names = sorted(hdf5.names(data), key=by_number)

    def take(self, index: int) -> Take:
        with decoding():
            group = hdf5.subgroup(self._data, self.names[index])
            assert group is not None, "its name was listed"
            return self._read(group)

    def close(self) -> None:
        self._file.close()

    def _read(self, group: h5py.Group) -> Take:
        plain, _ = hdf5.attributes(group)
        own = hdf5.table(plain.get(OWN), f"the attribute {OWN} of {group.name}")
        about, names = own["sample"], own["names"]
        demo = Demo(group, observed=own.get("observed") or "before")
        if about["steps"] != demo.steps:
            raise Unfit(f"it has {demo.steps} steps, its part {OWN} says {about['steps']}: changed by somebody else")
        aside = hdf5.subgroup(group, OWN)
        kept = {path: hdf5.read(leaf) for path, leaf in hdf5.leaves(aside, depth=6)} if aside is not None else {}
        images = {mine: demo.instants(theirs) for mine, theirs in names["cameras"].items()}
        if own["row0"] == "bottom":
            images = {mine: frames[:, ::-1].copy() for mine, frames in images.items()}
        maps = {mine: millimetres(demo.instants(theirs)[..., 0]) for mine, theirs in names.get("maps", {}).items()}
        if own["row0"] == "bottom":
            maps = {mine: frames[:, ::-1].copy() for mine, frames in maps.items()}
        prefix = "maps/"
        maps |= {name.removeprefix(prefix): array for name, array in kept.items() if name.startswith(prefix)}
        maps = {name: maps[name] for name in about.get("maps", ())}
        episode = compose(about, self._arrays(demo, own, kept), images, maps)
        jpegs = {camera: self._jpegs(camera, frames, kept) for camera, frames in images.items()}
        prefix = "extras/"
        extras = {name.removeprefix(prefix): array for name, array in kept.items() if name.startswith(prefix)}
        return Take(
            name=group.name.rpartition("/")[2],
            episode=episode,
            attempts=about["attempts"],
            jpegs={camera: frames for camera, frames in jpegs.items() if frames},
            extras=Extras(about.get("extras", {}), extras),
        )

    def _arrays(self, demo: Demo, own: Mapping[str, Any], kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """By the names of a sample's npz."""
        theirs = demo.kept(demo.actions)
        actions = theirs.astype(np.float32) if own["scaled"] else self._scale.ours(theirs)
        rewards = demo.acted("rewards")
        found = {f"signals/{mine}": demo.instants(name) for mine, name in own["names"]["signals"].items()}
        found |= {f"privileged/{mine}": demo.instants(name) for mine, name in own["names"]["privileged"].items()}
        found = {name: array.astype(np.float32) for name, array in found.items()}
        found |= {name: array for name, array in kept.items() if name.startswith("privileged/")}
        return found | {
            "actions": actions,
            "labels": kept.get("labels", actions),
            "rewards": np.zeros(demo.steps, np.float32) if rewards is None else rewards.astype(np.float32),
            "states": kept.get("states", np.zeros((demo.steps + 1, 0))),
        }

    def _jpegs(self, camera: str, frames: np.ndarray, kept: Mapping[str, np.ndarray]) -> list[bytes]:
        """The JPEGs a shard had, where they still show what the file shows."""
        if f"jpeg/{camera}" not in kept:
            return []
        data = kept[f"jpeg/{camera}"].tobytes()
        ends = np.cumsum(kept[f"jpeg_sizes/{camera}"])
        if len(ends) != len(frames) or ends[-1] != len(data) or (np.diff(ends) <= 0).any():
            raise Unfit(f"the JPEGs of camera {camera} do not fit its {len(frames)} frames")
        jpegs = [data[end - size : end] for end, size in zip(ends, kept[f"jpeg_sizes/{camera}"], strict=True)]
        shown = (decode_picture(jpeg, frames.shape[1:]) for jpeg in jpegs)
        if all(np.array_equal(one, frame) for one, frame in zip(shown, frames, strict=True)):
            return jpegs
        self._notes.changed[f"pictures of {camera}"] = "were changed since mmil wrote them, and are compressed anew"
        return []
