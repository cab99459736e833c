"""What every test of a refusal asks: one line, nothing half-written, and the rest came through."""

import json

import pytest

from data_tools.convert.conversion import convert
from data_tools.verify import verify
from mmil.contracts import UserError
from mmil.data.dataset import Dataset


def refused(source, out=None, **options) -> str:
    """The one line that is said, after making sure that nothing was written."""
    out = out or source.parent / "out"
    before = sorted(source.parent.iterdir())
    with pytest.raises(UserError) as error:
        convert(**{"source": source, "to": "mmil", "out": out, **options})
    assert sorted(source.parent.iterdir()) == before and "\n" not in str(error.value)
    return str(error.value)


def quarantined(source, **options) -> dict[str, str]:
    """{episode: reason}; the others must have come through and hold."""
    out = source.parent / "out"
    done = convert(source=source, to="mmil", out=out, **options)
    assert done.episodes + len(done.notes.unfit) == 3
    if done.episodes:
        assert verify(out, workers=1) == [] and len(Dataset.open(out)) == done.episodes
        told = json.loads((out / "conversion.json").read_text())["quarantined"]
        assert told == [{"episode": name, "reason": reason} for name, reason in done.notes.unfit]
    else:
        assert not out.exists() and done.report is None
    return {name.rpartition("/")[2]: reason for name, reason in done.notes.unfit}
