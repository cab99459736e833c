"""Takes into one robomimic HDF5 file, by robomimic's docs/datasets/overview.md.

An episode that came from such a file goes back as it was there. What the layout has no place for lies in the attribute
and the group `mmil` of each demo and in the attribute `mmil` of data, which robomimic's loaders pass over.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from data_tools.convert.actions import Scale
from data_tools.convert.demos import DEPTH, OWN
from data_tools.convert.keepsakes import kept_texts, restored
from data_tools.convert.naming import OBJECTS, ROBOSUITE
from data_tools.convert.notes import Notes
from data_tools.convert.takes import Header, Sink, Take
from mmil.contracts import camera_of, stream_of
from mmil.data.sample import describe

GYM = 2  # robomimic's EnvType.GYM_TYPE: the one that names no simulator of its own
OURS = {mine: theirs for theirs, mine in ROBOSUITE.items()}
_NUMBERED = re.compile(r"demo_(\d{1,9})")


class RobomimicSink(Sink):
    """Writes the file `path`; `config` is the data set's, for the way back."""

    def __init__(self, path: Path, header: Header, config: Mapping[str, Any], *, notes: Notes) -> None:
        self._header, self._config, self._notes = header, dict(config), notes
        self._scale = Scale.told_by(header.spec)
        self._file = h5py.File(path, "w")
        self._data = self._file.create_group("data")
        self._total = 0
        self._taken: set[int] = set()
        self._filters: dict[str, list[str]] = defaultdict(list)
        self._attributes: dict[str, Any] | None = None  # of data, from the file the first episode was in
        notes.made["dones"] = "1 at the last step of an episode, as robomimic's done_mode 1 writes them"
        if "eef_quat_xyzw" in header.spec.signals:
            notes.changed["eef_quat_xyzw"] = (
                "is obs/robot0_eef_quat_site, robosuite's name for the grip site's; a robomimic config that asks for "
                "robot0_eef_quat (the hand body's) must name this one"
            )

    def add(self, take: Take) -> None:
        about = take.extras.about if take.extras.about.get("format") == "robomimic" else {}
        demo = self._data.create_group(self._name(about))
        names, turned = self._names(take, about), about.get("row0") == "bottom"
        rows = self._as_it_was(take, about)
        for name, array in (rows or self._transitions(take, about)).items():
            demo[name] = array
        for theirs, array in self._observations(take, names).items():
            _put(demo, f"obs/{theirs}", array if rows else array[:-1])
            if not rows:
                _put(demo, f"next_obs/{theirs}", take.extras.arrays.get(f"next_obs/{theirs}", array[1:]))
        for mine, theirs in names["cameras"].items():
            frames = take.episode.images[mine][:, ::-1] if turned else take.episode.images[mine]
            _put(demo, f"obs/{theirs}", frames if rows else frames[:-1])
            if not rows:
                _put(demo, f"next_obs/{theirs}", frames[1:])
        for mine, theirs in names["maps"].items():
            depth = (take.episode.maps[mine][:, :: -1 if turned else 1, :, None] / 1000).astype(np.float32)  # [m]
            _put(demo, f"obs/{theirs}", depth if rows else depth[:-1])
            if not rows:
                _put(demo, f"next_obs/{theirs}", depth[1:])
        self._put_attributes(demo, take, about)
        own = {"names": names, "row0": about.get("row0", "top"), "rows": bool(rows), "observed": about.get("observed")}
        self._put_own(demo, take, {**own, "scaled": not about})

    def finish(self) -> None:
        for key, demos in self._filters.items():
            self._file[f"mask/{key}"] = np.array(demos, dtype="S")
        for name, value in (self._attributes or self._environment()).items():
            self._data.attrs[name] = value
        self._data.attrs["total"] = self._total
        sentences = [{"goal": goal.to_json(), "sentences": list(said)} for goal, said in self._header.sentences.items()]
        own = {
            "spec": self._header.spec.to_json(),
            "config": self._config,
            "sentences": sentences,
            "failed_attempts": 0,
            **self._header.attempts,
        }
        self._data.attrs[OWN] = json.dumps(own, ensure_ascii=False)
        self._file.close()

    def close(self) -> None:
        self._file.close()

    # -- what a demo holds ---------------------------------------------------------------------------------------------

    def _transitions(self, take: Take, about: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """T rows, as the layout has them."""
        episode, extras = take.episode, take.extras
        steps = len(episode.actions)
        done = np.append(np.zeros(steps - 1, np.int64), 1)
        kept = extras.arrays.get("dones") if about else None
        found = {
            "actions": self._actions(take) if about else episode.actions,
            "rewards": restored(extras, "rewards", episode.rewards),
            "dones": kept if kept is not None and len(kept) == steps else done,
        }
        return {**found, "states": episode.states[:-1]} if episode.states.size else found

    def _actions(self, take: Take) -> np.ndarray:
        """(T, A) as they were in the file; what became of them since, where they were changed."""
        kept, ours = take.extras.arrays.get("actions"), take.episode.actions
        unchanged = kept is not None and kept.shape == ours.shape and np.array_equal(self._scale.ours(kept), ours)
        return kept if kept is not None and unchanged else self._scale.theirs(ours)

    def _as_it_was(self, take: Take, about: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The T+1 rows of a demo that had no next_obs, unless its actions were changed since; {} where it had."""
        kept = {name: take.extras.arrays.get(name) for name in ("actions", "rewards", "dones", "states")}
        actions, steps = kept["actions"], len(take.episode.actions)
        if about.get("next_obs", True) or actions is None or len(actions) != steps + 1:
            return {}
        acted = actions[:-1] if about.get("observed") == "before" else actions[1:]
        if not np.array_equal(self._scale.ours(acted), take.episode.actions):
            return {}
        states = {"states": take.episode.states} if take.episode.states.size else {}
        return states | {name: array for name, array in kept.items() if array is not None and len(array) == steps + 1}

    def _observations(self, take: Take, names: Mapping[str, Mapping[str, str]]) -> dict[str, np.ndarray]:
        """(T+1, …) by the name in the file."""
        episode = take.episode
        found = {theirs: episode.signals[mine] for mine, theirs in names["signals"].items()}
        found |= {theirs: episode.privileged[mine] for mine, theirs in names["privileged"].items()}
        return {theirs: restored(take.extras, f"obs/{theirs}", array) for theirs, array in found.items()}

    def _names(self, take: Take, about: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        """Ours → the name in the file: what it was there, or what robosuite calls the same quantity."""
        told, episode = about.get("names", {}), take.episode
        cameras = {mine: told.get("cameras", {}).get(mine, f"{mine}_image") for mine in episode.images}
        bases = {mine: name.removesuffix("_image").removesuffix("_rgb") for mine, name in cameras.items()}
        depths = [name for name in episode.maps if stream_of(name) == "depth"]
        return {
            "cameras": cameras,
            "maps": {mine: f"{bases[camera_of(mine)]}{DEPTH}" for mine in depths},
            "signals": {mine: told.get("signals", {}).get(mine, OURS.get(mine, mine)) for mine in episode.signals},
            "privileged": {mine: mine for mine in episode.privileged if mine in OBJECTS},
        }

    def _name(self, about: Mapping[str, Any]) -> str:
        """demo_<number>: the one it had, if nobody has it here."""
        known = _NUMBERED.fullmatch(str(about.get("demo", "")))
        free = int(known[1]) if known else len(self._taken)
        while free in self._taken:
            free += 1
        self._taken.add(free)
        return f"demo_{free}"

    def _put_attributes(self, demo: h5py.Group, take: Take, about: Mapping[str, Any]) -> None:
        texts: dict[str, Any] = kept_texts(take.extras, about.get("attrs", {}), "attrs") if about else {}
        prefix = "attrs/"
        arrays = take.extras.arrays.items() if about else ()
        texts |= {name.removeprefix(prefix): array for name, array in arrays if name.startswith(prefix)}
        texts.setdefault("ep_meta", json.dumps({"lang": take.episode.instruction}, ensure_ascii=False))
        rows = int(demo["actions"].shape[0])
        if str(texts.get("num_samples")) != str(rows):  # LIBERO writes it as a text
            texts["num_samples"] = rows
        for name, value in texts.items():
            demo.attrs[name] = value
        for path in [name for name, _ in arrays if self._is_aside(name)]:
            demo[path] = take.extras.arrays[path]
        self._total += rows
        for key in about.get("filters", ()):
            self._filters[key].append(demo.name.rpartition("/")[2])
        file = kept_texts(take.extras, about.get("file_attrs", {}), "file") if about else {}
        file.pop("total", None)
        if self._attributes is None and file:
            self._attributes = file
        elif file and file != self._attributes:
            self._notes.kept_aside["attributes of data"] = (
                "of several files: the first one's are written, all are aside"
            )

    @staticmethod
    def _is_aside(name: str) -> bool:
        """Whether it is a dataset that the demo had beside those of the layout."""
        return name.split("/")[0] not in ("obs", "next_obs", "attrs", "text", "actions", "rewards", "dones", "states")

    def _put_own(self, demo: h5py.Group, take: Take, own: dict[str, Any]) -> None:
        """What the layout has no place for: the description as an attribute, arrays and JPEGs as datasets."""
        episode = take.episode
        own["sample"] = describe(episode, take.attempts, take.extras)
        demo.attrs[OWN] = json.dumps(own, ensure_ascii=False)
        group = demo.create_group(OWN)
        arrays = {f"privileged/{name}": array for name, array in episode.privileged.items() if name not in OBJECTS}
        if not np.array_equal(episode.labels, episode.actions):
            arrays["labels"] = episode.labels
        if episode.states.size:
            arrays["states"] = episode.states
        arrays |= {f"maps/{name}": array for name, array in episode.maps.items() if stream_of(name) != "depth"}
        arrays |= {f"extras/{name}": array for name, array in take.extras.arrays.items()}
        for camera, jpegs in take.jpegs.items():
            arrays[f"jpeg/{camera}"] = np.frombuffer(b"".join(jpegs), np.uint8)
            arrays[f"jpeg_sizes/{camera}"] = np.array([len(jpeg) for jpeg in jpegs])
        for name, array in arrays.items():
            packed = {"compression": "gzip"} if array.ndim and array.size and not name.startswith("jpeg") else {}
            group.create_dataset(name, data=array, **packed)
        kept = ["goal, seed, draws, outcome, measures", *(f"JPEGs of camera {camera}" for camera in take.jpegs)]
        kept += [name for name in arrays if not name.startswith(("extras/", "jpeg"))]
        self._notes.kept_aside |= {name: "the attribute or the group mmil of each demo" for name in kept}

    def _environment(self) -> dict[str, str]:
        """env_args, with which nobody can build our scene: it says how the robot was driven."""
        spec = self._header.spec
        kwargs = {
            "control_freq": spec.control_hz,
            "controller_configs": dict(spec.controller),
            "conventions": dict(spec.conventions),
        }
        self._notes.changed["the scene"] = (
            f"env_args names {spec.scene!r}, which robomimic cannot build: train with experiment.rollout.enabled false"
        )
        args = {"env_name": spec.scene, "type": GYM, "env_version": None, "env_kwargs": kwargs}
        return {"env_args": json.dumps(args, ensure_ascii=False)}


def _put(demo: h5py.Group, path: str, array: np.ndarray) -> None:
    """Pictures are compressed, a chunk a frame, as dataset_states_to_obs.py --compress writes them."""
    picture = array.ndim == 4 and array.shape[3] in (1, 3)
    options: dict[str, Any] = {"chunks": (1, *array.shape[1:]), "compression": "gzip"} if picture else {}
    demo.create_dataset(path, data=array, **options)
