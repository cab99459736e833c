"""One demo of a robomimic or LIBERO file: which of its rows are T+1 observations around T actions.

robomimic's rows are transitions (docs/datasets/overview.md): obs[t], actions[t], next_obs[t]. With next_obs the last
observation is next_obs[-1], and T is the number of rows. Without it there is nothing after the last action, which is
then left out. LIBERO's rows are an action and what was seen *after* it (scripts/create_dataset.py steps, then
observes; its states are from before), so that the first action is the one without an observation before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from data_tools.convert.given import Observed
from data_tools.convert.hdf5 import attributes, child, leaves, names, read, subgroup, weigh
from data_tools.convert.takes import LARGEST, LONGEST, Unfit

OWN = "mmil"  # the attribute and the group that a robomimic file of ours has beside the layout's
SIDE = 16  # what is this long in two directions is meant to be looked at
DEPTH = "_depth"  # after a camera's name
ROWED = ("rewards", "dones", "states")


@dataclass(frozen=True)
class Layout:
    """What all demos of a data set must have alike, by the names in the file."""

    cameras: tuple[tuple[str, tuple[int, ...]], ...]
    signals: tuple[tuple[str, tuple[int, ...]], ...]
    axes: int
    depths: tuple[tuple[str, str], ...] = ()  # the name of a depth map, and that of its camera's pictures

    def __str__(self) -> str:
        numbers = ", ".join(
            f"{name} {shape}" for name, shape in (*self.cameras, *self.signals, ("actions", (self.axes,)))
        )
        return ", ".join([numbers, *(name for name, _ in self.depths)])


class Demo:
    """A demo whose arrays are known to fit together; Unfit with the reason where they do not."""

    def __init__(self, group: h5py.Group, *, observed: Observed, leave_out: frozenset[str] = frozenset()) -> None:
        self.group, self.observed = group, observed
        self.plain, self.attributes = attributes(group)
        actions, obs = child(group, "actions"), subgroup(group, "obs")
        there = ", ".join(sorted(names(group))) or "nothing"
        if not isinstance(actions, h5py.Dataset):
            raise Unfit(f"{group.name} has no actions; there are {there}")
        if obs is None:
            raise Unfit(
                f"{group.name} has no obs; there are {there}: robomimic's dataset_states_to_obs.py makes them of states"
            )
        if actions.ndim != 2 or not actions.shape[1]:
            raise Unfit(f"{actions.name} has shape {actions.shape}, expected (N, A)")
        self.rows, self.axes = actions.shape
        self.lost: dict[str, str] = {}
        self._obs = {name: found for name, found in self._usable(obs) if name not in leave_out}
        self.depths = self._depths()
        self._next = self._following(leave_out)
        self.followed = observed == "before" and bool(self._next) and set(self._next) >= set(self._obs)
        self.steps = self.rows if self.followed else self.rows - 1
        self._check(actions)

    @property
    def layout(self) -> Layout:
        pictures = {name: found.shape[1:] for name, found in self._obs.items() if _is_picture(found)}
        seen = {*pictures, *self.depths}
        others = {name: found.shape[1:] for name, found in self._obs.items() if name not in seen}
        depths = tuple(sorted(self.depths.items()))
        return Layout(tuple(sorted(pictures.items())), tuple(sorted(others.items())), self.axes, depths)

    @property
    def actions(self) -> np.ndarray:
        """(N, A) as they are in the file."""
        return read(self.group["actions"])

    def instants(self, name: str) -> np.ndarray:
        """(T+1, …) of an observation, in its own dtype."""
        seen = read(self._obs[name])
        return np.concatenate([seen, read(self._next[name], slice(self.rows - 1, None))]) if self.followed else seen

    def other_next(self, name: str) -> np.ndarray | None:
        """next_obs (N, …), where it is not simply the observation one step on."""
        if name not in self._next:
            return None
        after, seen = read(self._next[name]), read(self._obs[name])
        same = np.array_equal(after[:-1], seen[1:]) and (self.followed or np.array_equal(after, seen))
        return None if same else after

    def acted(self, name: str) -> np.ndarray | None:
        """(T, …) of what goes with the actions that are kept."""
        found = self.rowed(name)
        return None if found is None else self.kept(found)

    def kept(self, rows: np.ndarray) -> np.ndarray:
        """(T, …) of (N, …): those of the actions with an observation on both sides."""
        if self.followed:
            return rows
        return rows[:-1] if self.observed == "before" else rows[1:]

    def rowed(self, name: str) -> np.ndarray | None:
        """(N, …) as it is in the file."""
        found = child(self.group, name)
        return read(found) if isinstance(found, h5py.Dataset) else None

    @property
    def states(self) -> np.ndarray:
        """float64 (T+1, S); where the file has none after the last action, its last row stands twice."""
        found = self.rowed("states")
        if found is None or found.ndim != 2:
            return np.zeros((self.steps + 1, 0))
        before = found[1:] if self.observed == "after" else found
        return np.concatenate([before, before[-1:]])[: self.steps + 1].astype(np.float64)

    def others(self) -> dict[str, np.ndarray]:
        """Everything else that is numbers, by its path in the demo."""
        known = {"actions", *ROWED}
        found = {}
        for name in names(self.group):
            if name in known or name in ("obs", "next_obs", OWN):
                continue
            node = child(self.group, name)
            for path, leaf in [(name, node)] if isinstance(node, h5py.Dataset) else leaves(node, prefix=f"{name}/"):
                try:
                    found[path] = read(leaf)
                except Unfit as reason:
                    self.lost[path] = str(reason)
        return found

    def _usable(self, obs: h5py.Group) -> list[tuple[str, h5py.Dataset]]:
        found = []
        for path, leaf in leaves(obs):
            try:
                weigh(leaf)
            except Unfit as reason:
                if "not numbers" not in str(reason):
                    raise
                self.lost[f"obs/{path}"] = str(reason)
                continue
            if sum(size >= SIDE for size in leaf.shape[1:]) > 1 and not (_is_picture(leaf) or _is_depth(path, leaf)):
                self.lost[f"obs/{path}"] = (
                    f"it is {leaf.dtype} {leaf.shape[1:]}; pictures here are uint8 (h, w, 3), depth <camera>_depth is "
                    "float (h, w, 1): masks and pictures with channels first have no place"
                )
            else:
                found.append((path, leaf))
        return found

    def _depths(self) -> dict[str, str]:
        """The name of a depth map → that of the pictures it belongs to; one that belongs to none is left out."""
        found = {}
        for name in [name for name, leaf in self._obs.items() if _is_depth(name, leaf)]:
            base, size = name.removesuffix(DEPTH), self._obs[name].shape[1:3]
            beside = [base + end for end in ("_image", "_rgb", "") if base + end in self._obs]
            fits = [one for one in beside if _is_picture(self._obs[one]) and self._obs[one].shape[1:3] == size]
            if fits:
                found[name] = fits[0]
            else:
                del self._obs[name]
                self.lost[f"obs/{name}"] = f"depth of {size}, and no camera has pictures {base}_image of that size"
        return found

    def _following(self, leave_out: frozenset[str]) -> dict[str, h5py.Dataset]:
        group = subgroup(self.group, "next_obs")
        found = dict(leaves(group)) if group is not None else {}
        strange = found.keys() - self._obs.keys() - leave_out - {name.removeprefix("obs/") for name in self.lost}
        self.lost |= {f"next_obs/{name}": "there is no obs of that name" for name in strange}
        return {name: leaf for name, leaf in found.items() if name in self._obs}

    def _check(self, actions: h5py.Dataset) -> None:
        said = _whole(self.plain.get("num_samples"))
        if said is not None and said != self.rows:
            raise Unfit(f"num_samples says {said}, actions has {self.rows} rows")
        rowed = {name: node for name in ROWED if isinstance(node := child(self.group, name), h5py.Dataset)}
        named = {f"obs/{name}": leaf for name, leaf in self._obs.items()}
        named |= {f"next_obs/{name}": leaf for name, leaf in self._next.items()}
        for name, leaf in (rowed | named).items():
            if not leaf.ndim or leaf.shape[0] != self.rows:
                raise Unfit(f"{name} has shape {leaf.shape}, actions has {self.rows} rows")
        for name, leaf in self._next.items():
            if leaf.shape != self._obs[name].shape:
                raise Unfit(f"next_obs/{name} has shape {leaf.shape}, obs/{name} {self._obs[name].shape}")
        if self.steps < 1:
            raise Unfit(f"too short: {self.rows} rows make no observation on both sides of an action")
        if self.rows > LONGEST:
            raise Unfit(f"says it has {self.rows} steps; more than {LONGEST} are nobody's demonstration")
        weight = sum(map(weigh, (actions, *rowed.values(), *self._obs.values())))
        if weight > LARGEST:
            raise Unfit(f"says it holds {weight / 2**30:.1f} GiB; {LARGEST >> 30} GiB an episode are the most")


def _is_picture(leaf: h5py.Dataset) -> bool:
    return leaf.dtype == np.uint8 and leaf.ndim == 4 and leaf.shape[3] == 3


def _is_depth(name: str, leaf: h5py.Dataset) -> bool:
    """robomimic's depth: metres, as EnvRobosuite.get_observation makes them of robosuite's."""
    return name.endswith(DEPTH) and leaf.dtype.kind == "f" and leaf.ndim == 4 and leaf.shape[3] == 1


def _whole(value: Any) -> int | None:
    """num_samples, which LIBERO writes as a text."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
