"""Parts of a sample are hidden as often as asked, never all of its cameras, and nothing at evaluation."""

import pytest
import torch

from mmil.contracts import UserError
from mmil.encoders.hiding import Hiding
from tests.learning import SPEC, tiny_batch, tiny_policy, unit_stats

CAMERAS = ("front", "wrist", "side")


def hiding(**shares) -> Hiding:
    return Hiding(shares, cameras=CAMERAS, others=("signals", "wrench"), width=4)


def hidden(tokens: torch.Tensor) -> torch.Tensor:
    """(B,), of tokens that were all ones."""
    whole = (tokens == 0).flatten(1)
    assert (whole.all(dim=1) == whole.any(dim=1)).all()  # all observations and cells of a sample, or none
    return whole.all(dim=1)


def test_cameras_are_hidden_one_by_one_and_never_all():
    torch.manual_seed(0)
    visual = {name: torch.ones(4000, 2, 3, 4) for name in CAMERAS}
    for share in (0.2, 0.9):
        gone = torch.stack([hidden(tokens) for tokens in hiding(cameras=share).seen(visual).values()])
        assert gone.sum(dim=0).max() == 2
        expected = share - share**3 / 3  # one of three stays where all would go
        assert gone.float().mean(dim=1).tolist() == pytest.approx([expected] * 3, abs=0.03)
    alone = Hiding({"cameras": 0.9}, cameras=["front"], others=(), width=4).seen({"front": visual["front"]})
    assert not hidden(alone["front"]).any()


def test_other_parts_are_hidden_in_their_share_and_learn_what_stands_for_them():
    torch.manual_seed(0)
    part, tokens = hiding(wrench=0.3), torch.ones(4000, 2, 4)
    assert hidden(part.told("wrench", tokens)).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert part.told("signals", tokens) is tokens and list(part.tokens) == ["wrench"]
    part.told("wrench", tokens).sum().backward()
    assert (part.tokens["wrench"].grad > 0).all()


def test_nothing_is_hidden_at_evaluation():
    part, tokens = hiding(wrench=0.9, cameras=0.9).eval(), torch.ones(50, 2, 4)
    assert part.told("wrench", tokens) is tokens
    assert all(seen is tokens for seen in part.seen(dict.fromkeys(CAMERAS, tokens)).values())


@pytest.mark.parametrize(
    ("shares", "message"),
    [({"ears": 0.1}, "no part 'ears' to hide; there are cameras, signals, wrench"), ({"wrench": 1.0}, "wrench: 1.0")],
)
def test_what_cannot_be_hidden_is_refused(shares, message):
    with pytest.raises(UserError, match=message):
        hiding(**shares)


def test_a_policy_hides_in_training_alone_and_an_old_one_has_no_token():
    def policy(**options):
        torch.manual_seed(0)
        return tiny_policy(**options)(SPEC, unit_stats())

    batch = tiny_batch(16, cached=True)
    plain, hides = policy(), policy(hide={"cameras": 0.5, "signals": 0.5, "wrench": 0.5})
    assert hides.state_dict().keys() - plain.state_dict().keys() == {
        f"hiding.tokens.{name}" for name in ("front", "wrist", "signals", "wrench")
    }
    assert torch.equal(plain.eval().context(batch).vector, hides.eval().context(batch).vector)
    vectors = [hides.train().context(batch).vector for _ in range(2)]
    assert not torch.equal(*vectors)
    hides.loss(batch).backward()
    assert all(token.grad is not None for token in hides.hiding.tokens.values())
