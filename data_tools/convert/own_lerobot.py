"""LeRobotDatasets that mmil wrote, as a source: what the layout holds, and from meta/mmil what it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_tools.convert.actions import Scale
from data_tools.convert.lerobot import SIDE, inside
from data_tools.convert.lerobot_files import Entry, Files, encoded, numbers
from data_tools.convert.notes import Notes
from data_tools.convert.pixels import decode_picture, is_jpeg
from data_tools.convert.takes import Header, Source, Take, Unfit, decoding, told_of_attempts
from mmil.contracts import UserError
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.sample import compose, decode_arrays, decode_extras, decode_maps, frame_name
from mmil.data.sentences import read_sentences


def is_own_folder(path: Path) -> bool:
    """Whether mmil wrote the data set."""
    return (path / SIDE / MANIFEST).is_file()


class OwnLeRobotSource(Source):
    """What an episode of ours became there, and what became of it since: the layout's columns count, not ours."""

    def __init__(self, path: Path, notes: Notes) -> None:
        self._notes, self._files = notes, Files(path)
        self._side = Dataset.open(inside(path, SIDE))
        manifest = self._side.manifest
        told = manifest.get("lerobot")
        if not isinstance(told, dict) or len(self._side) != len(self._files.entries):
            raise UserError(
                f"{path / SIDE} does not belong to this data set: {len(self._side)} episodes there, "
                f"{len(self._files.entries)} here; remove it to read the rest as anybody's"
            )
        self._told, self._scale = told, Scale.told_by(self._side.spec)
        self.header = Header(
            "lerobot", self._side.spec, manifest["config"], read_sentences(manifest), told_of_attempts(manifest)
        )
        self.names = [row.key for row in self._side.rows]

    def take(self, index: int) -> Take:
        with decoding():
            return self._read(self._files.entries[index], index)

    def close(self) -> None:
        self._files.close()

    def _read(self, entry: Entry, index: int) -> Take:
        side = self._side.sample(index)
        about, arrays, extras = json.loads(side["json"]), decode_arrays(side["npz"]), decode_extras(side)
        steps = about["steps"]
        if entry.length not in (steps, steps + 1):
            raise Unfit(f"it has {entry.length} rows, {SIDE} says {steps} steps: changed by somebody else")
        features, names = self._files.info.features, self._told["names"]
        embedded = [name for name in names["cameras"].values() if features[name].dtype == "image"]
        state = ["observation.state"] if self._told["state"] else []
        numbered = [*names["signals"].values(), *names["privileged"].values(), *state, "action"]
        table = self._files.columns(entry, ["episode_index", *dict.fromkeys((*numbered, *embedded))])
        if len(table) != entry.length:
            raise Unfit(f"it has {len(table)} rows, meta/episodes says {entry.length}")
        arrays |= self._seen(table, arrays)
        arrays["actions"] = self._acted(numbers(table, features["action"]), arrays["actions"], extras.about)
        images, jpegs = {}, {}
        for camera in names["cameras"]:
            images[camera], jpegs[camera] = self._pictures(entry, camera, table, side=side, about=about)
        kept = {camera: frames for camera, frames in jpegs.items() if frames}
        maps = decode_maps(side, about, {camera: frames.shape[1:3] for camera, frames in images.items()})
        episode = compose(about, arrays, images, maps)
        return Take(self.names[index], episode, about["attempts"], kept, extras)

    def _seen(self, table: pa.Table, ours: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Signals and privileged state as the columns have them; ours where they say the same."""
        features, names = self._files.info.features, self._told["names"]
        there = {f"signals/{mine}": numbers(table, features[name]) for mine, name in names["signals"].items()}
        there |= {f"privileged/{mine}": numbers(table, features[name]) for mine, name in names["privileged"].items()}
        if self._told["state"]:
            state = numbers(table, features["observation.state"])
            ends = np.cumsum([width for _, width in self._told["state"]])
            for (mine, width), end in zip(self._told["state"], ends, strict=True):
                there[f"signals/{mine}"] = state[:, end - width : end]
        found = {}
        for name, array in there.items():
            whole = ours[name].copy()
            seen = array.astype(whole.dtype).reshape(len(array), *whole.shape[1:])
            if not np.array_equal(seen, whole[: len(seen)]):
                self._notes.changed[name] = "was changed since mmil wrote it; the column counts"
                whole[: len(seen)] = seen
            found[name] = whole
        return found

    def _acted(self, there: np.ndarray, ours: np.ndarray, origin: Mapping[str, Any]) -> np.ndarray:
        steps = len(ours)
        theirs = there[1:] if len(there) > steps and origin.get("observed") == "after" else there[:steps]
        if np.array_equal(theirs, self._scale.theirs(ours)) or np.array_equal(self._scale.ours(theirs), ours):
            return ours
        self._notes.changed["actions"] = "were changed since mmil wrote them; the column counts"
        return self._scale.ours(theirs)

    def _pictures(
        self, entry: Entry, camera: str, table: pa.Table, *, side: Mapping[str, bytes], about: Mapping[str, Any]
    ) -> tuple[np.ndarray, list[bytes]]:
        """All T+1, and their JPEGs where they still are those of a shard."""
        feature = self._files.info.features[self._told["names"]["cameras"][camera]]
        frames = self._files.frames(entry, feature, table)
        if about.get("extras", {}).get("row0") == "bottom" and about["extras"].get("format") == "lerobot":
            frames = frames[:, ::-1].copy()
        jpegs = encoded(table, feature.name) if feature.dtype == "image" else []
        if entry.length == about["steps"]:
            last = side[frame_name(camera, 0)]
            frames = np.concatenate([frames, decode_picture(last, frames.shape[1:])[None]])
            jpegs = [*jpegs, last] if jpegs else []
        verbatim = self._told["pictures"] == "jpeg" and all(map(is_jpeg, jpegs))
        return frames, jpegs if verbatim else []
