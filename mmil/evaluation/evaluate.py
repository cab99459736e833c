"""`mmil evaluate`: which suites, of which run, with whose sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mmil.config import build_scene
from mmil.contracts import UserError
from mmil.evaluation.suites import Suite, load_suite, suite_names
from mmil.evaluation.trials import Stage, Told, evaluate_suites, weights_sha256
from mmil.execution import executed
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.language.instructions import load_instructions
from mmil.parallel import PATIENCE
from mmil.run import RunFolder, commit


def evaluate(
    run: Path,
    *,
    suite: str = "all",
    trials: int = 100,
    workers: int | None = None,
    patience: float | None = PATIENCE,
    seed: int = 0,
    execute: int | None = None,
    ensemble: float | None = None,
    horizon: int = 120,
    instructions: Path | None = None,
    out: Path | None = None,
    command: str = "",
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Any]]:
    """Trials of the run's policy in a suite, or in all of them; summaries by suite.

    patience: seconds a trial may take before its worker counts as hung and is replaced (10 times the slowest one, if
    that is more); null: no end. execute: actions of each predicted chunk before it looks again, 4 unless given.
    ensemble: plan at every step instead and average all plans for an instant, the i-th oldest weighted by
    exp(−ensemble · i), as 0.01. horizon: control steps a trial may take. instructions: YAML of your own sentences, verb
    → templates. out: where trials.jsonl and summary.json go, RUN/evaluation/SUITE unless given. tell: hears which
    suites are left out.
    """
    folder = RunFolder.open(run)
    if trials < 1:
        raise UserError(f"{trials} trials; at least 1 is needed")
    own = load_instructions(instructions, Grammar.load().verbs) if instructions else None
    held = Compositions.of(folder.data["config"], where=str(folder.path))
    suites = _possible(_suites(suite, own_name=instructions.stem if instructions else None), held, tell)
    where = {one.name: _place(one, folder, out, several=len(suites) > 1) for one in suites}
    about = {
        "command": command,
        "mmil_commit": commit(),
        "weights_sha256": weights_sha256(folder.path),
        "execute": executed(execute, ensemble),
        "ensemble": ensemble,
        "horizon": horizon,
        "instructions": str(instructions) if instructions else None,
    }
    same = ("weights_sha256", "execute", "ensemble", "horizon")
    asked = {"n": trials, "seed": seed, **{name: about[name] for name in same}}
    done = {} if own else {one.name: there for one in suites if (there := _finished(where[one.name], asked))}
    actor = partial(load_runner, folder.path, execute=execute, ensemble=ensemble)
    made = evaluate_suites(
        [one for one in suites if one.name not in done],
        _stage(folder, actor=actor, horizon=horizon, own=own, held=held),
        trials=trials,
        seed=seed,
        workers=workers,
        patience=patience,
        out=where,
        about=about,
    )
    return {one.name: made.get(one.name) or done[one.name] for one in suites}


def _stage(folder: RunFolder, *, actor: Callable[[], Any], horizon: int, own: Told | None, held: Compositions) -> Stage:
    """The run's policy, in the scene its data were made in."""
    data = folder.data["config"]
    return Stage(
        actor=actor,
        scene=build_scene,
        config=data["scene"],
        spec=folder.spec,
        horizon=horizon,
        own=own,
        held=held,
        references=float(data.get("references") or 0.0),
    )


def _suites(name: str, *, own_name: str | None) -> list[Suite]:
    """The suite of this name, or all; with somebody's own sentences, suites of their own on the same layouts."""
    suites = [load_suite(one) for one in (suite_names() if name == "all" else [name])]
    if own_name is None:
        return suites
    return [replace(one, layouts=one.layouts or one.name, name=f"{one.name}-{own_name}") for one in suites]


def _possible(suites: list[Suite], held: Compositions, tell: Callable[[str], None]) -> list[Suite]:
    """Without those that need held-out compositions where there are none; the only one asked for is refused."""
    left_out = [] if held else [one for one in suites if one.goals == "held_out"]
    for one in left_out:
        line = f"{one.name}: the data set of this run holds out no compositions (`mmil splits` chooses some)"
        if len(suites) == 1:
            raise UserError(line)
        tell(f"{line}; left out")
    return [one for one in suites if one not in left_out]


def load_runner(path: Path, **execution: Any) -> Any:
    """The run's policy as an actor, on one thread: the workers share the cores."""
    import torch

    from mmil.run import load_policy
    from mmil.runner import Runner

    torch.set_num_threads(1)
    return Runner(load_policy(path), **execution)


def _place(suite: Suite, folder: RunFolder, out: Path | None, *, several: bool) -> Path:
    if out is None:
        return folder.path / "evaluation" / suite.name
    place = out / suite.name if several else out
    strangers = [item.name for item in place.iterdir() if item.name not in _OWN] if place.is_dir() else []
    if strangers or (place.exists() and not place.is_dir()):
        raise UserError(f"{place} holds something else: {', '.join(strangers[:3])}; name a new or empty folder")
    return place


_OWN = ("trials.jsonl", "summary.json", "videos")


def _finished(place: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The summary that is there, if it is of these very trials."""
    try:
        there = json.loads((place / "summary.json").read_text())
    except (OSError, ValueError):
        return None
    return there if all(there.get(key) == value for key, value in asked.items()) else None
