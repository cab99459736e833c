"""The survey of robomimic and LIBERO files: everything but pictures and signals is looked at before any is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from data_tools.convert import hdf5
from data_tools.convert.actions import Extent
from data_tools.convert.demos import Demo, Layout
from data_tools.convert.given import Given, Observed
from data_tools.convert.robosuite import Environment
from data_tools.convert.takes import Unfit
from mmil.contracts import UserError


@dataclass(frozen=True)
class Origin:
    """A file, and what it says of all its demos."""

    path: Path
    plain: Mapping[str, Any]  # attributes of the group data
    environment: Environment
    libero: bool
    language: str | None
    filters: Mapping[str, list[str]]  # demo → the filter keys it is under


@dataclass
class Plan:
    """A demo as the survey found it; `reason` where it cannot be taken."""

    origin: Origin
    demo: str
    reason: str | None = None
    layout: Layout | None = None
    extent: Extent | None = None
    found: bool | None = None  # success, where the rewards say so
    sentence: str | None = None
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.origin.path.name}/{self.demo}"


class Files:
    """One file, or all files of a folder; one of them is open at a time."""

    def __init__(self, path: Path, given: Given) -> None:
        self._given = given
        self._file: tuple[Path, h5py.File] | None = None
        self.plans = [plan for one in hdf5_files(path) for plan in self._survey(one)]

    def demo(self, plan: Plan) -> Demo:
        group = hdf5.subgroup(self._data(plan.origin.path), plan.demo)
        if group is None:
            raise Unfit(f"{plan.demo} is not there any more")
        left = frozenset(name.removeprefix("obs/") for name in self._given.leave_out)
        return Demo(group, observed=self.observed(plan.origin), leave_out=left)

    def observed(self, origin: Origin) -> Observed:
        return self._given.observed or ("after" if origin.libero else "before")

    def close(self) -> None:
        if self._file is not None:
            self._file[1].close()
            self._file = None

    def _survey(self, path: Path) -> Iterator[Plan]:
        try:
            data = self._data(path)
            origin = _origin(path, data)
            demos = sorted(hdf5.names(data), key=by_number)
        except Unfit as reason:
            raise UserError(f"{path}: {reason}") from None
        for name in demos:
            plan = Plan(origin, name)
            try:
                _look(plan, self.demo(plan))
            except Unfit as reason:
                plan.reason = str(reason)
            yield plan

    def _data(self, path: Path) -> h5py.Group:
        if self._file is None or self._file[0] != path:
            self.close()
            self._file = (path, hdf5.open_file(path))
        file = self._file[1]
        data = hdf5.subgroup(file, "data")
        if data is None:
            there = ", ".join(hdf5.names(file)) or "none"
            raise UserError(f"{path} has no group data, so it is not robomimic's; there are {there}")
        return data


def hdf5_files(path: Path) -> list[Path]:
    """The file itself, or those of a folder; one that a link leads out of the folder is refused."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in hdf5.SUFFIXES)
    for file in found:
        if file.resolve().parent != path.resolve():
            raise UserError(f"{file} is a link out of {path}; name the file itself")
    return found


def _origin(path: Path, data: h5py.Group) -> Origin:
    plain, _ = hdf5.attributes(data)
    environment = Environment.of(plain, str(path))
    libero = "problem_info" in plain
    language = environment.language
    if libero:
        said = hdf5.table(plain["problem_info"], f"{path}: problem_info").get("language_instruction")
        language = "".join(said).strip('"') if isinstance(said, str | list) else language
    return Origin(path, plain, environment, libero, language, _filters(data.file))


def _look(plan: Plan, demo: Demo) -> None:
    plan.layout, plan.lost = demo.layout, dict(demo.lost)
    actions = demo.actions
    if not np.isfinite(actions).all():
        raise Unfit("actions hold a NaN or an infinity")
    plan.extent = Extent.of(demo.kept(actions))
    rewards = demo.rowed("rewards")
    if rewards is not None and np.isin(rewards, (0, 1)).all():
        plan.found = bool((rewards == 1).any())
    if "ep_meta" in demo.plain:  # robosuite 1.5, robocasa
        said = hdf5.table(demo.plain["ep_meta"], f"{plan.name}: ep_meta").get("lang")
        plan.sentence = said if isinstance(said, str) else None
    plan.sentence = plan.sentence or plan.origin.language


def _filters(file: h5py.File) -> dict[str, list[str]]:
    """demo → filter keys, of the group mask."""
    found: dict[str, list[str]] = defaultdict(list)
    mask = hdf5.subgroup(file, "mask")
    for key, leaf in hdf5.leaves(mask, depth=1) if mask is not None else ():
        if leaf.dtype.kind == "S" and leaf.ndim == 1 and leaf.shape[0] <= 1_000_000:
            with hdf5.damage(leaf.name):
                for name in leaf[:]:
                    found[name.decode("utf-8", "replace")].append(key)
    return dict(found)


def by_number(name: str) -> tuple[int, str]:
    """demo_10 after demo_9."""
    tail = name.rpartition("_")[2]
    return (int(tail) if tail.isdigit() and len(tail) < 10 else 1 << 40, name)
