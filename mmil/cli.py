"""`mmil VERB …`: the one place that knows every room, and imports each only when its verb is asked for."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from mmil import __version__
from mmil.contracts import UserError, require_known

# of the machine and not of the program
MENDABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE)

UNHEARD = 141  # as a shell tells of a program that SIGPIPE has ended


class Verb(NamedTuple):
    """Where a verb lives and what it says of itself; `command` takes the arguments and returns the exit code."""

    command: str  # module:function
    usage: str
    about: str


VERBS = {
    "generate": Verb("mmil.commands:generate", "--config YAML --out DIR", "make a data set from a scene and an expert"),
    "fetch": Verb("mmil.commands:fetch", "ADDRESS DIR", "copy a data set from an object store, and check it"),
    "multiply": Verb("mmil.commands:multiply", "SRC --out DIR --episodes N", "do demonstrations again in new layouts"),
    "teleop": Verb("mmil.commands:teleop", "--config YAML --out DIR", "demonstrate yourself"),
    "verify": Verb("mmil.commands:verify", "DIR", "check a data set: checksums, invariants, leaks, replay"),
    "render": Verb(
        "mmil.commands:render", "DIR --out DIR | --film FILE", "show stored states anew: other cameras, sizes, colours"
    ),
    "inspect": Verb("mmil.commands:inspect", "DIR", "write a data set's card, card.html"),
    "convert": Verb(
        "mmil.commands:convert",
        "SRC --to mmil|robomimic|lerobot --out DST",
        "carry demonstrations over from or to another format",
    ),
    "train": Verb("mmil.commands:train", "--config YAML --data DIR --out RUN", "train a policy"),
    "evaluate": Verb("mmil.commands:evaluate", "RUN --suite NAME", "run trials of a policy"),
    "diagnose": Verb("mmil.commands:diagnose", "RUN", "compare a policy with its expert, and say why it fails"),
    "ablate": Verb("mmil.commands:ablate", "--config YAML --data DIR --out DIR", "train and judge variants"),
    "report": Verb("mmil.commands:report", "RUN...", "write report.html"),
    "serve": Verb("mmil.commands:serve", "RUN [--host --port]", "offer a policy over a socket to another machine"),
    "instructions": Verb("mmil.commands:instructions", "[--split train|held_out]", "list sentences: goal, verb, split"),
    "splits": Verb("mmil.commands:splits", "RECIPE... | DIR", "hold out compositions, and prove their parts are seen"),
    "doctor": Verb("mmil.commands:doctor", "", "render a frame, measure speed, say what is missing"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; errors a person can mend are one line on stderr and exit code 2."""
    try:
        try:
            return _done(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_listens():
            raise
        return UNHEARD


def _done(arguments: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
        return 0
    if arguments[0] == "--version":
        sys.stdout.write(f"mmil {__version__}\n")
        return 0
    verb, *rest = arguments
    try:
        require_known("verb", [verb], VERBS)
        return _load(VERBS[verb].command)(rest)
    except UserError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        where = f": {error.filename}" if error.filename else ""
        sys.stderr.write(f"error: {error.strerror}{where}; what was written before is whole, mend it and go on\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on from here\n")
        return 130


def _nobody_listens() -> bool:
    """Whether it is our own output that somebody has closed (`| head`); what is left of it goes nowhere."""
    import select

    out, asked = sys.stdout.fileno(), select.poll()
    asked.register(out, 0)  # errors are told unasked
    if not asked.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), out)
    return True


def _load(command: str) -> Callable[[Sequence[str]], int]:
    module, _, function = command.partition(":")
    return getattr(import_module(module), function)


def _help() -> str:
    lines = ["usage: mmil VERB [options]      mmil VERB --help lists a verb's options", ""]
    width = max(len(f"{name} {verb.usage}") for name, verb in VERBS.items()) + 2
    lines += [f"  {f'{name} {verb.usage}':<{width}}{verb.about}" for name, verb in VERBS.items()]
    return "\n".join([*lines, "", "first steps: make quickstart, or mmil doctor", ""])


if __name__ == "__main__":
    sys.exit(main())
