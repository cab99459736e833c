"""Which compositions are held out of training: chosen from what a scene offers, checked, and counted in episodes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmil.config import build_scene
from mmil.contracts import Goal, Infeasible, Scene, UserError
from mmil.data.dataset import Dataset
from mmil.data.shards import write_atomic
from mmil.language.apart import faults
from mmil.language.compositions import PARTS, Compositions
from mmil.language.coverage import Coverage
from mmil.language.grammar import Grammar
from mmil.language.reading import read_yaml
from mmil.language.splitting import Layouts, Order, draws, split
from mmil.progress import progress
from mmil.run import commit
from mmil.seeds import episode_seed

EPISODES = 1000  # that the counts of a recipe are about


@dataclass(frozen=True)
class Splits:
    """What is held out, how well its parts are covered, and every reason not to use it."""

    held: Compositions
    coverage: Coverage
    counted: str  # what the counts are about
    reasons: tuple[str, ...]
    next: str  # what to do with it

    @property
    def head(self) -> str:
        given_up = 1 - self.coverage.training / max(self.coverage.goals, 1e-9)
        return f"{len(self.held.held_out)} compositions, {given_up:.1%} of {self.counted}"

    @property
    def text(self) -> str:
        return f"{self.head}\n\n{self.coverage.table()}\n"

    @property
    def json(self) -> str:
        body = {"counted": self.counted, **self.coverage.to_json(), "reasons": list(self.reasons)}
        return json.dumps(body, indent=1, ensure_ascii=False)


def splits(
    paths: Sequence[Path],
    *,
    order: Order | None = None,
    share: float = 0.1,
    keep: float = 0.5,
    among: Sequence[str] = PARTS,
    seed: int = 0,
    layouts: int = 400,
    out: Path | None = None,
    command: str = "",
) -> Splits:
    """Choose or check which compositions training does without, and count how often it shows their parts.

    Args:
        paths: a data set, or a recipe of `mmil generate` and its layers
        order: choose values (1), pairs (2) or triples (3) to hold out; without it, those that the recipe holds out are
            checked
        share: of training's episodes, how many may be given up
        keep: of the episodes that show a smaller combination, how many must stay
        among: the parts to combine
        seed: of what is chosen, and of the layouts
        layouts: how many of the scene's to look at
        out: a YAML for what is chosen, a layer of a recipe, and beside it a JSON of the table
        command: what was typed; kept in the YAML
    """
    if any(path.is_dir() for path in paths):
        if len(paths) > 1 or order or out:
            raise UserError(f"{paths[0]}: a data set is counted alone, without --order and --out")
        return _of_episodes(Dataset.open(paths[0]))
    if out is not None:
        _require_free(out, order)
    recipe = _merged(paths)
    held = Compositions.of(recipe, where=" + ".join(map(str, paths)))
    if order is None and not held:
        raise UserError(f"{paths[-1]} holds out nothing; --order 1, 2 or 3 chooses values, pairs or triples")
    if held:
        recipe = _under(recipe, Compositions().layer())  # what can be asked for, not what is drawn
    offered = survey(recipe["scene"], layouts=layouts, seed=seed)
    if order is not None:
        held = split(offered, order=order, share=share, seed=seed, among=among, keep=keep)
    layers = "".join(f"--config {path} " for path in (*paths, out) if path)
    again = order and not out
    then = "the same with --out configs/compositions/NAME.yaml" if again else f"mmil generate {layers}--out DIR"
    found = _of_layouts(held, offered, then=then)
    if out is not None and not found.reasons:
        _write(out, found, command=command)
    return found


def _require_free(out: Path, order: Order | None) -> None:
    if order is None or out.suffix != ".yaml":
        raise UserError(f"--out {out} is for what is chosen: give --order too, and a name that ends in .yaml")
    for path in (out, out.with_suffix(".json")):
        if path.exists():
            raise UserError(f"{path} exists; name a new file")


def survey(node: Mapping[str, Any], *, layouts: int, seed: int) -> Layouts:
    """What each of so many layouts offers, those that training with this seed meets first, and how likely it is drawn.

    A layout draws a goal of one verb. A scene that draws manners offers each goal in all that it was seen to draw.
    """
    if layouts < 1:
        raise UserError(f"{layouts} layouts; at least 1 is needed")
    with closing(build_scene(node)) as scene:
        seeds = progress((episode_seed(seed, i) for i in range(layouts)), "look", total=layouts, unit="layouts")
        met = [found for one in seeds if (found := _meet(scene, one))]
    adds = any(drawn not in goals for drawn, goals in met)
    manners: Counter[str | None] = Counter(drawn.manner if adds else None for drawn, _ in met)
    return [_chances(drawn, goals, manners) for drawn, goals in met]


def _meet(scene: Scene, seed: int) -> tuple[Goal, Sequence[Goal]] | None:
    """The goal that was drawn and all that are feasible; None for draws that make no scene."""
    try:
        return scene.reset(seed).state.goal, tuple(scene.goals)
    except Infeasible:
        return None


def _chances(drawn: Goal, goals: Sequence[Goal], manners: Counter[str | None]) -> dict[Goal, float]:
    of_verb = sum(goal.verb == drawn.verb for goal in goals)
    return {
        (goal.done(manner) if manner else goal): (goal.verb == drawn.verb) / of_verb * times / manners.total()
        for goal in goals
        for manner, times in manners.items()
    }


def _of_layouts(held: Compositions, offered: Layouts, *, then: str) -> Splits:
    drawn = draws(offered)
    coverage = Coverage.count(held, {goal: weight * EPISODES / len(offered) for goal, weight in drawn.items()})
    counted = f"{EPISODES} episodes as {len(offered)} layouts would draw them with nothing held out"
    reasons = dict.fromkeys([*faults(held, list(drawn), Grammar.load()), *coverage.unseen])
    return Splits(held, coverage, counted, tuple(reasons), then)


def _of_episodes(dataset: Dataset) -> Splits:
    held = Compositions.of(dataset.manifest["config"], where=str(dataset.path))
    if not held:
        raise UserError(f"{dataset.path} was made without holding out compositions")
    coverage = Coverage.count(held, [row.goal for row in dataset.rows])
    return Splits(
        held,
        coverage,
        f"the {len(dataset)} episodes of {dataset.path}",
        tuple(coverage.reasons),
        "mmil evaluate RUN --suite composition",
    )


def _merged(paths: Sequence[Path]) -> dict[str, Any]:
    """The scene of a recipe under its layers, as `mmil generate --config RECIPE --config LAYER` reads them."""
    merged: dict[str, Any] = {}
    for path in paths:
        data = read_yaml(path)
        if not isinstance(data, dict) or not isinstance(data.get("scene"), dict):
            raise UserError(f"{path}: no recipe of `mmil generate` and no layer of one: it has no scene")
        merged = _under(merged, {"scene": data["scene"]})
    if "class_path" not in merged["scene"]:
        raise UserError(f"{paths[0]}: its scene has no class_path; name a recipe of `mmil generate` first")
    return merged


def _under(base: Any, layer: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(layer, dict)):
        return layer
    return {**base, **{key: _under(base.get(key), value) for key, value in layer.items()}}


def _write(out: Path, found: Splits, *, command: str) -> None:
    """The layer, with the table as its comment, and the table as JSON."""
    head = [f"command:  {command}", f"result:   {found.head}", f"commit:   {commit()}", ""]
    lines = [f"# {line}".rstrip() for line in head + found.coverage.table().splitlines()]
    layer = yaml.safe_dump(found.held.layer(), default_flow_style=None, sort_keys=False, width=110)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from None
    write_atomic(out.with_suffix(".json"), found.json.encode() + b"\n")
    write_atomic(out, ("\n".join(lines) + "\n" + layer).encode())
