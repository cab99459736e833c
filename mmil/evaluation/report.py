"""One HTML file that says how well a run does, on what it was judged, and what it was trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmil.contracts import OUTCOMES, UserError
from mmil.evaluation import facts, sections
from mmil.evaluation.charts import interval_bar, line_chart
from mmil.evaluation.gallery import contact_sheet, gallery
from mmil.evaluation.page import write_page
from mmil.evaluation.runs import Run, Suite, read_run
from mmil.evaluation.statistics import Interval, by_object, confusions, paired
from mmil.evaluation.suites import ORDER
from mmil.evaluation.tables import aligned, manners_table, skills_table

MEANING = {
    "seen": "sentences of training, new layouts, cameras from the training band",
    "paraphrase": "sentences it never saw: templates and words held out of training",
    "composition": "goals whose parts training saw, but never together",
    "manner": "asked to be done slowly, gently or quickly: success needs the goal and the manner",
    "camera": "cameras placed outside the band that training saw",
    "wrong": "the layouts of seen, told another goal of the scene: success is reaching the one it was told",
    "null": "an empty or irrelevant sentence: success only by luck, so this should be near chance",
}
FAILURES_LISTED = 200
DIFFERENCES_LISTED = 40


def report(runs: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page of one run, or of several side by side.

    Args:
        runs: run folders
        out: a name that ends in .html, or a folder for report.html or comparison.html (the first run's)
    """
    loaded = _read(runs)
    target = _place(Path(out) if out else loaded[0].path, "report.html" if len(loaded) == 1 else "comparison.html")
    if len(loaded) == 1:
        title, lead = loaded[0].name, headline(loaded[0])
    else:
        title, lead = f"{len(loaded)} runs side by side", ", ".join(run.name for run in loaded)
    views = [_view(run) for run in loaded]
    comparison = _comparison(loaded) if len(loaded) > 1 else None
    return write_page(
        target, "report.html.j2", title=title, lead=lead, runs=views, comparison=comparison, outcomes=OUTCOMES
    )


def _place(asked: Path, name: str) -> Path:
    """Where the page goes: `asked`, or under this name into it; what is neither page nor folder is left as it is."""
    if asked.suffix == ".html" and not asked.is_dir():
        return asked
    if asked.is_file() or (asked.suffix and not asked.is_dir()):
        there = f"{asked} is there and is no page" if asked.exists() else f"{asked} is no name of a page"
        raise UserError(f"{there}; --out takes a name that ends in .html, or a folder")
    return asked / name


def table(runs: Sequence[Path]) -> str:
    """The results as plain text, for a terminal."""
    loaded = _read(runs)
    head = ["run"] * (len(loaded) > 1) + ["suite", "n", "success", "95 % interval", "wrong object"]
    rows = [[run.name] * (len(loaded) > 1) + _cells(suite) for run in loaded for suite in run.suites]
    if not rows:
        return f"no trials yet; type: mmil evaluate {loaded[0].path} --suite paraphrase"
    lines = aligned([head, *rows], left=head.index("suite") + 1)
    for run in loaded:
        named = [f"{run.name}:"] if len(loaded) > 1 else []
        summaries = {suite.name: suite.summary for suite in run.suites}
        more = [*skills_table(summaries), *manners_table(summaries), *_listens(run)]
        lines += [*named, *more] if more else []
    for first, second in itertools.combinations(loaded, 2):
        lines += _pair_lines(first, second)
    return "\n".join(lines)


def _listens(run: Run) -> list[str]:
    heard = sections.heard(run)
    if heard is None:
        return []
    return ["", f"listening: its own sentence against another goal's {heard['any'].difference}"]


def _pair_lines(first: Run, second: Run) -> list[str]:
    """Points between two runs on their common seeds, suite by suite and skill by skill."""
    both = [(name.name, "all", name, second.suite(name.name)) for name in first.suites]
    rows = [(name, verb, paired(one.trials, other.trials)) for name, verb, one, other in both if other]
    pairs = sections.skill_pairs(first, second)  # the rest is on the page
    rows += [(row["suite"], row["verb"], row["result"]) for row in pairs if row["suite"] == sections.TOGETHER]
    told = [[name, verb, result.difference] for name, verb, result in rows if result.n]
    title, notes = f"{first.name} − {second.name}, paired", sections.unpaired(first, second)
    if pairs and (without := sections.left_out(first, second)):
        notes.append(f"{sections.TOGETHER} but {without}")
    lines = aligned([["suite", "skill", title], *told], left=2) if told else []
    return ["", *lines, *notes] if lines or notes else []


def headline(run: Run) -> str:
    """The result that matters most, in plain words."""
    suite = run.suite("paraphrase") or run.suite("seen") or next(iter(run.suites), None)
    if suite is None or not suite.success.n:
        return "Not evaluated yet."
    got = suite.success
    interval = f"[95 % interval {100 * got.low:.1f} to {100 * got.high:.1f} %]"
    if suite.name not in ("seen", "paraphrase"):
        return f"Succeeds in {got.successes} of {got.n} trials of suite {suite.name} {interval}"
    whose = "it was trained on" if suite.name == "seen" else "it never saw"
    if suite.summary.get("instructions"):
        whose = "of your own"
    if len({trial.instruction for trial in suite.trials}) == got.n:
        return f"Follows {got.successes} of {got.n} sentences {whose} {interval}"
    return f"Follows sentences {whose} in {got.successes} of {got.n} trials {interval}"


def _read(runs: Sequence[Path]) -> list[Run]:
    if not runs:
        raise UserError("no run folder given; type: mmil report RUN...")
    return [read_run(Path(path)) for path in runs]


def _cells(suite: Suite) -> list[str]:
    success, wrong = suite.success, suite.wrong_object
    if not success.n:
        return [suite.name, "0", "–", "–", "–"]
    interval = f"[{100 * success.low:.1f}, {100 * success.high:.1f}]"
    return [suite.name, str(success.n), f"{100 * success.rate:.1f} %", interval, f"{100 * wrong.rate:.1f} %"]


def _view(run: Run) -> dict[str, Any]:
    """What the template shows of a run."""
    notes = list(run.notes)
    films = [film for suite in run.suites for film in gallery(suite, notes)]
    judged = sections.judged_trials(run)
    failures = [trial for trial in judged if not trial.success]
    return {
        "name": run.name,
        "path": str(run.path),
        "headline": headline(run),
        "notes": notes,
        "missing": facts.missing(run),
        "suites": [_row(suite, run) for suite in run.suites],
        "skills": sections.skills(run),
        "looks": sections.looks(run),
        "manners": sections.manners(run),
        "heard": sections.heard(run),
        "attributions": sections.attributions(run),
        "rounds": sections.rounds(run),
        "tried": sections.learnt_by_trying(run),
        "strayed": sections.strayed(run),
        "reward": sections.reward_card(run),
        "left_out": sections.left_out(run),
        "objects": [_heat(verb, cells) for verb, cells in by_object(sections.pooled_trials(run)).items()],
        "confusions": confusions(judged)[:12],
        "films": films,
        "sheet": contact_sheet(films),
        "failures": failures[:FAILURES_LISTED],
        "failures_count": len(failures),
        "curve": _curve(run),
        "last": _last(run),
        "data": facts.data_facts(run),
        "goals": run.data.get("goals") if isinstance(run.data.get("goals"), dict) else {},
        "generation": facts.generation_facts(run),
        "training": facts.training_facts(run),
        "config": facts.config_facts(run),
        "commands": facts.commands(run),
    }


def _row(suite: Suite, run: Run) -> dict[str, Any]:
    seconds = suite.summary.get("seconds")
    return {
        "name": suite.name,
        "meaning": _meaning(suite),
        "success": suite.success,
        "bar": interval_bar(suite.success),
        "wrong": suite.wrong_object,
        "outcomes": {name: suite.summary["outcomes"].get(name, 0) for name in OUTCOMES},
        "mean_steps": suite.summary.get("mean_steps"),
        "seed": suite.summary.get("seed"),
        "workers": suite.summary.get("workers"),
        "seconds": seconds if isinstance(seconds, int | float) else None,
        "instructions": suite.summary.get("instructions"),
        "commit": str(suite.summary.get("mmil_commit") or "")[:12],
        "changes": facts.scene_changes(suite, run.suite("seen")),
    }


def _meaning(suite: Suite) -> str:
    altered = suite.summary.get("altered")
    if isinstance(altered, dict):
        return sections.altered_meaning(altered)
    return MEANING.get(suite.name, "a suite of your own")


def _heat(verb: str, cells: dict) -> dict[str, Any]:
    """Shapes down, colours across; a cell is (interval or None)."""
    shapes, colours = sorted({thing.shape for thing in cells}), sorted({thing.colour for thing in cells})
    found = {(thing.shape, thing.colour): interval for thing, interval in cells.items()}
    return {
        "verb": verb,
        "colours": colours,
        "rows": [(shape, [found.get((shape, colour)) for colour in colours]) for shape in shapes],
    }


def _curve(run: Run) -> Any:
    """Train and validation loss over steps, or None."""
    series = {}
    for part in ("train", "val"):
        for key in (f"{part}/loss", f"{part}/loss_epoch", f"{part}/loss_step", f"{part}_loss"):
            line = [(row.get("step", row.get("epoch", i)), row[key]) for i, row in enumerate(run.metrics) if key in row]
            if line:
                series[key] = line
                break
    return (line_chart(series, x_label="step", y_label="loss"), list(series)) if series else None


def _last(run: Run) -> list[tuple[str, str]]:
    """The last value of every column of metrics.csv."""
    last = {key: value for row in run.metrics for key, value in row.items()}
    return [(key, f"{value:.4g}") for key, value in last.items()]


def _comparison(runs: list[Run]) -> dict[str, Any]:
    """Suites down, runs across; paired tests; config lines that differ."""
    names = list(dict.fromkeys(suite.name for run in runs for suite in run.suites))
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    rows = [(name, [_compared(run.suite(name)) for run in runs]) for name in names]
    pairs = []
    for first, second in itertools.combinations(runs, 2):
        for name in names:
            one, other = first.suite(name), second.suite(name)
            if one and other and (result := paired(one.trials, other.trials)).n:
                pairs.append({"suite": name, "first": first.name, "second": second.name, "result": result})
    skills = [
        {"first": first.name, "second": second.name, **row}
        for first, second in itertools.combinations(runs, 2)
        for row in sections.skill_pairs(first, second)
    ]
    couples = list(itertools.combinations(runs, 2))
    told = {"runs": [run.name for run in runs], "rows": rows, "pairs": pairs, "skills": skills}
    told["unpaired"] = [line for couple in couples for line in sections.unpaired(*couple)]
    told["left_out"] = list(dict.fromkeys(line for couple in couples if (line := sections.left_out(*couple))))
    return {**told, "differences": _differences(runs)}


def _compared(suite: Suite | None) -> tuple[Interval, Any] | None:
    return (suite.success, interval_bar(suite.success, width=110)) if suite else None


def _differences(runs: list[Run]) -> list[tuple[str, list[str]]]:
    sheets = [dict(facts.data_facts(run) + facts.training_facts(run) + facts.config_facts(run)) for run in runs]
    keys = dict.fromkeys(key for sheet in sheets for key in sheet)
    lines = [(key, [sheet.get(key, "–") for sheet in sheets]) for key in keys]
    return [line for line in lines if len(set(line[1]) - {"–"}) > 1][:DIFFERENCES_LISTED]  # absent differs from nothing
