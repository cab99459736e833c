"""HDF5 read with suspicion: no link is followed, nothing is unpickled, no array is allocated before it is weighed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from data_tools.convert.takes import LARGEST, Unfit
from mmil.contracts import UserError

SUFFIXES = (".hdf5", ".h5", ".hdf")
LONGEST_TEXT = 16 << 20  # [bytes] of an attribute: a model's XML has some 100 kB
PATIENCE = 60.0  # [s] for what lies in one group of a file, and for opening it
_LINKS = {h5py.SoftLink: "a soft link", h5py.ExternalLink: "an external link"}


def survive(paths: Sequence[Path]) -> None:
    """Walk through the files in a process of their own: the library can hang or die over damaged bytes, and only that.

    What it merely refuses is left for whoever reads the file to tell.
    """
    heard, told = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_walk, args=(paths, told), daemon=True)
    child.start()
    told.close()
    path = paths[0] if paths else Path()
    try:
        while heard.poll(PATIENCE):
            path = heard.recv()
        child.kill()
        raise UserError(f"{path} is damaged: the HDF5 library does not come back from it")
    except EOFError:
        child.join()
    if child.exitcode:
        raise UserError(f"{path} is damaged: the HDF5 library dies of it (signal {-child.exitcode})")


def _walk(paths: Sequence[Path], told: Any) -> None:
    for path in paths:
        try:
            with open_file(path) as file:
                _visit(file, partial(told.send, path))
        except UserError:
            continue


def _visit(group: h5py.Group, alive: Callable[[], None], depth: int = 8) -> None:
    alive()
    try:
        there = names(group)
    except Unfit:
        return
    for name in there:
        try:
            found = child(group, name)
            if isinstance(found, h5py.Dataset):
                weigh(found)
            if found is not None:
                attributes(found)
        except Unfit:
            continue
        if isinstance(found, h5py.Group) and depth:  # a group may hold itself
            _visit(found, alive, depth - 1)


def open_file(path: Path) -> h5py.File:
    """The file, or a line that says why it is none."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} cannot be read as HDF5, it is damaged or cut short: {_first(error)}") from None


def names(group: h5py.Group) -> list[str]:
    """Of what lies in a group."""
    with damage(group.name):
        found = list(group)
        for name in found:
            name.encode()  # a name that is no text is damage too
        return found


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """What lies under `name` in this very file; None where nothing does."""
    with damage(f"{group.name}/{name}"):
        link = group.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            kind = _LINKS.get(type(link), "a link")
            raise Unfit(f"{group.name}/{name} is {kind}; mmil follows none, copy the data into the file")
        return group[name]


def subgroup(group: h5py.Group, name: str) -> h5py.Group | None:
    found = child(group, name)
    if found is not None and not isinstance(found, h5py.Group):
        raise Unfit(f"{found.name} is a dataset where a group belongs")
    return found


def leaves(group: h5py.Group, *, prefix: str = "", depth: int = 4) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every dataset below a group, by its path there; deeper than `depth` nothing is."""
    for name in names(group):
        found = child(group, name)
        if isinstance(found, h5py.Dataset):
            yield prefix + name, found
        elif isinstance(found, h5py.Group) and depth > 1:
            yield from leaves(found, prefix=f"{prefix}{name}/", depth=depth - 1)


def weigh(dataset: h5py.Dataset) -> int:
    """[bytes] that it takes when read; Unfit where it is not plain numbers stored in this file."""
    if dataset.dtype.kind not in "biuf":
        kind = "Python objects or strings" if dataset.dtype.kind == "O" else str(dataset.dtype)
        raise Unfit(f"{dataset.name} holds {kind}, not numbers")
    if dataset.is_virtual or dataset.external:
        raise Unfit(f"{dataset.name} lies in other files; mmil reads none that it was not given")
    if dataset.size and not dataset.id.get_storage_size():
        raise Unfit(f"{dataset.name} says it has the shape {dataset.shape}, but nothing is stored of it")
    size = (dataset.size or 0) * dataset.dtype.itemsize
    if size > LARGEST:
        raise Unfit(f"{dataset.name} says it has the shape {dataset.shape}: {size / 2**30:.1f} GiB, too much to read")
    return size


def read(dataset: h5py.Dataset, rows: slice = slice(None)) -> np.ndarray:
    """Its numbers, in the machine's byte order."""
    weigh(dataset)
    with damage(dataset.name):
        array = np.asarray(dataset[rows] if dataset.ndim else dataset[()])
        return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)


def attributes(node: h5py.Group | h5py.Dataset) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Its attributes: texts and single numbers, and arrays; what is neither is left out."""
    plain: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    with damage(f"the attributes of {node.name}"):
        there = [name for name in node.attrs if name.isprintable()]
    for name in there:
        value = _attribute(node, name)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            arrays[name] = value
        elif isinstance(value, str | int | float | bool):
            plain[name] = value
    return plain, arrays


def table(text: Any, what: str) -> Mapping[str, Any]:
    """A JSON object out of an attribute."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # JSON can spell what is no text
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{what} is a JSON {type(found).__name__}, not an object")
    return found


@contextmanager
def damage(what: str) -> Iterator[None]:
    """Whatever the library makes of damaged bytes becomes a reason."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise Unfit(f"{what} cannot be read: {_first(error)}") from None


def _attribute(node: h5py.Group | h5py.Dataset, name: str) -> Any:
    with damage(f"attribute {name} of {node.name}"):
        if node.attrs.get_id(name).get_storage_size() > LONGEST_TEXT:
            return None
        value = node.attrs[name]
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return value.item() if isinstance(value, np.generic) else value


def _first(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
