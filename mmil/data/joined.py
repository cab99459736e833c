"""Several data sets read as one: demonstrations and what was added to them, each in the folder it was made in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.data.shards import Row


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """A view of all their episodes, in order; what a manifest says only once is said by the first of them.

    Rows name their shard by its whole path, so that whoever reads `dataset.path / row.shard` finds it. Refused: another
    Spec than the first's, features of another layout, and an episode that two of them hold.
    """
    first, *others = datasets
    if not others:
        return first
    for other in others:
        _require_alike(first, other)
    manifests = [dataset.manifest for dataset in datasets]
    counted = {name: sum(manifest[name] for manifest in manifests) for name in ("episodes", "steps", "failed_attempts")}
    together = {**first.manifest, **counted, "sentences": _sentences(manifests)}
    return Dataset(first.store, together, first.spec, tuple(_rows(datasets)))


def _require_alike(first: Dataset, other: Dataset) -> None:
    first.spec.require(other.spec, mine=str(first.path), theirs=str(other.path))
    features = [{**dataset.manifest.get("features", {}), "source_sha256": ""} for dataset in (first, other)]
    if features[0] != features[1]:
        raise UserError(f"{first.path} and {other.path} cache other features: {features[0]} != {features[1]}")


def _rows(datasets: Sequence[Dataset]) -> Iterator[Row]:
    there: dict[str, Dataset] = {}
    for dataset in datasets:
        for row in dataset.rows:
            if row.key in there:
                raise UserError(
                    f"{there[row.key].path} and {dataset.path} both hold {row.key}; was one made of the other, or with "
                    "the same seed? Leave one out, or make it with another --seed"
                )
            there[row.key] = dataset
            yield replace(row, index=len(there) - 1, shard=str(dataset.path.absolute() / row.shard))


def _sentences(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of every goal all that is said in any of them, each once."""
    found: dict[str, dict[str, Any]] = {}
    for entry in (entry for manifest in manifests for entry in manifest["sentences"]):
        known = found.setdefault(str(entry["goal"]), {**entry, "sentences": []})
        known["sentences"] = list(dict.fromkeys([*known["sentences"], *entry["sentences"]]))
    return list(found.values())
