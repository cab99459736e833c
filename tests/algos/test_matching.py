"""The matching lesson is learnt where sentence and actions belong together, and costs nothing without a false one."""

import torch

from mmil.algos.matching import Matching
from mmil.contracts import Batch
from tests.learning import tiny_batch, tiny_module


def batch(sides: torch.Tensor, own: torch.Tensor) -> Batch:
    """Actions to one side; `own` says whether that side was asked for."""
    actions = sides[:, None, None].expand(-1, 4, 3)
    return Batch(images={}, signals={}, instruction=[""], actions=actions, valid=own[:, None].expand(-1, 4))


def test_it_learns_to_tell_what_was_asked_for_from_what_was_not():
    torch.manual_seed(0)
    lesson = Matching(2, (4, 3), width=32)
    optimizer = torch.optim.Adam(lesson.parameters(), lr=0.01)
    for _ in range(150):
        sides, own = torch.randn(64).sign(), torch.rand(64) < 0.7
        asked = torch.where(own, sides, -sides)  # neither the context nor the actions alone say it
        loss = lesson.loss(torch.stack([asked, asked], dim=1), batch(sides, own))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_without_a_false_sentence_there_is_nothing_to_learn():
    lesson, context = Matching(2, (4, 3)), torch.randn(5, 2)
    assert lesson.loss(context, batch(torch.ones(5), torch.ones(5, dtype=torch.bool))) == 0
    assert lesson.loss(context, batch(torch.ones(5), torch.arange(5) > 1)) > 0


def test_it_is_taught_where_it_has_a_weight():
    torch.manual_seed(0)
    module, plain = tiny_module(), tiny_module()
    assert not hasattr(plain, "matching")
    module.matching_weight, module.matching = 0.5, Matching(64, (8, 7))
    half = tiny_batch(4)
    half.valid[2:] = False
    context = module.policy.context(half)
    assert module._lessons(context, half).keys() - plain._lessons(context, half).keys() == {"matching"}
    module._lessons(context, half)["matching"][1].backward()
    assert all(p.grad is not None for p in module.policy.fusion.mix.parameters())  # and so does what it reads
