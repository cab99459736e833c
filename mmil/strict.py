"""A YAML file of options, read strictly: a mapping, whose keys are each said once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mmil.contracts import UserError


def read_options(path: Path) -> dict[str, Any]:
    """The options in a file; whatever else it holds is refused in a line that says where."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        tree, found = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise UserError(f"{path} holds {_kind(found)}; it needs options, as `epochs: 20`, a line each")
    for twice in _twice(tree):
        raise UserError(f"{path}, line {twice.start_mark.line + 1}: {twice.value!r} is said a second time")
    return found


def _kind(found: Any) -> str:
    return "nothing" if found is None else f"{type(found).__name__} {str(found)!r:.60}"


def _twice(node: Any) -> Iterator[yaml.ScalarNode]:
    """Keys that their mapping has already had."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)
    if isinstance(node, yaml.MappingNode):
        had: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in had and key.value != "<<":
                yield key
            had |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
            yield from _twice(value)
