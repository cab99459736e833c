"""What is done to batches as wholes: putting two together, taking a part."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from mmil.contracts import Batch


def merge(batches: Iterable[Batch], *, batch_size: int) -> Iterator[Batch]:
    """Whole batches as they are; the small last ones of the workers put together, and what remains of them last."""
    rest: Batch | None = None
    for batch in batches:
        if len(batch.valid) == batch_size:
            yield batch
            continue
        rest = batch if rest is None else _zip(_join, rest, batch)
        if len(rest.valid) >= batch_size:
            yield _zip(lambda one: one[:batch_size], rest)
            rest = _zip(lambda one: one[batch_size:], rest)
    if rest is not None and len(rest.valid):
        yield rest


def _zip(function: Callable[..., Any], *batches: Batch) -> Batch:
    """The batch whose every tensor and every list of sentences is `function` of those of the batches."""
    fields: dict[str, Any] = {}
    for item in dataclasses.fields(Batch):
        values = [getattr(batch, item.name) for batch in batches]
        if isinstance(values[0], dict):
            fields[item.name] = {name: function(*(value[name] for value in values)) for name in values[0]}
        elif values[0] is None:
            fields[item.name] = None
        else:
            fields[item.name] = function(*values)
    return Batch(**fields)


def _join(first: Any, second: Any) -> Any:
    return first + second if isinstance(first, list) else torch.cat([first, second])
