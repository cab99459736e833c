"""`mmil convert`: the episodes of one format into another, and a report of what did not come along."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from data_tools.checks import episode_reasons
from data_tools.convert.formats import REPORT_IN, detect, open_sink, open_source
from data_tools.convert.given import Actions, Given, Observed, Row0
from data_tools.convert.notes import Notes
from data_tools.convert.stage import publish, require_free, staged
from data_tools.convert.takes import Format, NothingLeft, Pictures, PixelFormat, Sink, Source, Take, Unfit, Writing
from mmil import __version__
from mmil.contracts import Outcome, Spec, UserError
from mmil.data.sample import describe, encode_json
from mmil.data.shards import write_atomic
from mmil.progress import progress_bar


@dataclass(frozen=True)
class Converted:
    """What stands at `out` now; nothing where no episode could be carried over."""

    out: Path
    report: Path | None
    episodes: int
    steps: int
    notes: Notes


def convert(
    *,
    source: Path,
    to: Format,
    out: Path,
    source_format: Format | None = None,
    control_hz: float | None = None,
    row0: Row0 | None = None,
    observed: Observed | None = None,
    instruction: str | None = None,
    outcome: Outcome | None = None,
    scene: str | None = None,
    action_names: Sequence[str] | None = None,
    actions: Actions = "as_is",
    conventions: dict[str, str] | None = None,
    leave_out: Sequence[str] = (),
    pictures: Pictures | None = None,
    crf: int = 18,
    pix_fmt: PixelFormat = "yuv444p",
    episodes_per_shard: int = 32,
) -> Converted:
    """Write the episodes of `source` to `out` in the format `to`.

    What a source does not say itself is asked for.

    Args:
        source: the demonstrations
        to: the format to write
        out: where to; what is there is left as it is
        source_format: the format to read (what it looks like)
        control_hz: actions a second [Hz]
        row0: where row 0 of its pictures is
        observed: whether obs[t] is seen before or after actions[t]
        instruction: of every episode
        outcome: of every episode
        scene: a name for where it was recorded
        action_names: names of the axes of an action
        actions: what to do where they leave [-1, 1]
        conventions: what action and quaternion mean, in words
        leave_out: observations or features not to carry over
        pictures: how lerobot keeps them
        crf: how much a video may lose: 0 nothing, 51 the most
        pix_fmt: whether a video may lose colour: yuv444p keeps it
        episodes_per_shard: of each tar
    """
    given = Given(
        control_hz=control_hz,
        row0=row0,
        observed=observed,
        instruction=instruction,
        outcome=outcome,
        scene=scene,
        action_names=action_names,
        actions=actions,
        conventions=conventions or {},
        leave_out=tuple(leave_out),
    )
    writing = Writing(pictures=pictures, crf=crf, pix_fmt=pix_fmt, per_shard=episodes_per_shard)
    return _convert(source, out, to=to, kind=source_format, given=given, writing=writing)


def _convert(source: Path, out: Path, *, to: Format, kind: Format | None, given: Given, writing: Writing) -> Converted:
    require_free(out)
    kind, notes = kind or detect(source), Notes()
    if kind == to:
        raise UserError(f"{source} is {to} already; there are {', '.join(get_args(Format))}")
    if to != "lerobot" and writing.pictures is not None:
        raise UserError(f"--pictures says how lerobot keeps them; {to} has one way")
    told = {"from": kind, "source": source.resolve().name, "mmil": __version__, "given": given.said}
    try:
        opened = open_source(kind, source, given=given, notes=notes)
    except NothingLeft as nothing:
        notes.unfit += nothing.reasons
        return Converted(out, None, 0, 0, notes)
    with closing(opened) as reading, staged(out) as stage:
        made, config = stage / "made", {**reading.header.config, "conversion": told}
        sink = open_sink(to, made, reading.header, config=config, writing=writing, notes=notes)
        with closing(sink), _disk(out):
            episodes, steps = _carry(reading, sink, notes)
            if episodes:
                sink.finish()
        if not episodes:
            return Converted(out, None, 0, 0, notes)
        about = {**told, "to": to, "episodes": episodes, "steps": steps, **notes.to_json()}
        report = _report(made, out, inside=REPORT_IN.get(to), about=about)
        publish(made, out)
    return Converted(out, report, episodes, steps, notes)


def _carry(source: Source, sink: Sink, notes: Notes) -> tuple[int, int]:
    """Episode by episode; how many of them, and of their steps, got through."""
    episodes = steps = 0
    seeds: set[int] = set()
    with progress_bar("convert", total=len(source.names), unit="episodes") as advance:
        for index, name in enumerate(source.names):
            try:
                take = source.take(index)
                _require_fit(take, source.header.spec, seeds)
            except Unfit as reason:
                notes.unfit.append((name, str(reason)))
            else:
                sink.add(take)
                seeds.add(take.episode.seed)
                episodes, steps = episodes + 1, steps + len(take.episode.actions)
            advance(f"{len(notes.unfit)} quarantined" if notes.unfit else "")
    return episodes, steps


def _require_fit(take: Take, spec: Spec, seeds: set[int]) -> None:
    """What `mmil verify` would doubt is not carried over, whatever the format."""
    faults = list(episode_reasons(take.episode, spec))
    if take.episode.seed in seeds:
        faults.append(f"its seed {take.episode.seed} is another episode's: the same episode twice?")
    try:
        encode_json(describe(take.episode, take.attempts, take.extras))
    except ValueError as error:  # JSON and HDF5 can spell what is no text
        faults.append(f"it says what cannot be written down: {error}")
    if faults:
        raise Unfit("; ".join(faults[:3]))


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    """Sources turn their troubles into reasons, so that what goes wrong with a file here is the output's."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; nothing half-written was left") from error


def _report(made: Path, out: Path, *, inside: str | None, about: Mapping[str, Any]) -> Path:
    """conversion.json: in a folder that was made, or beside a file."""
    path = made / inside if inside else out.with_name(f"{out.name}.conversion.json")
    write_atomic(path, json.dumps(about, indent=1, ensure_ascii=False).encode() + b"\n")
    return out / inside if inside else path
