"""Attempts on disk and in memory: what torchrl is told of them, and who is recalled how often."""

import pytest
import torch

from mmil.contracts import UserError
from mmil.reinforcing.attempt import Attempt, keep, kept
from mmil.reinforcing.memory import Memory


def attempt(decisions: int = 3, *, decided: bool = True, wanted: bool = False, value: float = 0.0) -> Attempt:
    torch.manual_seed(decisions)
    return Attempt(
        situations=torch.arange(4.0 * (decisions + 1)).reshape(decisions + 1, 4),
        shifts=torch.rand(decisions, 2),
        rewards=torch.full((decisions,), value),
        decided=decided,
        success=decided,
        steps=4 * decisions,
        wanted=torch.ones(decisions, 2) if wanted else None,
    )


def same(one: Attempt, other: Attempt) -> bool:
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def test_what_is_kept_is_found_again(tmp_path):
    every = [attempt(3), attempt(1, decided=False), attempt(5, wanted=True), attempt(0)]
    found = kept(keep(tmp_path / "round.safetensors", every))
    assert len(found) == 4 and all(same(*pair) for pair in zip(every, found, strict=True))


def test_a_damaged_file_says_so(tmp_path):
    path = keep(tmp_path / "round.safetensors", [attempt()])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="holds no attempts that can be read"):
        kept(path)


@pytest.mark.parametrize("decided", [True, False])
def test_time_that_runs_out_ends_no_world(decided):
    told = attempt(3, decided=decided).transitions()
    assert told["next", "done"][:, 0].tolist() == [False, False, True]
    assert told["next", "terminated"][:, 0].tolist() == [False, False, decided]
    assert torch.equal(told["situation"][1:], told["next", "situation"][:-1])


def test_a_share_of_what_is_recalled_was_shown():
    memory = Memory(shown=0.25)
    memory.show([attempt(5, wanted=True, value=1.0)])
    assert shown(memory) == 8  # nothing was tried yet
    memory.add([attempt(3), attempt(0), attempt(2)])
    assert shown(memory) == 2 and len(memory.recall(8)) == 8
    assert torch.equal(memory.recall_shown(2)["wanted"], torch.ones(2, 2))


def shown(memory: Memory) -> int:
    """Of eight that are recalled, how many were shown: their rewards say so."""
    return int(memory.recall(8)["next", "reward"].sum())


def test_what_is_not_finite_is_noticed():
    assert attempt().finite and not attempt(value=float("nan")).finite
