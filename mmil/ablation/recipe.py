"""From a recipe to its trainings: variants by axis, each the base with something changed; equal ones train once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmil.child import Options, flags
from mmil.contracts import UserError, require_known
from mmil.data.dataset import Dataset

BASE = "base"  # the training that nothing is changed in
JUDGED = ("trials", "seed", "horizon", "execute", "ensemble", "workers", "patience")
OURS = {"data", "out", "seed", "config"}
Place = tuple[str, str]  # axis and name of a variant
Resolve = Callable[[Sequence[str]], Mapping[str, Any]]  # a command line without "mmil" → all of its options


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is changed; nothing: the base itself.

    config: YAMLs laid over the base. train: options of `mmil train`, by their dotted names. episodes: so many of the
    demonstrations. data: another data set. generate: options of `mmil generate`, changed to make one beside the first.
    """

    config: Sequence[str] = ()
    train: Options = field(default_factory=dict)
    episodes: int | None = None
    data: Path | None = None
    generate: Options = field(default_factory=dict)


Axes = Mapping[str, Mapping[str, Variant]]


@dataclass(frozen=True)
class Made:
    """A data set that is generated for a variant, by `mmil` with these arguments."""

    path: Path
    arguments: tuple[str, ...]
    changed: Options
    config: Mapping[str, Any]  # resolved


@dataclass(frozen=True)
class Job:
    """One training and its trials. `places`: the variants it stands for, as (axis, name)."""

    name: str
    seed: int
    run: Path
    data: Path
    made: Made | None
    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    config: Mapping[str, Any]  # of the training, resolved
    judged: Mapping[str, Any]  # the options of `mmil evaluate`, resolved
    places: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What all variants have in common, and how they differ."""

    base: str
    data: Path
    out: Path
    axes: Axes
    train: Options
    evaluate: Options
    suites: Sequence[str]
    seeds: Sequence[int]

    def __post_init__(self) -> None:
        for name, some in {"axes": self.axes, "suites": self.suites, "seeds": self.seeds}.items():
            if not some:
                raise UserError(f"{name} is empty; an ablation needs some")
        require_known("option of evaluate", self.evaluate, JUDGED, where="for an ablation")
        for axis, name, one in self.variants:
            if own := sorted({*self.train, *one.train} & OURS):
                raise UserError(f"{called(axis, name)}: train has {', '.join(own)}, which an ablation gives itself")
            if one.data and one.generate:
                raise UserError(f"{called(axis, name)} has both data and generate; give one of the two")

    @property
    def variants(self) -> Iterator[tuple[str, str, Variant]]:
        """(axis, name, what is changed)."""
        for axis, variants in self.axes.items():
            for name, variant in variants.items():
                yield str(axis), str(name), variant

    def jobs(self, resolve: Resolve) -> list[Job]:
        """Every training, the base's first; whatever a config has wrong is told now, and by which variant."""
        found: dict[str, Job] = {}
        for seed in self.seeds:
            for axis, name, variant in [("", BASE, Variant()), *self.variants]:
                job = self._named(axis, name, variant, seed=seed, resolve=resolve)
                same = json.dumps({key: value for key, value in job.config.items() if key != "out"}, sort_keys=True)
                before = found.get(same)
                found[same] = replace(before, places=(*before.places, *job.places)) if before else job
        return sorted(found.values(), key=lambda job: job.name != BASE)

    def _named(self, axis: str, name: str, variant: Variant, *, seed: int, resolve: Resolve) -> Job:
        try:
            return self._job(axis, name, variant, seed=seed, resolve=resolve)
        except UserError as error:
            raise UserError(f"{called(axis, name)}: {error}") from None

    def _job(self, axis: str, name: str, variant: Variant, *, seed: int, resolve: Resolve) -> Job:
        whole = called(axis, name)
        made = self._made(whole, variant.generate, resolve) if variant.generate else None
        data, run = made.path if made else variant.data or self.data, self.out / "runs" / f"{whole}-seed{seed}"
        changed = {**self.train, **variant.train, "seed": seed}
        if variant.episodes is not None:
            changed["episodes"] = variant.episodes
        configs = [part for config in (self.base, *variant.config) for part in ("--config", config)]
        train = ("train", *configs, *flags(changed), f"--data={data}", f"--out={run}")
        evaluate = ("evaluate", str(run), *flags(self.evaluate), f"--suite={','.join(self.suites)}")
        places = ((axis, name),) if axis else ()
        return Job(whole, seed, run, data, made, train, evaluate, resolve(train), resolve(evaluate), places)

    def _made(self, whole: str, changed: Options, resolve: Resolve) -> Made:
        """As the first data set was made, but for what is changed."""
        config = Dataset.open(self.data).manifest["config"]
        if not {"scene", "actor"} <= config.keys():
            raise UserError(f"{self.data} does not say how it was generated; make the other data set and name it: data")
        path = self.data.with_name(f"{self.data.name}.{whole}")
        arguments = ("generate", "--config", json.dumps(config), *flags(changed), f"--out={path}")
        return Made(path, arguments, changed, resolve(arguments))


def require_episodes(jobs: Sequence[Job]) -> None:
    """Refuse to ask for more demonstrations than a data set has, before anything is begun."""
    for job in jobs:
        if not job.made:
            asked, there = job.config.get("episodes"), Dataset.open(job.data).manifest["episodes"]
            if asked is not None and asked > there:
                raise UserError(f"{job.name}: episodes is {asked}; {job.data} has {there}")


def chosen(jobs: Sequence[Job], only: str | None) -> list[Job]:
    """Those of these axes or variants: `fusion`, `cross` or `fusion-cross`, several with commas."""
    if only is None:
        return list(jobs)
    asked = {name.strip() for name in only.split(",")}
    names = {job.run: {job.name, *(one for place in job.places for one in (*place, called(*place)))} for job in jobs}
    require_known("variant or axis", sorted(asked), sorted({name for some in names.values() for name in some}))
    return [job for job in jobs if asked & names[job.run]]


def called(axis: str, name: str) -> str:
    return f"{axis}-{name}" if axis else name
