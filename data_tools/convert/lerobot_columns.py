"""Which features a LeRobotDataset gets, and the rows of an episode under their names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from data_tools.convert.actions import Scale
from data_tools.convert.keepsakes import restored
from data_tools.convert.lerobot import DEFAULTS, NUMBERS
from data_tools.convert.notes import Notes
from data_tools.convert.takes import Take
from mmil.contracts import Spec

# what lerobot's policies take for the robot's state: side by side in observation.state, the others on their own
STATE = ("joint_pos", "eef_pos_world", "eef_quat_xyzw", "gripper_pos")
PICTURE_NAMES = ["height", "width", "channels"]


@dataclass
class Plan:
    """Features, and where ours stand among them; the same for all episodes."""

    features: dict[str, dict[str, Any]]
    names: dict[str, dict[str, str]]  # cameras, signals, privileged: ours → the feature
    state: list[tuple[str, int]]  # signals side by side in observation.state, and how many numbers each has
    pictures: str
    robot_type: str | None
    native: bool  # whether they are a LeRobotDataset's own, and actions in its units

    @property
    def film(self) -> bool:
        return self.pictures == "video"

    def camera(self, feature: str) -> str:
        return next(mine for mine, name in self.names["cameras"].items() if name == feature)

    def is_numbers(self, feature: str) -> bool:
        return self.features[feature]["dtype"] in NUMBERS

    def describe_film(self, feature: str, pix_fmt: str, fps: int) -> None:
        """As get_video_info() of lerobot's video_utils.py."""
        height, width, channels = self.features[feature]["shape"]
        self.features[feature]["info"] = {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": pix_fmt,
            "video.fps": fps,
            "video.channels": channels,
            "has_audio": False,
            "is_depth_map": False,
        }

    def to_json(self) -> dict[str, Any]:
        return {"names": self.names, "state": self.state, "pictures": self.pictures, "native": self.native}


def plan_of(take: Take, spec: Spec, *, pictures: str | None, notes: Notes) -> Plan:
    """By the first episode: the features that it had, or those that our names make."""
    about = take.extras.about
    if about.get("format") == "lerobot":
        had = {one["dtype"] for name, one in about["features"].items() if one["dtype"] in ("image", "video")}
        plan = _native(about, spec, pictures or ("png" if had == {"image"} else "video"))
    else:
        plan = _ours(spec, pictures or "video")
        told = {f"observation.state[{i}]": name for i, (name, _) in enumerate(plan.state)}
        notes.names |= {name: feature for feature, name in told.items()}
    notes.names |= {mine: name for names in plan.names.values() for mine, name in names.items()}
    aside = ["goal, seed, draws, outcome, measures", "labels", "states", "the observation after the last action"]
    aside += [f"privileged {name}" for name in spec.privileged if name not in plan.names["privileged"]]
    notes.kept_aside |= {name: "in meta/mmil" for name in aside}
    notes.kept_aside |= {
        name: "no feature of the LeRobotDataset: PNGs in meta/mmil, for the way back" for name in spec.maps
    }
    return plan


def _native(about: Mapping[str, Any], spec: Spec, pictures: str) -> Plan:
    features = copy.deepcopy(about["features"])
    for mine, name in about["names"]["cameras"].items():
        features[name] = {**features[name], **_picture(spec.cameras[mine], pictures)}
        features[name].pop("info", None)
    return Plan({**features, **DEFAULTS}, about["names"], [], pictures, about.get("robot_type"), True)


def _ours(spec: Spec, pictures: str) -> Plan:
    state = [(name, prod(spec.signals[name])) for name in STATE if len(spec.signals.get(name, ())) == 1]
    parts = {name for name, _ in state}
    names = {
        "cameras": {camera: f"observation.images.{camera}" for camera in spec.cameras},
        "signals": {name: f"observation.{name}" for name in spec.signals if name not in parts},
        "privileged": {},
    }
    features = {names["cameras"][camera]: _picture(shape, pictures) for camera, shape in spec.cameras.items()}
    if state:
        axes = [f"{name}_{i}" for name, width in state for i in range(width)]
        features["observation.state"] = {"dtype": "float32", "shape": [len(axes)], "names": axes}
    for mine, name in names["signals"].items():
        features[name] = {"dtype": "float32", "shape": list(spec.signals[mine]) or [1], "names": None}
    features["action"] = {"dtype": "float32", "shape": [len(spec.action)], "names": list(spec.action)}
    features["next.reward"] = {"dtype": "float32", "shape": [1], "names": None}
    features |= {name: {"dtype": "bool", "shape": [1], "names": None} for name in ("next.done", "next.success")}
    return Plan({**features, **DEFAULTS}, names, state, pictures, spec.scene, False)


def _picture(shape: tuple[int, ...], pictures: str) -> dict[str, Any]:
    dtype = "video" if pictures == "video" else "image"
    return {"dtype": dtype, "shape": list(shape), "names": PICTURE_NAMES}


class Columns:
    """The rows of an episode: T of them, or the T+1 that it had in a LeRobotDataset and that nobody changed since."""

    def __init__(self, take: Take, plan: Plan, scale: Scale) -> None:
        self._take, self._plan, self._scale = take, plan, scale
        self._about = take.extras.about if take.extras.about.get("format") == "lerobot" else {}
        self.rows = len(take.episode.actions) + self._as_it_was

    @property
    def sentences(self) -> list[str]:
        """One a row."""
        told = [text for text, count in self._about.get("tasks", ()) for _ in range(count)]
        unchanged = len(told) == self.rows and told[0].strip() == self._take.episode.instruction
        return told if unchanged else [self._take.episode.instruction] * self.rows

    def pictures(self, camera: str) -> np.ndarray:
        """uint8 (rows, h, w, 3), turned as they were."""
        frames = self._take.episode.images[camera][: self.rows]
        return np.ascontiguousarray(frames[:, ::-1]) if self._about.get("row0") == "bottom" else frames

    def arrays(self, notes: Notes) -> dict[str, Any]:
        """Feature → its rows; nothing of those that lerobot makes itself, and no pictures."""
        episode, names = self._take.episode, self._plan.names
        found: dict[str, Any] = {names["signals"][mine]: array for mine, array in episode.signals.items()
                                 if mine in names["signals"]}  # fmt: skip
        found |= {name: episode.privileged[mine] for mine, name in names["privileged"].items()}
        found = {name: self._original(name, array)[: self.rows] for name, array in found.items()}
        if self._plan.state:
            found["observation.state"] = np.concatenate([episode.signals[name] for name, _ in self._plan.state], axis=1)
            found["observation.state"] = found["observation.state"][: self.rows]
        found["action"] = self._actions()
        if self._plan.native:
            return found | self._others(set(self._plan.features) - set(found), notes)
        done = np.zeros(self.rows, bool)
        done[-1] = True
        return found | {"next.reward": episode.rewards, "next.done": done, "next.success": done & episode.success}

    @property
    def _as_it_was(self) -> bool:
        kept = self._take.extras.arrays.get("columns/action")
        if not self._about or kept is None or len(kept) != len(self._take.episode.actions) + 1:
            return False
        acted = kept[1:] if self._about.get("observed") == "after" else kept[:-1]
        return np.array_equal(self._scale.ours(acted), self._take.episode.actions)

    def _actions(self) -> np.ndarray:
        if self._as_it_was:
            return self._take.extras.arrays["columns/action"]
        return self._scale.theirs(self._take.episode.actions)

    def _original(self, name: str, array: np.ndarray) -> np.ndarray:
        shape = tuple(self._plan.features[name]["shape"])
        flat = array.reshape(len(array)) if shape == (1,) else array
        return restored(self._take.extras, f"columns/{name}", flat)

    def _others(self, names: set[str], notes: Notes) -> dict[str, Any]:
        """Columns that we have no field for, as they were; filled where the episode had none."""
        found: dict[str, Any] = {}
        for name in sorted(names - set(DEFAULTS)):
            feature = self._plan.features[name]
            if feature["dtype"] in ("image", "video"):
                continue
            kept = self._take.extras.arrays.get(f"columns/{name}", self._about.get("texts", {}).get(name))
            if kept is None or len(kept) < self.rows:
                notes.lost[name] = "some episodes have no such column (any more): zeros stand there"
                shape = () if feature["shape"] == [1] else tuple(feature["shape"])
                text = feature["dtype"] == "string"
                kept = [""] * self.rows if text else np.zeros((self.rows, *shape), np.dtype(feature["dtype"]))
            found[name] = kept[: self.rows]
        return found
