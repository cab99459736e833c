"""`mmil evaluate`: which suites, of which run, with whose sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mmil.config import build_scene
from mmil.contracts import Actor, UserError, require_number
from mmil.evaluation.altered import Change, How, Props, require_possible
from mmil.evaluation.asked import possible, suites_of
from mmil.evaluation.attribution import attribute, record, write
from mmil.evaluation.extent import usual_horizon, usual_trials
from mmil.evaluation.journal import Journal
from mmil.evaluation.modelcard import write_model_card
from mmil.evaluation.places import finished, free_place, place_of
from mmil.evaluation.stage import Request, Stage, Told
from mmil.evaluation.suites import Suite
from mmil.evaluation.trials import evaluate_suites, weights_sha256
from mmil.execution import executed
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.language.instructions import load_instructions, require_sayable
from mmil.parallel import PATIENCE
from mmil.run import RunFolder, commit

ATTRIBUTED = 20  # trials of every altered input
DONORS = 8  # trials whose instants a shuffled input is drawn from


def evaluate(
    run: Path,
    *,
    suite: str = "all",
    trials: int | None = None,
    workers: int | None = None,
    patience: float | None = PATIENCE,
    seed: int = 0,
    execute: int | None = None,
    ensemble: float | None = None,
    horizon: int | None = None,
    instructions: Path | None = None,
    without: str | None = None,
    how: How = "drop",
    attribution: bool = False,
    device: str = "cpu",
    out: Path | None = None,
    command: str = "",
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Any]]:
    """Trials of the run's policy in a suite, in several (`seen,camera`) or in all of them; summaries by suite.

    Args:
        suite: one, several as seen,camera, or all
        trials: of each suite (100, or 20 of each of the scene's verbs if these are more); of each altered input for
            attribution (20); the verbs come in turns, so that each has as many
        workers: processes (one a core)
        patience: seconds a trial may take before its worker counts as hung and is replaced (10 times the slowest one,
            if that is more); null: no end
        seed: of the trials' layouts
        execute: actions of each predicted chunk before it looks again (4)
        ensemble: plan at every step instead and average all plans for an instant, the i-th oldest weighted by
            exp(−ensemble · i), as 0.01
        horizon: control steps a trial may take (half as many again as the data's scene, and 120 at least); in a manner
            it may take more
        instructions: YAML of your own sentences, verb → templates
        without: an input that is altered: a camera, cameras, signals, wrench, poses, sentence or one signal
        how: drop, freeze, shuffle or swap it
        attribution: do that with every input on the same layouts
        device: that every worker's policy computes on: cpu, cuda
        out: where trials.jsonl and summary.json go (RUN/evaluation/SUITE)
        command: what was typed; kept in the summary
        tell: hears which suites are left out
    """
    folder = RunFolder.open(run)
    change = _change(folder, without, how, attribution=attribution)
    scene = folder.made_with["scene"]
    usual = ATTRIBUTED if attribution else usual_trials(scene)
    ask = Ask(usual if trials is None else trials, seed, workers, patience)
    own = _own(instructions) if instructions else None
    held = Compositions.of(folder.made_with, where=str(folder.path))
    suites = suites_of(_asked(suite, attribution), own_name=instructions.stem if instructions else None, change=change)
    suites = possible(suites, scene, held, tell=tell)
    execution = {"execute": executed(execute, ensemble, future=folder.future), "ensemble": ensemble}
    horizon = usual_horizon(scene) if horizon is None else horizon
    require_number(least=1, horizon=horizon)
    about = {"command": command, **_about(folder, instructions, own), **execution, "horizon": horizon, "device": device}
    actor = partial(load_runner, folder.path, device=device, **execution)
    stage = stage_of(folder, actor, horizon=horizon, own=own, altered=bool(change or attribution))
    if attribution:
        return {one.name: _attribute(one, stage, ask, folder, out=out, about=about) for one in suites}
    return _summaries(suites, stage, ask, folder, change=change, out=out, about=about)


def _own(path: Path) -> Told:
    """Sentences of one's own, each of which can be said."""
    grammar = Grammar.load()
    own = load_instructions(path, grammar.verbs)
    require_sayable(own, grammar, where=str(path))
    return own


def _about(folder: RunFolder, instructions: Path | None, own: Told | None) -> dict[str, Any]:
    """What was judged, by which code, in whose words."""
    told = {"instructions": str(instructions) if instructions else None, "own": dict(own) if own else None}
    return {"mmil_commit": commit(), "weights_sha256": weights_sha256(folder.path), **told}


@dataclass(frozen=True)
class Ask:
    """How many trials, from which seed, by whom."""

    trials: int
    seed: int
    workers: int | None
    patience: float | None

    def __post_init__(self) -> None:
        require_number(least=1, trials=self.trials)
        require_number(least=0, seed=self.seed)


def _summaries(
    suites: list[Suite],
    stage: Stage,
    ask: Ask,
    folder: RunFolder,
    *,
    change: Change | None,
    out: Path | None,
    about: dict[str, Any],
) -> dict[str, dict[str, Any]]:
    """Of every suite: those that were finished before, and the others played now."""
    where = {one.name: place_of(one, folder, out, several=len(suites) > 1) for one in suites}
    asked = {one.name: _asked_of(one, stage, ask, change=change, about=about) for one in suites}
    done = {one.name: there for one in suites if (there := finished(where[one.name], asked[one.name]))}
    left = [one for one in suites if one.name not in done]
    if change and left:
        stage = _with_tapes(stage, left, ask, change)
    begun = {one.name: {**asked[one.name], "mmil_commit": about["mmil_commit"]} for one in left}
    made = evaluate_suites(left, stage, **vars(ask), out=where, asked=begun, about=about, change=change)
    if out is None:
        write_model_card(folder.path)
    return {one.name: made.get(one.name) or done[one.name] for one in suites}


def _asked_of(suite: Suite, stage: Stage, ask: Ask, *, change: Change | None, about: dict[str, Any]) -> dict[str, Any]:
    """What the trials of a suite follow from, as its summary says it."""
    asked = {"suite": suite.name, "n": ask.trials, "seed": ask.seed, "altered": change._asdict() if change else None}
    asked |= {name: about[name] for name in ("weights_sha256", "execute", "ensemble", "horizon", "own")}
    return json.loads(json.dumps({**asked, "scene": suite.scene_config(stage.config, horizon=stage.horizon)}))


def _change(folder: RunFolder, without: str | None, how: How, *, attribution: bool) -> Change | None:
    if without is None:
        if how != "drop":
            raise UserError(f"how is {how}, but nothing is altered: name an input by --without")
        return None
    if attribution:
        raise UserError(f"attribution does without every input in turn; leave --without {without} out")
    change = Change(without, how)
    require_possible(change, folder.spec)
    return change


def _asked(suite: str, attribution: bool) -> str:
    return "seen" if attribution and suite == "all" else suite


def _attribute(
    suite: Suite, stage: Stage, ask: Ask, folder: RunFolder, *, out: Path | None, about: dict[str, Any]
) -> dict[str, Any]:
    place = free_place(out, suite) if out else folder.path / "attribution" / suite.name
    asked = _asked_of(suite, stage, ask, change=None, about=about)
    journal = Journal(place, {**asked, "mmil_commit": about["mmil_commit"], "of": "attribution"})
    try:
        summary, lines = attribute(suite, stage, **vars(ask), actions=about["execute"], journal=journal)
    finally:
        journal.close()
    write(place, summary := {**summary, **about}, lines)
    journal.end()
    return summary


def _with_tapes(stage: Stage, suites: list[Suite], ask: Ask, change: Change) -> Stage:
    """The stage with instants of other trials, where they are to come in place of what is there."""
    if change.how != "shuffle":
        return stage
    assert stage.props is not None, "a run has statistics"
    others = [Request(one, one.seed(ask.seed + 1, index), turn=index) for one in suites for index in range(DONORS)]
    recorded = record(others, stage, workers=ask.workers, patience=ask.patience)
    return replace(stage, props=replace(stage.props, tapes=[tape for _, tape in recorded]))


def stage_of(
    folder: RunFolder,
    actor: Callable[[], Actor],
    *,
    horizon: int,
    own: Told | None = None,
    altered: bool = False,
) -> Stage:
    """The run's policy, in the scene its data were made in, with what altered inputs are made of if any will be."""
    data = folder.made_with
    return Stage(
        actor=actor,
        scene=build_scene,
        config=data["scene"],
        spec=folder.spec,
        horizon=horizon,
        own=own,
        held=Compositions.of(data, where=str(folder.path)),
        references=float(data.get("references") or 0.0),
        props=Props(folder.spec, {n: one.mean for n, one in folder.stats.signals.items()}) if altered else None,
    )


def load_runner(path: Path, **execution: Any) -> Any:
    """The run's policy as an actor, on one thread: the workers share the cores."""
    import torch

    from mmil.run import load_runner as load

    torch.set_num_threads(1)
    return load(path, **execution)
