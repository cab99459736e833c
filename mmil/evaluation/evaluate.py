"""`mmil evaluate`: which suites, of which run, with whose sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mmil.config import build_scene
from mmil.contracts import UserError
from mmil.evaluation.altered import Change, How, Props, require_possible
from mmil.evaluation.attribution import attribute, record, write
from mmil.evaluation.extent import usual_horizon, usual_trials
from mmil.evaluation.modelcard import write_model_card
from mmil.evaluation.stage import Request, Stage, Told
from mmil.evaluation.suites import Suite, load_suite, suite_names
from mmil.evaluation.trials import evaluate_suites, weights_sha256
from mmil.execution import executed
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.language.instructions import load_instructions
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
    out: Path | None = None,
    command: str = "",
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Any]]:
    """Trials of the run's policy in a suite, in several (`seen,camera`) or in all of them; summaries by suite.

    trials: unless told, 100 of each suite, or 20 of each of the scene's verbs if these are more, and 20 of each altered
    input for attribution; the verbs come in turns, so that each has as many. patience: seconds a trial may take before
    its worker counts as hung and is replaced (10 times the slowest one, if that is more); null: no end. execute:
    actions of each predicted chunk before it looks again, 4 unless given. ensemble: plan at every step instead and
    average all plans for an instant, the i-th oldest weighted by exp(−ensemble · i), as 0.01. horizon: control steps a
    trial may take, the scene's own unless given, and 120 at least; in a manner it may take more. instructions: YAML of
    your own sentences, verb → templates. without: an input (a camera, cameras, signals, wrench, poses, sentence or one
    signal) that is dropped, frozen, shuffled or swapped, as `how` says. attribution: do that with every input on the
    same layouts. out: where trials.jsonl and summary.json go, RUN/evaluation/SUITE unless given. tell: hears which
    suites are left out.
    """
    folder = RunFolder.open(run)
    change = _change(folder, without, how, attribution=attribution)
    scene = folder.made_with["scene"]
    usual = ATTRIBUTED if attribution else usual_trials(scene)
    ask = Ask(usual if trials is None else trials, seed, workers, patience)
    own = load_instructions(instructions, Grammar.load().verbs) if instructions else None
    held = Compositions.of(folder.made_with, where=str(folder.path))
    suites = _suites(_asked(suite, attribution), own_name=instructions.stem if instructions else None, change=change)
    suites = _possible(suites, held, mannered=_mannered(folder), tell=tell)
    execution = {"execute": executed(execute, ensemble, future=folder.future), "ensemble": ensemble}
    horizon = usual_horizon(scene) if horizon is None else horizon
    about = {"command": command, **_about(folder, instructions), **execution, "horizon": horizon}
    stage = _stage(folder, execution, horizon=horizon, own=own, held=held, altered=bool(change or attribution))
    if attribution:
        return {one.name: _attribute(one, stage, ask, folder, out=out, about=about) for one in suites}
    return _summaries(suites, stage, ask, folder, change=change, out=out, about=about)


def _about(folder: RunFolder, instructions: Path | None) -> dict[str, Any]:
    """What was judged, by which code, in whose words."""
    own = str(instructions) if instructions else None
    return {"mmil_commit": commit(), "weights_sha256": weights_sha256(folder.path), "instructions": own}


@dataclass(frozen=True)
class Ask:
    """How many trials, from which seed, by whom."""

    trials: int
    seed: int
    workers: int | None
    patience: float | None

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UserError(f"{self.trials} trials; at least 1 is needed")


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
    where = {one.name: _place(one, folder, out, several=len(suites) > 1) for one in suites}
    asked = {"n": ask.trials, "seed": ask.seed}
    asked |= {name: about[name] for name in ("weights_sha256", "execute", "ensemble", "horizon")}
    done = {} if stage.own else {one.name: there for one in suites if (there := finished(where[one.name], asked))}
    left = [one for one in suites if one.name not in done]
    if change and left:
        stage = _with_tapes(stage, left, ask, change)
    made = evaluate_suites(left, stage, **vars(ask), out=where, about=about, change=change)
    if out is None:
        write_model_card(folder.path)
    return {one.name: made.get(one.name) or done[one.name] for one in suites}


def _change(folder: RunFolder, without: str | None, how: How, *, attribution: bool) -> Change | None:
    if without is None:
        return None
    if attribution:
        raise UserError(f"attribution does without every input in turn; leave --without {without} out")
    change = Change(without, how)
    require_possible(change, folder.spec)
    return change


def _asked(suite: str, attribution: bool) -> str:
    return "seen" if attribution and suite == "all" else suite


def _mannered(folder: RunFolder) -> bool:
    return bool((folder.made_with["scene"].get("init_args") or {}).get("manners"))


def _attribute(
    suite: Suite, stage: Stage, ask: Ask, folder: RunFolder, *, out: Path | None, about: dict[str, Any]
) -> dict[str, Any]:
    summary, lines = attribute(suite, stage, **vars(ask), actions=about["execute"])
    place = _free(out) if out else folder.path / "attribution" / suite.name
    write(place, summary := {**summary, **about}, lines)
    return summary


def _with_tapes(stage: Stage, suites: list[Suite], ask: Ask, change: Change) -> Stage:
    """The stage with instants of other trials, where they are to come in place of what is there."""
    if change.how != "shuffle":
        return stage
    assert stage.props is not None, "a run has statistics"
    others = [Request(one, one.seed(ask.seed + 1, index), turn=index) for one in suites for index in range(DONORS)]
    recorded = record(others, stage, workers=ask.workers, patience=ask.patience)
    return replace(stage, props=replace(stage.props, tapes=[tape for _, tape in recorded]))


def _stage(
    folder: RunFolder,
    execution: dict[str, Any],
    *,
    horizon: int,
    own: Told | None,
    held: Compositions,
    altered: bool,
) -> Stage:
    """The run's policy, in the scene its data were made in, with what altered inputs are made of if any will be."""
    data = folder.made_with
    return Stage(
        actor=partial(load_runner, folder.path, **execution),
        scene=build_scene,
        config=data["scene"],
        spec=folder.spec,
        horizon=horizon,
        own=own,
        held=held,
        references=float(data.get("references") or 0.0),
        props=Props(folder.spec, {n: one.mean for n, one in folder.stats.signals.items()}) if altered else None,
    )


def _suites(name: str, *, own_name: str | None, change: Change | None) -> list[Suite]:
    """Those of these names, or all; with own sentences or an altered input, suites of their own on those layouts."""
    suites = [load_suite(one) for one in (suite_names() if name == "all" else dict.fromkeys(name.split(",")))]
    kinds = [own_name] if own_name else []
    kinds += [f"without-{change.input}" if change.how == "drop" else "-".join(change)] if change else []
    if not kinds:
        return suites
    return [replace(one, layouts=one.layouts or one.name, name="-".join([one.name, *kinds])) for one in suites]


def _possible(suites: list[Suite], held: Compositions, *, mannered: bool, tell: Callable[[str], None]) -> list[Suite]:
    """Without those whose goals the data set does not have; the only one asked for is refused."""
    reasons = {one.name: _impossible(one, held, mannered=mannered) for one in suites}
    for name, reason in reasons.items():
        if reason and len(suites) == 1:
            raise UserError(f"{name}: {reason}")
        if reason:
            tell(f"{name}: {reason}; left out")
    return [one for one in suites if not reasons[one.name]]


def _impossible(suite: Suite, held: Compositions, *, mannered: bool) -> str:
    if suite.goals == "held_out" and not held:
        return "the data set of this run holds out no compositions (`mmil splits` chooses some)"
    if suite.manner == "always" and not mannered:
        return "the data set of this run asks for no manners (`manners:` of its scene)"
    return ""


def load_runner(path: Path, **execution: Any) -> Any:
    """The run's policy as an actor, on one thread: the workers share the cores."""
    import torch

    from mmil.run import load_runner as load

    torch.set_num_threads(1)
    return load(path, **execution)


def _place(suite: Suite, folder: RunFolder, out: Path | None, *, several: bool) -> Path:
    if out is None:
        return folder.path / "evaluation" / suite.name
    return _free(out / suite.name if several else out)


def _free(place: Path) -> Path:
    """A folder that is not there, or holds nothing but an earlier evaluation."""
    strangers = [item.name for item in place.iterdir() if item.name not in _OWN] if place.is_dir() else []
    if strangers or (place.exists() and not place.is_dir()):
        raise UserError(f"{place} holds something else: {', '.join(strangers[:3])}; name a new or empty folder")
    return place


_OWN = ("trials.jsonl", "summary.json", "videos")


def finished(place: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The summary that is there, if it is of these very trials."""
    try:
        there = json.loads((place / "summary.json").read_text())
    except (OSError, ValueError):
        return None
    same = all(there.get(key) == value for key, value in asked.items())
    return there if same and "skills" in there else None  # those without were drawn otherwise
