"""What each verb does with its arguments: parse, run, say in a last line what to type next."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence


def say(line: str) -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def generate(arguments: Sequence[str]) -> int:
    """`mmil generate`."""
    from data_tools.generate import generate as run
    from mmil.config import parse

    parsed = parse(run, arguments, verb="generate", skip=("grammar", "config"))
    made = run(**parsed.options, config=parsed.resolved)
    done = "finished before" if not made.made else f"{made.made} made now"
    say(f"{made.out}: {made.episodes} episodes, {made.steps} steps, {made.failed_attempts} failed attempts ({done})")
    say(f"next: mmil inspect {made.out}, or mmil train --config configs/train/quickstart.yaml --data {made.out} --out RUN")
    return 0


def train(arguments: Sequence[str]) -> int:
    """`mmil train`."""
    from mmil.algos.training import train as run
    from mmil.config import parse

    parsed = parse(run, arguments, verb="train", skip=("config",))
    out = run(**parsed.options, config=parsed.resolved)
    say(f"next: mmil evaluate {out} --suite all")
    return 0


def evaluate(arguments: Sequence[str]) -> int:
    """`mmil evaluate`."""
    from mmil.config import parse
    from mmil.evaluation.evaluate import evaluate as run
    from mmil.evaluation.statistics import wilson

    parsed = parse(run, arguments, verb="evaluate", positional=("run",), skip=("command",))
    summaries = run(**parsed.options, command=shlex.join(["mmil", "evaluate", *arguments]))
    for name, summary in summaries.items():
        wrong = summary["wrong_object"]
        say(f"{name:<12}{wilson(summary['successes'], summary['n'])}   wrong object {wrong['rate']:.1%}")
    say(f"next: mmil report {parsed.options['run']}")
    return 0


def report(arguments: Sequence[str]) -> int:
    """`mmil report`."""
    from mmil.config import parse
    from mmil.evaluation.report import report as run
    from mmil.evaluation.report import table

    parsed = parse(run, arguments, verb="report", positional=("runs",))
    page = run(**parsed.options)
    say(table(parsed.options["runs"]))
    say(f"report: {page}")
    return 0
