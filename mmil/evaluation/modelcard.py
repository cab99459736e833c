"""RUN/README.md: what a policy is, what goes in and comes out, how well it does, what not to trust it with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmil.contracts import UserError
from mmil.data.shards import write_atomic
from mmil.evaluation.page import amount, duration
from mmil.evaluation.runs import Run, Suite, mapping, read_run
from mmil.limits import UNITS

CARD = "README.md"
YOURS = "<!-- What stands below this line is yours: it is kept whenever the card is written anew. -->"
PACKAGED = {  # licences of the weights that come with an installed package
    "vision": "EfficientNet-Lite0 (timm's tf_efficientnet_lite0): Apache-2.0",
    "language": "all-MiniLM-L6-v2: Apache-2.0",
}


def write_model_card(path: Path) -> Path | None:
    """Write the card of a finished run from its files; None where it is unfinished, not ours or not to be changed."""
    card = Path(path) / CARD
    before = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else YOURS
    if YOURS not in before or not os.access(path, os.W_OK):
        return None
    try:
        run = read_run(path)
    except UserError:
        return None
    if not run.train.get("finished"):
        return None
    write_atomic(card, (model_card(run) + YOURS + before.partition(YOURS)[2]).encode())
    return card


def model_card(run: Run) -> str:
    """The card as Markdown, without what a person wrote below it."""
    parts = [
        f"# {plain(run.name)}",
        "A policy of mmil: pictures, signals and a sentence to actions of a robot. Written by the program, from the "
        "files of this folder, which are all that it needs.",
        _section("Trained on", _trained(run)),
        _section("What goes in", _inputs(run)),
        _section("What comes out", _outputs(run)),
        _section("Results", _results(run)),
        _section("Use", _use(run)),
        _section("Limits", _limits(run)),
        _section("Licences", _licences(run)),
    ]
    return "\n\n".join(parts) + "\n\n"


def plain(value: Any) -> str:
    """One line without what Markdown or HTML would take for its own."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(str(value).split()))


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [list(head), ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _trained(run: Run) -> str:
    data, train, start = run.data, run.train, mapping(run.data.get("start"))
    skills = mapping(data.get("skills"))
    begun = {"run": start.get("run"), "weights": str(start.get("weights_sha256", ""))[:12]} if start else {}
    rows = [
        ("data set", _data_set(data)),
        ("and with it", ", ".join(_data_set(mapping(one)) for one in data.get("more") or ())),
        ("episodes", amount(data.get("episodes"))),
        ("steps", amount(data.get("steps"))),
        ("skills", ", ".join(f"{verb} ({amount(count)} episodes)" for verb, count in skills.items())),
        ("goals", amount(len(mapping(data.get("goals"))))),
        ("sentences", amount(data.get("sentences"))),
        ("scene", run.spec.get("scene")),
        ("started from", ", ".join(f"{name} {value}" for name, value in begun.items())),
        ("training", f"{amount(train.get('epochs'))} epochs, {duration(float(train.get('seconds') or 0))}"),
        (
            "parameters",
            f"{amount(train.get('parameters_trained'))} trained, {amount(train.get('parameters_frozen'))} frozen",
        ),
        ("commit", train.get("mmil_commit")),
    ]
    return _table(("what", "value"), [row for row in rows if row[1]])


def _data_set(told: Mapping[str, Any]) -> str:
    return f"{Path(str(told.get('path', ''))).name} (manifest {str(told.get('manifest_sha256', ''))[:12]})"


def _inputs(run: Run) -> str:
    spec = run.spec
    told = mapping(spec.get("conventions"))
    policy = _policy(run)
    also = ", and at the episode's first" if policy.get("first") else ""
    looked = f"It looks at the last {policy.get('past', 1)} of them{also}."
    rows = [
        (f"images[{name!r}]", f"uint8 {_shape(shape)}", told.get("image", "RGB, row 0 on top"))
        for name, shape in mapping(spec.get("cameras")).items()
    ]
    rows += [
        (f"signals[{name!r}]", f"float32 {_shape(shape)}", _unit(name, told))
        for name, shape in mapping(spec.get("signals")).items()
    ]
    rows.append(("instruction", "str", "what a person would say"))
    return _table(("part", "dtype and shape", "unit, meaning"), rows) + f"\n\n{looked}"


def _outputs(run: Run) -> str:
    spec, policy = run.spec, _policy(run)
    axes = ", ".join(map(plain, spec.get("action") or ()))
    meaning = mapping(spec.get("conventions")).get("action")
    lines = [
        f"float32 ({len(spec.get('action') or ())},): {axes}, each in \\[−1, 1\\].",
        f"{plain(meaning)}." if meaning else "",
        f"{amount(spec.get('control_hz'))} actions a second [Hz]; {policy.get('future', 8)} are predicted at a time.",
    ]
    return "\n".join(line for line in lines if line)


def _results(run: Run) -> str:
    judged = [suite for suite in run.suites if suite.success.n]
    if not judged:
        return "Not evaluated yet: `mmil evaluate RUN --suite all` fills this table."
    head = ("suite", "n", "success", "95 % interval (Wilson)", "took a wrong thing", "seed", "execute", "commit")
    return _table(head, [_result(suite) for suite in judged])


def _result(suite: Suite) -> tuple[Any, ...]:
    got, told = suite.success, suite.summary
    interval = f"{100 * got.low:.1f}–{100 * got.high:.1f} %"
    rates = (f"{100 * got.rate:.1f} %", interval, f"{100 * suite.wrong_object.rate:.1f} %")
    return (suite.name, got.n, *rates, *(told.get(key, "") for key in ("seed", "execute", "mmil_commit")))


def _use(run: Run) -> str:
    return f"""```python
import mmil

robot = mmil.load({run.path.resolve().name!r})  # this folder
robot.reset(seed=0)
action = robot.act({{"images": images, "signals": signals, "instruction": "{_sentence(run)}"}})
```

`mmil evaluate RUN --suite all` tries it, `mmil serve RUN` offers it to another machine."""


def _sentence(run: Run) -> str:
    goal = next(iter(mapping(run.data.get("goals"))), "what to do")
    return re.sub(r"[^\w ,.-]", "", str(goal).replace("_", " "))


def _limits(run: Run) -> str:
    lines = [
        f"It has learnt from demonstrations in the scene {plain(run.spec.get('scene'))} alone, for the skills above; "
        "asked for anything else it still moves.",
        "Other cameras, signals, axes or rates than those above are refused.",
        "The results hold for these suites, in simulation; what is not in the table is not known.",
        "It knows nothing of people nor of what is around it: on a real robot keep its limits and a stop within reach.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _licences(run: Run) -> str:
    return "\n".join(f"- {plain(line)}" for line in ["mmil: MIT", *(_licence(run, part) for part in PACKAGED)])


def _licence(run: Run, part: str) -> str:
    told = mapping(mapping(_policy(run).get(part)).get("init_args"))
    name, weights = told.get("name"), told.get("weights")
    packaged = weights is None and name in (None, "tf_efficientnet_lite0")
    if packaged:
        return f"{part}: {PACKAGED[part]}"
    if weights == "random":
        return f"{part}: {name}, trained from random weights"
    return f"{part}: {name}{f', weights {weights}' if weights else ''}: as those who published it say"


def _policy(run: Run) -> Mapping[str, Any]:
    node: Any = run.config
    for key in ("algo", "init_args", "policy", "init_args"):
        node = mapping(node).get(key)
    return mapping(node)


def _unit(name: str, told: Mapping[str, Any]) -> str:
    """Of a signal: from the conventions of its Spec, or by its name."""
    kinds = {"quat": "quaternion", "wrench": "wrench", "camera_": "camera"}
    meaning = next((told[kind] for part, kind in kinds.items() if part in name and kind in told), None)
    return str(meaning or UNITS.get(name, "as in the data set"))


def _shape(shape: Any) -> str:
    return "×".join(map(str, shape)) if isinstance(shape, list) and shape else "()"
