"""Which formats there are: what a source is, and who reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_tools.convert.given import Given
from data_tools.convert.hdf5 import SUFFIXES
from data_tools.convert.notes import Notes
from data_tools.convert.takes import Format, Header, Sink, Source, Writing
from mmil.contracts import UserError
from mmil.data.dataset import GENERATION, MANIFEST

REPORT_IN: dict[Format, str] = {"mmil": "conversion.json", "lerobot": "meta/mmil/conversion.json"}  # of a folder
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def detect(path: Path) -> Format:
    """What a source is, by what it holds."""
    if path.is_dir():
        if (path / MANIFEST).is_file() or (path / GENERATION).is_file():
            return "mmil"
        if (path / "meta" / "info.json").is_file():
            return "lerobot"
        if any(file.suffix in SUFFIXES for file in path.iterdir()):
            return "robomimic"
    elif path.is_file():
        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                return "robomimic"
    else:
        raise UserError(f"there is nothing at {path}")
    raise UserError(
        f"{path} is none of: a folder of ours ({MANIFEST}), a LeRobotDataset (meta/info.json), an HDF5 file or a "
        f"folder of them (*{', *'.join(SUFFIXES)})"
    )


def open_source(kind: Format, path: Path, *, given: Given, notes: Notes) -> Source:
    if not path.exists():
        raise UserError(f"there is nothing at {path}")
    if kind == "mmil":
        from data_tools.convert.from_shards import ShardSource

        _say_nothing(given, path)
        return ShardSource(path)
    if kind == "robomimic":
        from data_tools.convert.from_robomimic import RobomimicSource
        from data_tools.convert.hdf5 import survive
        from data_tools.convert.own_robomimic import OwnRobomimicSource, is_own
        from data_tools.convert.robomimic_files import hdf5_files

        survive(hdf5_files(path))
        if is_own(path):
            _say_nothing(given, path)
            return OwnRobomimicSource(path, notes)
        return RobomimicSource(path, given, notes)
    from data_tools.convert.from_lerobot import LeRobotSource
    from data_tools.convert.own_lerobot import OwnLeRobotSource, is_own_folder

    if is_own_folder(path):
        _say_nothing(given, path)
        return OwnLeRobotSource(path, notes)
    return LeRobotSource(path, given, notes)


def open_sink(
    kind: Format, path: Path, header: Header, *, config: Mapping[str, Any], writing: Writing, notes: Notes
) -> Sink:
    if kind == "mmil":
        from data_tools.convert.to_shards import ShardSink

        return ShardSink(path, header, config, per_shard=writing.per_shard, notes=notes)
    if kind == "robomimic":
        from data_tools.convert.to_robomimic import RobomimicSink

        return RobomimicSink(path, header, config, notes=notes)
    from data_tools.convert.to_lerobot import LeRobotSink

    return LeRobotSink(path, header, config, writing=writing, notes=notes)


def _say_nothing(given: Given, path: Path) -> None:
    """What mmil wrote says everything itself."""
    said = list(given.said)
    if said:
        raise UserError(f"{path} was written by mmil and says it all; leave out --{said[0]}")
