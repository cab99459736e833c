"""What each verb does with its arguments: parse, run, say in a last line what to type next."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from mmil.config import Parsed, parse, scene_of

# of verbs that others put together: where they are, which arguments have no name, which no command line gives
RESOLVED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "generate": ("data_tools.generate", (), ("grammar", "config", "lineage", "tell")),
    "train": ("mmil.algos.training", (), ("config", "tell")),
    "evaluate": ("mmil.evaluation.evaluate", ("run",), ("command", "tell")),
}


def say(line: str) -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def generate(arguments: Sequence[str]) -> int:
    """`mmil generate`."""
    from mmil.data.store import Folder

    run, parsed = _parsed("generate", arguments)
    made = run(**parsed.options, config=parsed.resolved, tell=say)
    if parsed.options["estimate"]:
        say("next: the same without --estimate; nothing was written")
        return 0
    for line in made.lines():
        say(line)
    if not isinstance(made.store, Folder):
        say(f"next: mmil fetch {made.store} DIR")
        return 0
    say(f"next: mmil inspect {made.store}, or")
    say(f"      mmil train --config configs/train/quickstart.yaml --data {made.store} --out RUN")
    return 0


def multiply(arguments: Sequence[str]) -> int:
    """`mmil multiply`."""
    from data_tools.multiply import multiply as run
    from mmil.data.store import Folder

    made = run(
        **parse(run, arguments, verb="multiply", positional=("source",), skip=("grammar", "tell")).options, tell=say
    )
    for line in made.lines():
        say(line)
    folder = isinstance(made.store, Folder)
    say(f"next: mmil verify {made.store} --replay 0.1" if folder else f"next: mmil fetch {made.store} DIR")
    return 0


def fetch(arguments: Sequence[str]) -> int:
    """`mmil fetch`."""
    from data_tools.fetch import fetch as run

    parsed = parse(run, arguments, verb="fetch", positional=("place", "out"))
    dataset = run(**parsed.options)
    say(f"{dataset.path}: {len(dataset)} episodes, as their manifest says")
    say(f"next: mmil inspect {dataset.path}")
    return 0


def teleop(arguments: Sequence[str]) -> int:
    """`mmil teleop`."""
    from data_tools.teleop import teleop as run

    parsed = parse(run, arguments, verb="teleop", skip=("grammar", "config", "tell"))
    made = run(**parsed.options, config=parsed.resolved, tell=say)
    say(f"{made.out}: {made.episodes} episodes ({made.made} made now; {made.late} of {made.steps} steps were late)")
    again = shlex.join(["mmil", "teleop", *arguments])
    say(f"next: mmil inspect {made.out}" if made.episodes >= parsed.options["episodes"] else f"to go on: {again}")
    return 0


def train(arguments: Sequence[str]) -> int:
    """`mmil train`."""
    from mmil.algos.launch import launch, train_somewhere
    from mmil.first import is_first
    from mmil.run import RunFolder

    parsed = parse(train_somewhere, arguments, verb="train", skip=("config", "tell"))
    out = launch(parsed.options, config=parsed.resolved, command=arguments, tell=say)
    if out is None or not is_first():
        return 0  # a job goes on elsewhere, and the first process says what all have done
    folder = RunFolder.open(out)
    for line in folder.lines():
        say(line)
    say(f"next: mmil evaluate {folder.path} --suite all")
    return 0


def evaluate(arguments: Sequence[str]) -> int:
    """`mmil evaluate`."""
    from mmil.evaluation.tables import attribution_table, suites_table

    # a flag alone reads better than the value that the parser asks for
    told = [
        "--attribution=true" if part == "--attribution" and after not in ("true", "false") else part
        for part, after in zip(arguments, [*arguments[1:], ""], strict=False)
    ]
    run, parsed = _parsed("evaluate", told)
    summaries = run(**parsed.options, command=shlex.join(["mmil", "evaluate", *arguments]), tell=say)
    table = attribution_table if parsed.options["attribution"] else suites_table
    for line in table(summaries):
        say(line)
    say(f"next: mmil report {parsed.options['run']}")
    return 0


def diagnose(arguments: Sequence[str]) -> int:
    """`mmil diagnose`."""
    from mmil.diagnosis.diagnose import diagnose as run
    from mmil.diagnosis.diagnose import lines_of

    parsed = parse(run, arguments, verb="diagnose", positional=("run",), skip=("command",))
    found = run(**parsed.options, command=shlex.join(["mmil", "diagnose", *arguments]))
    for line in lines_of(found):
        say(line)
    say(f"next: mmil report {parsed.options['run']}")
    return 0


def ablate(arguments: Sequence[str]) -> int:
    """`mmil ablate`: exit code 1 with the reasons where a variant failed."""
    from mmil.ablation.ablate import ablate as run

    options = parse(run, arguments, verb="ablate", skip=("resolve", "run", "tell")).options
    done = run(**options, resolve=resolved, tell=say)
    for name, reason in done.failed.items():
        sys.stderr.write(f"{name} failed: {reason}\n")
    say("\n".join(done.lines))
    return 1 if done.failed else 0


def report(arguments: Sequence[str]) -> int:
    """`mmil report`."""
    from mmil.evaluation.modelcard import write_model_card
    from mmil.evaluation.report import report as run
    from mmil.evaluation.report import table

    parsed = parse(run, arguments, verb="report", positional=("runs",))
    page = run(**parsed.options)
    for one in parsed.options["runs"]:
        write_model_card(one)
    say(table(parsed.options["runs"]))
    say(f"report: {page}")
    return 0


def serve(arguments: Sequence[str]) -> int:
    """`mmil serve`: answers until it is interrupted."""
    from mmil.serving.server import serve as run

    parsed = parse(run, arguments, verb="serve", positional=("run",))
    with run(**parsed.options) as server:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service is ended so, and ends as by Ctrl-C
        say(f"{parsed.options['run']} is served to {server.clients} clients at a time; Ctrl-C stops")
        say(f'connect: from mmil.serving import Client; robot = Client("{server.address}")')
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(f"stopped; {server.served} clients were given {server.actions} actions")
    return 0


def verify(arguments: Sequence[str]) -> int:
    """`mmil verify`: exit code 1 with the reasons where something is wrong."""
    from data_tools.verify import verify as run

    parsed = parse(run, arguments, verb="verify", positional=("path",), skip=("scene", "grammar", "tell"))
    path = parsed.options["path"]
    reasons = run(**parsed.options, scene=scene_of(path), tell=say)
    for reason in reasons:
        sys.stderr.write(f"{reason}\n")
    say(
        f"{path}: {len(reasons)} reasons not to trust it"
        if reasons
        else f"{path}: nothing wrong; next: mmil inspect {path}"
    )
    return 1 if reasons else 0


def inspect(arguments: Sequence[str]) -> int:
    """`mmil inspect`."""
    from data_tools.inspect import inspect as run

    parsed = parse(run, arguments, verb="inspect", positional=("path",))
    page = run(**parsed.options)
    say(f"card: {page}")
    path = parsed.options["path"]
    say(f"next: mmil train --config configs/train/quickstart.yaml --data {path} --out RUN")
    return 0


def render(arguments: Sequence[str]) -> int:
    """`mmil render`."""
    from data_tools.render import render as run

    options = parse(run, arguments, verb="render", positional=("path",)).options
    done = run(**options)
    made = "finished before" if not done.made else f"{done.made} made now"
    say(f"{done.written}: {done.episodes} episodes ({made})")
    if done.difference:
        say(f"with nothing changed, the stored pictures come back within {done.difference}")
    say(f"next: mmil verify {done.written}" if options["out"] else f"next: mmil inspect {options['path']}")
    return 0


def convert(arguments: Sequence[str]) -> int:
    """`mmil convert`: exit code 1 where no episode could be carried over."""
    from data_tools.convert.conversion import convert as run

    parsed = parse(run, arguments, verb="convert", positional=("source",))
    done = run(**parsed.options)
    for line in done.notes.lines():
        say(line)
    unfit = f"{len(done.notes.unfit)} quarantined"
    if not done.episodes:
        say(f"nothing could be carried over: {unfit}, and {done.out} was not written")
        return 1
    say(f"{done.out}: {done.episodes} episodes, {done.steps} steps, {unfit}; report: {done.report}")
    if parsed.options["to"] == "mmil":
        say(f"next: mmil verify {done.out}, mmil inspect {done.out}, or")
        say(f"      mmil train --config configs/train/converted.yaml --data {done.out} --out RUN")
    else:
        say(f"next: mmil convert {done.out} --to mmil --out DIR brings it back")
    return 0


def instructions(arguments: Sequence[str]) -> int:
    """`mmil instructions`."""
    from mmil.language.listing import listing

    # --json reads better than the name that python allows for it
    arguments = ["--json_lines=true" if part == "--json" else part for part in arguments]
    parsed = parse(listing, arguments, verb="instructions")
    for line in listing(**parsed.options):
        sys.stdout.write(line + "\n")
    return 0


def splits(arguments: Sequence[str]) -> int:
    """`mmil splits`: exit code 1 with the reasons where what is held out is not apart from training."""
    from data_tools.splits import splits as run

    rest = [part for part in arguments if part != "--json"]
    parsed = parse(run, rest, verb="splits", positional=("paths",), skip=("command",))
    found = run(**parsed.options, command=shlex.join(["mmil", "splits", *rest]))
    say(found.json if "--json" in arguments else found.text)
    for reason in found.reasons:
        sys.stderr.write(f"{reason}\n")
    if "--json" not in arguments:
        say(f"{len(found.reasons)} reasons not to use it" if found.reasons else f"next: {found.next}")
    return 1 if found.reasons else 0


def doctor(arguments: Sequence[str]) -> int:
    """`mmil doctor`: exit code 1 where something is missing."""
    from mmil.doctor import doctor as run

    parsed = parse(run, arguments, verb="doctor")
    findings = run(**parsed.options)
    for finding in findings:
        say(str(finding))
    missing = [finding for finding in findings if not finding.fine]
    say("next: make quickstart" if not missing else f"{len(missing)} things to mend, see above")
    return 1 if missing else 0


def resolved(arguments: Sequence[str]) -> dict[str, Any]:
    """All options of a command line of one of RESOLVED, as it is typed after `mmil`."""
    return _parsed(arguments[0], arguments[1:])[1].resolved


def _parsed(verb: str, arguments: Sequence[str]) -> tuple[Callable[..., Any], Parsed]:
    """The function behind one of RESOLVED, and what it is to be called with."""
    module, positional, skip = RESOLVED[verb]
    function = getattr(import_module(module), verb)
    return function, parse(function, arguments, verb=verb, positional=positional, skip=skip)
