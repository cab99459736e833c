"""What a run was trained on, as rows a person reads: (what, value)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from mmil.evaluation.page import amount, duration
from mmil.evaluation.runs import Run, Suite, mapping
from mmil.evaluation.suites import ORDER

Row = tuple[str, str]


def data_facts(run: Run) -> list[Row]:
    """The data set and how it was made."""
    data, spec = run.data, run.spec
    goals = data.get("goals")
    shapes = {name: shape for name, shape in mapping(spec.get("cameras")).items() if isinstance(shape, list)}
    rows = [
        ("data set", data.get("path")),
        ("and with it", ", ".join(str(mapping(one).get("path")) for one in data.get("more") or ())),
        ("episodes", data.get("episodes")),
        ("episodes trained on", data.get("training_episodes")),
        ("steps", data.get("steps")),
        ("goals", len(goals) if isinstance(goals, Mapping) else goals),
        ("sentences", data.get("sentences")),
        ("scene", spec.get("scene")),
        ("cameras", ", ".join(f"{name} {' × '.join(map(str, shape[:2]))}" for name, shape in shapes.items())),
        ("signals", ", ".join(mapping(spec.get("signals")))),
        ("action", ", ".join(map(str, spec.get("action") or ()))),
        ("control", f"{spec['control_hz']:g} Hz" if isinstance(spec.get("control_hz"), int | float) else None),
        ("manifest", str(data.get("manifest_sha256") or "")[:12]),
    ]
    return _filled(rows)


def training_facts(run: Run) -> list[Row]:
    """How long, on what, how many parameters."""
    train = run.train
    seconds = train.get("seconds")
    rows = [
        ("epochs", train.get("epochs")),
        ("time", duration(seconds) if isinstance(seconds, int | float) else None),
        ("device", train.get("device")),
        ("parameters trained", train.get("parameters_trained")),
        ("parameters frozen", train.get("parameters_frozen")),
        ("commit", str(train.get("mmil_commit") or "")[:12]),
    ]
    known = {
        "seconds",
        "epochs",
        "device",
        "parameters_trained",
        "parameters_frozen",
        "mmil_commit",
        "finished",
        "command",
    }
    return _filled(rows + [item for item in flatten(train).items() if item[0].split(".")[0] not in known])


def generation_facts(run: Run) -> list[Row]:
    """The resolved config of `mmil generate`: the bands every episode was drawn from."""
    return _filled(list(flatten(mapping(run.data.get("config"))).items()))


def config_facts(run: Run) -> list[Row]:
    """The resolved config of `mmil train`."""
    return _filled(list(flatten(run.config).items()))


def commands(run: Run) -> list[str]:
    """What to type to have this run again."""
    train = _command(run.train.get("command")) or _train(run, "RUN")
    tried = [_command(suite.summary.get("command")) for suite in run.suites]
    return [train, *(command for command in tried if command), f"mmil report {run.path}"]


def _train(run: Run, out: str) -> str:
    return f"mmil train --config {run.path}/config.yaml --data {run.data.get('path') or 'DATA'} --out {out}"


def missing(run: Run) -> list[tuple[str, str]]:
    """(what is not there yet, what to type)."""
    gaps = []
    if not run.train.get("finished"):
        gaps.append(("Training has not finished.", _train(run, str(run.path))))
    found = {suite.name for suite in run.suites}
    if not found:
        gaps.append(("Nothing has been evaluated yet.", f"mmil evaluate {run.path} --suite paraphrase"))
    else:
        absent = [name for name in ORDER if name not in found | _impossible(run)]
        gaps += [(f"No trials of suite {name} yet.", f"mmil evaluate {run.path} --suite {name}") for name in absent]
    if not run.attribution:
        gaps.append(("What it goes by was not tried.", f"mmil evaluate {run.path} --attribution"))
    silent = [suite for suite in run.suites if not (suite.clips or suite.summary.get("altered"))]
    gaps += [(f"No videos of suite {suite.name}.", _again(run, suite)) for suite in silent]
    return gaps


def _again(run: Run, suite: Suite) -> str:
    """A suite that is finished is done again only where it is not there."""
    there = run.path / "evaluation" / suite.name
    command = _command(suite.summary.get("command")) or f"mmil evaluate {run.path} --suite {suite.name}"
    return f"mv {there} {run.path}/{suite.name}-before && {command}"


def _impossible(run: Run) -> set[str]:
    """Suites that the data set has no goals for."""
    scene = mapping(mapping(mapping(run.data.get("config")).get("scene")).get("init_args"))
    held = mapping(scene.get("randomisation")).get("held_out")
    held = held or mapping(mapping(scene.get("randomisation")).get("init_args")).get("held_out")
    return {name for name, there in {"composition": held, "manner": scene.get("manners")}.items() if not there}


def scene_changes(suite: Suite, reference: Suite | None) -> list[str]:
    """How the scene of `suite` differs from that of `reference`, a line a key."""
    if reference is None or reference is suite:
        return []
    mine, theirs = flatten(mapping(suite.summary.get("scene"))), flatten(mapping(reference.summary.get("scene")))
    return [f"{key}: {theirs.get(key, '–')} → {value}" for key, value in mine.items() if theirs.get(key, "–") != value]


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        flat.update(flatten(item, name) if isinstance(item, Mapping) and item else {name: item})
    return flat


def _command(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value or "")


def _filled(rows: list[tuple[str, Any]]) -> list[Row]:
    return [(name, amount(value)) for name, value in rows if value not in (None, "", {}, [])]
