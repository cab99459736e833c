"""What a data set holds out stays unknown to the policy, whatever else it learns from."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.algos.start import Start
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.language.compositions import Compositions


def require_held_out(datasets: Sequence[Dataset]) -> None:
    """Refuse data that show what the first of them holds out: read with it, nothing would be held out."""
    first, *others = datasets
    held = _held_out(first)
    for other in others:
        if shown := sorted({str(row.goal) for row in other.rows if held.excludes(row.goal)}):
            raise UserError(
                f"{first.path} holds out what {other.path} shows in {len(shown)} goals, as {shown[0]}: make that with "
                "the same held-out compositions"
            )


def known_before(before: Start, dataset: Dataset) -> list[str]:
    """A line where the run that is begun with may have learnt what this data set holds out."""
    folder, held = before.folder, _held_out(dataset).held_out
    there = Compositions.of(folder.data.get("config"), where=str(folder.path)).held_out
    shown = [str(one) for one in held if one not in there]
    if not shown:
        return []
    return [f"its data did not hold out {'; '.join(shown[:3])} ({len(shown)} of {len(held)}): it may know them"]


def _held_out(dataset: Dataset) -> Compositions:
    return Compositions.of(dataset.manifest["config"], where=str(dataset.path))
