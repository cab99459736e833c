"""What a rule has learnt, in a file of tensors: nothing in it is run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch

from mmil.contracts import UserError
from mmil.data.shards import write_atomic


def keep(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    from safetensors.torch import save

    write_atomic(path, save({name: value.contiguous() for name, value in tensors.items()}))
    return path


def kept(path: Path | None, *names: str) -> dict[str, torch.Tensor]:
    """The tensors of these names; UserError where there is no such file."""
    if path is None:
        raise UserError("the rule has learnt nothing yet; give the `path` of what it keeps")
    found = _read(Path(path), Path(path).stat().st_mtime_ns if Path(path).is_file() else 0)
    if missing := [name for name in names if name not in found]:
        raise UserError(f"{path} holds no {', '.join(missing)}; it holds {', '.join(found)}: another rule wrote it")
    return found


@lru_cache(maxsize=4)
def _read(path: Path, written: int) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {str(error)[:200]}") from None
