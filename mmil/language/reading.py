"""The edge where a file a person wrote becomes data, or a message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mmil.contracts import UserError

LIMIT = 1_000_000  # [bytes]


class _Loader(yaml.SafeLoader):
    """The safe loader, which also refuses a key given twice instead of dropping the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:
    """What the YAML file `path` holds: plain values only, at most 1 MB."""
    content = _read(Path(path))
    if len(content) > LIMIT:
        raise UserError(f"{path}: above 1 MB, at most {LIMIT} bytes are read")
    try:
        return yaml.load(content.decode("utf-8"), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or no such date
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())[:300]}") from error


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():  # asked first: opening a pipe would wait for ever
            found = "not a file" if path.exists() else "no such file"
            raise UserError(f"{path}: {found}; a YAML file is needed")
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
