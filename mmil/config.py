"""The typed parser of every verb: a function's signature is the schema of its YAML and of its options."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from mmil.contracts import Actor, Scene, UserError
from mmil.strict import read_options

PROJECT = Path(__file__).parents[1]  # a clone holds configs/ here; so does a wheel's site-packages


@dataclass(frozen=True)
class Parsed:
    """`options`: keyword arguments with objects in them. `resolved`: the same as JSON values, defaults included."""

    options: dict[str, Any]
    resolved: dict[str, Any]


class _Parser(ArgumentParser):
    """Errors become one line, and help does not build what defaults name."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise UserError(one_line(message)) from ex


def parse(
    function: Callable[..., Any],
    arguments: Sequence[str],
    *,
    verb: str,
    positional: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> Parsed:
    """Options of `function` from --config files, in order, and the command line; UserError where one is off."""
    parser = _parser(function, verb=verb, positional=positional, skip=skip)
    parser.add_argument("--config", action="config", help="YAML with any of the options; later ones win")
    told = [_existing(part) for part in arguments]
    for path in _configs(told):
        read_options(path)
    try:
        found = parser.parse_args(told)
    except (ArgumentError, TypeError, ValueError) as error:
        raise UserError(one_line(str(error))) from None
    found.pop("config", None)
    return Parsed(dict(vars(_instantiate(parser, found))), _plain(parser, found))


def rebuild(function: Callable[..., Any], resolved: Mapping[str, Any], *, skip: Sequence[str] = ()) -> dict[str, Any]:
    """The options again, as objects, from what parse() resolved; as checkpoints and data sets store it."""
    parser = _parser(function, verb="", positional=(), skip=skip)
    try:
        return dict(vars(_instantiate(parser, parser.parse_object(dict(resolved)))))
    except (ArgumentError, TypeError, ValueError) as error:
        raise UserError(one_line(str(error))) from None


def _parser(function: Callable[..., Any], *, verb: str, positional: Sequence[str], skip: Sequence[str]) -> _Parser:
    summary = (function.__doc__ or "").strip().splitlines()[0] if function.__doc__ else None
    parser = _Parser(prog=f"mmil {verb}", description=summary, exit_on_error=False, default_env=False)
    for name in positional:
        # a plural name takes one or more
        parser.add_argument(name, type=Path, nargs="+" if name.endswith("s") else None)
    parser.add_function_arguments(function, skip={*skip, *positional})
    return parser


def _instantiate(parser: _Parser, found: Namespace) -> Namespace:
    _require_classes(_plain(parser, found))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parser.instantiate(found)


def _plain(parser: _Parser, found: Namespace) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return json.loads(parser.dump(found, format="json", skip_none=False))


def _require_classes(node: Any) -> None:
    """Of what a config names, refuse functions: the parser would call any of them, be it one that runs a command."""
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _require_classes(part)
    name = node.get("class_path") if isinstance(node, dict) else None
    if isinstance(name, str) and not isinstance(_named(name), type):
        raise UserError(f"{name} is no class, so it is no part of a config")


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        raise UserError(f"{path} cannot be imported: {error}") from None


def _configs(arguments: Sequence[str]) -> list[Path]:
    """Files that --config names, whichever way; what begins with a brace are options, and too long for a name."""
    after = [value for name, value in pairwise(arguments) if name == "--config"]
    joined = [part.removeprefix("--config=") for part in arguments if part.startswith("--config=")]
    named = [config for config in (*after, *joined) if not config.lstrip().startswith("{")]
    return [path for path in map(Path, named) if path.exists()]


def _existing(argument: str) -> str:
    """configs/… also from a folder that is not the project's."""
    if argument.startswith("configs/") and not Path(argument).exists() and (PROJECT / argument).exists():
        return str(PROJECT / argument)
    return argument


def one_line(message: str) -> str:
    """What was wrong, without the parser's dump of everything that was right."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = " ".join(line for line in lines if not re.match(r"^(usage:|Type (typing|collections)\S* expects)", line))
    text = re.sub(r"\.? ?Got value: ?(Namespace\(|\{'class_path).*$", "", text or message)
    text = re.sub(
        r"Type (typing|collections\.abc)\.Callable\S*( \S+)*? expects a function or a callable class: ?", "", text
    )
    return (text.strip().rstrip(".") + _what_exists(text)).strip()


def _what_exists(text: str) -> str:
    """The names of a module that was asked for another one."""
    asked = re.search(r"module '([\w.]+)' has no attribute", text)
    if asked is None:
        return ""
    names = getattr(importlib.import_module(asked[1]), "__all__", ())
    return f"; there are {', '.join(f'{asked[1]}.{name}' for name in names)}" if names else ""


def build_scene(node: Mapping[str, Any]) -> Scene:
    """The scene that a `scene:` node of a config names."""

    def holder(*, scene: Callable[[], Scene]) -> None: ...

    return rebuild(holder, {"scene": dict(node)})["scene"]()


def build_actor(node: Mapping[str, Any]) -> Actor:
    """The actor that an `actor:` node of a config names."""

    def holder(*, actor: Callable[[], Actor]) -> None: ...

    return rebuild(holder, {"actor": dict(node)})["actor"]()


def expert_of(made_with: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The config of who labelled data that were made with this config: whoever was named to, or who labels the actor.

    where: says in the error whose data name nobody.
    """
    node = made_with.get("expert") or made_with.get("actor")
    while isinstance(node, Mapping) and isinstance(own := (node.get("init_args") or {}).get("expert"), Mapping):
        node = own
    if not isinstance(node, Mapping):
        raise UserError(f"{where} do not say by which expert they were made; generate some that do")
    return dict(node)


def scene_of(path: Path) -> Callable[[], Scene] | None:
    """How to build the scene a data set was made in; None where its manifest cannot say."""
    try:
        node = json.loads((path / "manifest.json").read_text())["config"]["scene"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return partial(build_scene, node)
