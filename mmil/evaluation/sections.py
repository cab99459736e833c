"""What a report shows of a run part by part: skills, things, manners, listening, and what the policy goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmil.contracts import Trial
from mmil.evaluation.altered import MEANING as WAYS
from mmil.evaluation.breakdown import PARTS, Manner, Share, by, by_manner, listening, share
from mmil.evaluation.charts import altered_bars, interval_bar, line_chart
from mmil.evaluation.page import data_uri
from mmil.evaluation.runs import CONTROL, Run, Suite
from mmil.evaluation.statistics import Paired, paired, wilson

TOGETHER = "all suites"  # but null, altered ones and those that have another's layouts


def judged(run: Run) -> list[Suite]:
    """The suites that say how good a run is: a null sentence asks for nothing, an altered input is not its own."""
    return [suite for suite in run.suites if suite.name != "null" and not suite.summary.get("altered")]


def judged_trials(run: Run) -> list[Trial]:
    return [trial for suite in judged(run) for trial in suite.trials]


def doubles(*runs: Run) -> dict[str, str]:
    """Suites that all of these runs have, on layouts of one before: of that, which alone counts towards all suites.

    A layout that is met again, told another goal, is no further trial: of a seed comes the same scene.
    """
    counted: dict[str, list[set[int]]] = {}
    found: dict[str, str] = {}
    for name in _common(*runs):
        seeds = [{trial.seed for trial in _of(run, [name])} for run in runs]
        met = [other for other, had in counted.items() if any(a & b for a, b in zip(seeds, had, strict=True))]
        if met:
            found[name] = met[0]
        else:
            counted[name] = seeds
    return found


def left_out(*runs: Run) -> str:
    """What does not count towards all suites, and why; nothing where all do."""
    return ", ".join(f"{name}, which has the layouts of {other}" for name, other in doubles(*runs).items())


def pooled_trials(run: Run) -> list[Trial]:
    """Each layout once."""
    return _of(run, [name for name in _common(run) if name not in doubles(run)])


def _common(*runs: Run) -> list[str]:
    """Names of the suites that all of them were judged on."""
    return [suite.name for suite in judged(runs[0]) if all(run.suite(suite.name) for run in runs[1:])]


def skills(run: Run) -> dict[str, Any] | None:
    """Skills down, suites across, and all suites together, of each layout once; None where there is one skill."""
    suites = [suite for suite in run.suites if suite.trials and suite.name != "null"]
    cells = {suite.name: by(suite.trials, PARTS["skills"]) for suite in suites}
    once = by(pooled_trials(run), PARTS["skills"])
    total = {verb: once.get(verb, share(())) for verb in by(judged_trials(run), PARTS["skills"])}
    if len(total) < 2:
        return None
    rows = [
        {"name": verb, "all": one, "bar": interval_bar(one.success), "cells": [cells[s.name].get(verb) for s in suites]}
        for verb, one in total.items()
    ]
    return {"suites": [suite.name for suite in suites], "rows": rows}


def looks(run: Run) -> list[tuple[str, dict[str, tuple[Share, Any]]]]:
    """Success by shape and by colour of what was asked for; the weakest first."""
    found = []
    for part in ("shapes", "colours"):
        shares = by(pooled_trials(run), PARTS[part])
        weakest = sorted(shares.items(), key=lambda item: item[1].success.rate)
        if len(shares) > 1:
            found.append((part, {name: (one, interval_bar(one.success, width=120)) for name, one in weakest}))
    return found


def manners(run: Run) -> list[tuple[str, str, Manner]]:
    """(suite, manner, how it went), of suites that asked for any."""
    every = [(suite.name, by_manner(suite.trials)) for suite in judged(run)]
    return [(name, manner, one) for name, found in every for manner, one in found.items()]


def heard(run: Run) -> dict[str, Any] | None:
    """The gap between a goal's own sentence and another one's, in points; None where `wrong` cannot say."""
    seen, wrong = run.suite("seen"), run.suite("wrong")
    gaps = listening(seen.trials, wrong.trials) if seen and wrong else {}
    if not gaps or not seen:
        return None
    rows = [(kind, pair, *_sides(pair)) for kind, pair in gaps.items()]
    return {"any": gaps["any"], "rows": rows, "wrong": seen.wrong_object}


def _sides(pair: Paired) -> tuple[Any, Any]:
    """Success with its own sentence, and with another."""
    return wilson(pair.both + pair.only_first, pair.n), wilson(pair.both + pair.only_second, pair.n)


def attributions(run: Run) -> list[dict[str, Any]]:
    """What the attribution of each suite found: a figure and its table."""
    return [
        {
            **study,
            "whole": wilson(study["intact"]["successes"], study["intact"]["n"]),
            "figure": altered_bars(study["rows"], intact=study["intact"]["rate"], most=study["everything"]),
            "ways": {how: WAYS[how] for how in WAYS if any(row["how"] == how for row in study["rows"])},
        }
        for study in run.attribution
    ]


EXAMPLE = {  # of a reward card
    "rewards": "earned by the decision",
    "following": "still to be earned",
    "misled": "still to be earned, told another goal",
}
LARGEST = 1_000_000  # [bytes] of a picture that is embedded


CURVES = {  # of a diagnosis → what its vertical axis says
    "far": "distance, in the expert's own",
    "aside": "from the expert's way [m]",
    "error": "mean |action − expert's|",
}


def strayed(run: Run) -> dict[str, Any] | None:
    """How far the policy goes from its expert along an episode: a figure each, and what that says."""
    told = run.diagnosis
    if not told:
        return None
    curves = {name: lines for name, lines in told["curves"].items() if name in CURVES and lines}
    size = (420, 250)
    figures = [
        line_chart(some, x_label="control step", y_label=CURVES[name], size=size) for name, some in curves.items()
    ]
    names = list(dict.fromkeys(name for lines in curves.values() for name in lines))
    return {**told, "figures": figures, "names": names, "whole": wilson(told["successes"], told["walks"])}


def reward_card(run: Run) -> dict[str, Any] | None:
    """What the learnt reward says of walks that it never saw: its card, and one of them with its pictures."""
    told = run.diagnosis.get("reward")
    if not told:
        return None
    example = {name: list(enumerate(told["example"][name])) for name in EXAMPLE if told["example"].get(name)}
    figure = line_chart({EXAMPLE[name]: line for name, line in example.items()}, x_label="decision", y_label="worth")
    frames = sorted((run.path / "diagnosis").glob("reward-*.jpg"))
    return {
        **told,
        "figure": figure,
        "names": [EXAMPLE[name] for name in example],
        "frames": [data_uri(path.read_bytes(), "image/jpeg") for path in frames if path.stat().st_size < LARGEST],
        "heard_rate": wilson(told["heard"], told["hearable"]) if told["hearable"] else None,
        "beaten_rates": {who: wilson(count, told["layouts"]) for who, count in told["beaten"].items()},
        "hacked_rate": wilson(told["hacked"], told["failures"]) if told["failures"] else None,
    }


def rounds(run: Run) -> dict[str, Any] | None:
    """Success against the labels that were asked for, round by round, and what it had to beat."""
    if not run.rounds:
        return None
    rows = [{**row, "success": wilson(row["successes"], row["n"])} for row in run.rounds]
    own = [row for row in rows if row["name"] != CONTROL]
    series = {"rounds": [(row["labels"], row["success"].rate) for row in own]}
    if others := [row for row in rows if row["name"] == CONTROL]:
        series["as many labels of the expert's own episodes"] = [(row["labels"], row["success"].rate) for row in others]
    return {"rows": rows, "figure": line_chart(series, x_label="labels", y_label="success"), "names": list(series)}


def learnt_by_trying(run: Run) -> dict[str, Any] | None:
    """Success against steps of the scene: of trials on the way, or of what was tried where there are none."""
    rows, series = [], {}
    for name, rounds in run.curves.items():
        begun = [0, *(one["steps"] for one in rounds)]
        judged = [(steps, one["trials"]) for steps, one in zip(begun, rounds, strict=False) if one["trials"]]
        judged = judged or [(one["steps"], {"successes": one["successes"], "n": one["free"]}) for one in rounds]
        told = [(steps, wilson(one["successes"], one["n"])) for steps, one in judged if one["n"]]
        rows += [{"name": name, "steps": steps, "success": success} for steps, success in told]
        if told:
            series[name] = [(steps, success.rate) for steps, success in told]
    if not series:
        return None
    figure = line_chart(series, x_label="steps of the scene", y_label="success")
    return {"rows": rows, "figure": figure, "names": list(series)}


def skill_pairs(first: Run, second: Run) -> list[dict[str, Any]]:
    """Each skill's paired comparison: over all suites that both were judged on, and suite by suite."""
    names, twice = _common(first, second), doubles(first, second)
    once = [name for name in names if name not in twice]
    rows = []
    for where in (TOGETHER, *names):
        ours, theirs = (_of(run, once if where == TOGETHER else [where]) for run in (first, second))
        verbs = sorted({trial.goal.verb for trial in (*ours, *theirs)})
        for verb in verbs if len(verbs) > 1 else ():
            result = paired(*([t for t in some if t.goal.verb == verb] for some in (ours, theirs)))
            if result.n:
                rows.append({"suite": where, "verb": verb, "result": result})
    return rows


def unpaired(first: Run, second: Run) -> list[str]:
    """Of each suite, how many seeds both runs have and cannot be compared on."""
    both = [(suite, other) for suite in first.suites if (other := second.suite(suite.name))]
    found = [(one.name, paired(one.trials, other.trials)) for one, other in both]
    return [
        f"{name}: {pair.other_goal} of {pair.n + pair.other_goal} common seeds ask {first.name} and {second.name} for "
        "different goals and are not paired"
        for name, pair in found
        if pair.other_goal
    ]


def _of(run: Run, names: Sequence[str]) -> list[Trial]:
    return [trial for suite in run.suites if suite.name in names for trial in suite.trials]


def altered_meaning(altered: Mapping[str, Any]) -> str:
    """What was done in a suite with an altered input."""
    ways: dict[Any, str] = {**WAYS}
    return f"{altered.get('input')}: {ways.get(altered.get('how'), 'altered')}"
