"""One episode as the members of a WebDataset sample, and back.

<key>.json                    what a person asks about it: seed, goal, instruction, outcome, draws …
<key>.npz                     actions, labels, rewards, states, signals/<name>, privileged/<name>
<key>.<camera>.<frame>.jpg    T+1 frames a camera, quality 95, 4:4:4
<key>.<camera>.<stream>.<frame>.png   T+1 frames of its depth or segmentation, where there is any: see maps.py
What an episode had in another format and has no field here lies under "extras" in both, where nobody trips over it.
The same episode gives the same bytes. Nothing here unpickles.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmil.contracts import Episode, Goal, Spec, Thing, UserError, camera_of, spans_told
from mmil.data import maps
from mmil.data.jpeg import decode_frame, encode_frame
from mmil.data.schema import NAME, SAMPLE, misfit

BLOCK = tarfile.BLOCKSIZE
LARGEST = 1 << 29  # [bytes] that the arrays of an episode may unpack to
_FRAME = re.compile(rf"[a-z0-9_-]+(?:\.\d{{4,}}\.jpg|{maps.FILE})")
_ARRAYS = ("actions", "labels", "rewards", "states")


@dataclass(frozen=True)
class Extras:
    """What an episode held in the format it came from and an Episode has no field for: kept for the way back."""

    about: Mapping[str, Any] = field(default_factory=dict)  # JSON values
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)  # of any dtype but object


def encode_episode(
    episode: Episode,
    *,
    attempts: int,
    quality: int = 95,
    frames: Mapping[str, Sequence[bytes]] | None = None,
    extras: Extras | None = None,
) -> bytes:
    """The episode as tar members without an end of archive; `attempts` is how many it took to get it.

    frames: JPEGs of each camera, in order, where they are at hand; they are written as they are.
    """
    for name in (episode.scene, *episode.images):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a scene or a camera in a shard; use a-z, 0-9, _ and -")
    extras = extras or Extras()
    members = [
        ("json", encode_json(describe(episode, attempts, extras))),
        ("npz", _encode_arrays(episode, extras)),
    ]
    for camera, images in episode.images.items():
        jpegs = frames[camera] if frames else _encoded(images, quality=quality)
        members += [(frame_name(camera, i), jpeg) for i, jpeg in enumerate(jpegs)]
    for name, frames_of in episode.maps.items():
        members += [(maps.map_file(name, i), maps.encode_map(frame)) for i, frame in enumerate(frames_of)]
    return b"".join(_member(f"{episode.key}.{name}", data) for name, data in members)


def _encoded(images: np.ndarray, *, quality: int) -> Iterator[bytes]:
    """The frames of a camera as JPEGs; one that is shown again (lost, or of a slow camera) is encoded once."""
    last, jpeg = None, b""
    for image in images:
        if last is None or not np.array_equal(image, last):
            last, jpeg = image, encode_frame(image, quality=quality)
        yield jpeg


def decode_extras(sample: Mapping[str, Any]) -> Extras:
    """What a sample keeps for the format it came from; nothing in one that was made here."""
    return Extras(json.loads(sample["json"]).get("extras", {}), _under("extras/", decode_arrays(sample["npz"])))


def decode_sample(sample: Mapping[str, Any]) -> Episode:
    """The episode of an undecoded sample: {"json": bytes, "npz": bytes, "front.0000.jpg": bytes, …}.

    Keys with leading underscores, which webdataset adds, are passed over.
    """
    description = json.loads(sample["json"])
    if reason := misfit(description, SAMPLE):
        raise UserError(f"its json does not describe an episode: {reason}")
    known = {"json", "npz", *_frames(description)}
    if strange := sorted(name for name in sample if not name.startswith("_") and name not in known):
        raise UserError(f"it holds {', '.join(map(repr, strange[:3]))}, which no episode has")
    arrays = decode_arrays(sample["npz"])
    instants = range(description["steps"] + 1)
    images = {
        camera: np.stack([decode_frame(sample[frame_name(camera, i)]) for i in instants])
        for camera in description["cameras"]
    }
    sizes = {camera: frames.shape[1:3] for camera, frames in images.items()}
    return compose(description, arrays, images, decode_maps(sample, description, sizes))


def decode_maps(
    sample: Mapping[str, Any], description: Mapping[str, Any], sizes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Depth and segmentation of a sample; `sizes` are those of its cameras' pictures, which they share."""
    names, instants = description.get("maps") or (), range(description["steps"] + 1)
    if strange := [name for name in names if camera_of(name) not in sizes]:
        raise UserError(f"it has a map {strange[0]}, but no such camera; there are {', '.join(sizes)}")
    return {
        name: np.stack(
            [maps.decode_map(sample[maps.map_file(name, i)], name, sizes[camera_of(name)]) for i in instants]
        )
        for name in names
    }


def compose(
    description: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    images: Mapping[str, np.ndarray],
    measured: Mapping[str, np.ndarray],
) -> Episode:
    """The episode of a sample's json and npz, of its pictures and of its maps."""
    return Episode(
        scene=description["scene"],
        seed=description["seed"],
        goal=Goal.from_json(description["goal"]),
        instruction=description["instruction"],
        split=description["split"],
        outcome=description["outcome"],
        things=tuple(Thing(**thing) for thing in description["things"]),
        draws=description["draws"],
        measures=description.get("measures") or {},
        images=images,
        signals=_under("signals/", arrays),
        privileged=_under("privileged/", arrays),
        **{name: arrays[name] for name in _ARRAYS},
        quality=description.get("quality", "expert"),
        provenance=description.get("provenance") or {},
        maps=measured,
        references=tuple(description.get("references") or ()),
        labelled=spans_told(description.get("labelled")),
    )


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def complete(sample: Mapping[str, Any]) -> bool:
    """Whether a sample has every member its description promises."""
    if "json" not in sample or "npz" not in sample:
        return False
    description = json.loads(sample["json"])
    return set(_frames(description)) == {name for name in sample if _FRAME.fullmatch(name)}


def _frames(description: Mapping[str, Any]) -> Iterator[str]:
    """The names of its pictures and maps."""
    for i in range(description["steps"] + 1):
        yield from (frame_name(camera, i) for camera in description["cameras"])
        yield from (maps.map_file(name, i) for name in description.get("maps") or ())


def split_members(data: bytes) -> tuple[str, dict[str, bytes]]:
    """Key and members of the one sample whose tar members are `data`."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            files = {member.name: member_content(tar, member) for member in tar}
    except tarfile.TarError as error:
        raise UserError(f"not the tar members of a sample: {error}") from None
    keys = {name.partition(".")[0] for name in files}
    if len(keys) != 1:
        raise UserError(f"expected the members of one sample, got {len(keys)}: {', '.join(sorted(keys)[:3])}")
    return keys.pop(), {name.partition(".")[2]: content for name, content in files.items()}


def member_content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    require_plain(member)
    file = tar.extractfile(member)
    assert file is not None, "a plain file has content"
    return file.read()


def require_plain(member: tarfile.TarInfo) -> None:
    """Refuse links, devices, folders, sparse files and headers that change the meaning of the next one."""
    if member.type != tarfile.REGTYPE or member.pax_headers:
        kinds = {tarfile.SYMTYPE: "a link", tarfile.LNKTYPE: "a link", tarfile.DIRTYPE: "a folder"}
        raise UserError(f"{member.name[:60]!r} is {kinds.get(member.type, 'something else')}, not a plain file")


def per_frame(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Arrays an episode has for each of its T+1 frames beside images: name in its npz → shape of one frame."""
    kinds = {"signals": spec.signals, "privileged": spec.privileged}
    return {f"{kind}/{name}": shape for kind, names in kinds.items() for name, shape in names.items()}


def frame_name(camera: str, frame: int) -> str:
    return f"{camera}.{frame:04d}.jpg"


def decode_arrays(data: bytes, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an npz member, all or those named; numpy refuses pickled ones."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        if missing := [name for name in names or () if name not in arrays.files]:
            raise UserError(f"an episode has no {', '.join(missing)}; it has {', '.join(arrays.files)}")
        if (unpacked := sum(entry.file_size for entry in arrays.zip.infolist())) > LARGEST:
            raise UserError(f"its arrays unpack to {unpacked / 1e6:.0f} MB; an episode has {LARGEST / 1e6:.0f} at most")
        return {name: arrays[name] for name in (arrays.files if names is None else names)}


def encode_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def describe(episode: Episode, attempts: int, extras: Extras) -> dict[str, Any]:
    """The json of a sample."""
    description: dict[str, Any] = {
        "scene": episode.scene,
        "seed": episode.seed,
        "goal": episode.goal.to_json(),
        "instruction": episode.instruction,
        "split": episode.split,
        "outcome": episode.outcome,
        "things": [vars(thing) for thing in episode.things],
        "draws": dict(episode.draws),
        "measures": {name: float(value) for name, value in episode.measures.items()},
        "quality": episode.quality,
        "provenance": dict(episode.provenance),
        "steps": len(episode.actions),
        "cameras": list(episode.images),
        "attempts": attempts,
    }
    if episode.maps:
        description["maps"] = list(episode.maps)
    if episode.references:
        description["references"] = list(episode.references)
    if episode.labelled is not None:
        description["labelled"] = [list(span) for span in episode.labelled]
    return {**description, "extras": dict(extras.about)} if extras.about else description


def _encode_arrays(episode: Episode, extras: Extras) -> bytes:
    arrays = {name: getattr(episode, name) for name in _ARRAYS}
    arrays |= {f"signals/{name}": array for name, array in episode.signals.items()}
    arrays |= {f"privileged/{name}": array for name, array in episode.privileged.items()}
    arrays |= {f"extras/{name}": array for name, array in extras.arrays.items()}
    return _npz(arrays.items())


def _npz(arrays: Iterable[tuple[str, np.ndarray]]) -> bytes:
    """What np.savez_compressed writes, without the time of day in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays:
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue(), compresslevel=6)
    return buffer.getvalue()


def _member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)  # time, user and group 0, mode 0644
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + b"\0" * (-len(data) % BLOCK)
