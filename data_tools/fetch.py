"""A data set from an object store into a folder, where policies read it again and again at no cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_tools.folder import refuse_foreign
from data_tools.quarantine import QUARANTINE
from mmil.contracts import UserError
from mmil.data.dataset import GENERATION, INDEX, MANIFEST, Dataset
from mmil.data.shards import damage
from mmil.data.store import Folder, Store
from mmil.progress import progress

CHUNK = 2**24  # [bytes] in memory


def fetch(*, place: Path | str, out: Path) -> Dataset:
    """Copy the data set at `place` to the folder `out`, the manifest last; what is there already and whole is kept."""
    source, target = Dataset.open(place), Folder(out)
    manifest, names = source.store.read(MANIFEST), target.sizes()
    refuse_foreign(target, INDEX)
    if MANIFEST in names and target.read(MANIFEST) != manifest:
        raise UserError(f"{out} holds another data set than {source.store}: name a new folder")
    shards = source.manifest["shards"]
    with target.hold():
        for name in (INDEX, GENERATION, QUARANTINE):
            if name in source.store.sizes():
                target.write(name, source.store.read(name))
        for shard in progress(shards, "fetch", total=len(shards), unit="shards"):
            path, about = out / shard["name"], {"size": shard["bytes"], "sha256": shard["sha256"]}
            if damage(path, **about):
                target.write(shard["name"], _chunks(source.store, shard["name"]))
                if line := damage(path, **about):
                    raise UserError(f"{source.store}: {line}")
        target.write(MANIFEST, manifest)
    return Dataset.open(out)


def _chunks(store: Store, name: str) -> Iterator[bytes]:
    with store.open(name) as file:
        while chunk := file.read(CHUNK):
            yield chunk
