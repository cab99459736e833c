"""A corrected head is the head it corrects until something reinforces it; what it is shifted by can be found again."""

import pytest
import torch

from mmil.contracts import UserError
from mmil.heads import Corrected, Mixture

SIZE, CHUNK, STEPS = 6, (6, 3), 4


@pytest.fixture
def head():
    torch.manual_seed(0)
    return Corrected(SIZE, CHUNK, head=Mixture, width=16)


def test_until_it_is_reinforced_it_is_its_head(head):
    context, actions = torch.randn(7, SIZE), torch.rand(7, *CHUNK)
    valid = torch.ones(7, CHUNK[0], dtype=torch.bool)
    assert torch.equal(head.sample(context), head.head.sample(context))
    assert torch.equal(head.loss(context, actions, valid), head.head.loss(context, actions, valid))
    assert not any(value.requires_grad for value in head.actor.parameters())


def test_shifts_touch_the_actions_that_are_done_before_the_next_plan(head):
    context, shift = torch.randn(7, SIZE), torch.full((7, head.numbers), 0.3)
    lead = head.lead(context)
    actions = head.shifted(lead, shift)
    assert torch.equal(actions[:, STEPS:], lead[:, STEPS:]) and (actions[:, :STEPS] != lead[:, :STEPS]).any()
    assert actions.abs().max() <= 1


def test_anything_can_be_done_whatever_leads(head):
    lead = head.lead(torch.randn(50, SIZE))
    wanted = torch.rand(50, STEPS, CHUNK[1]) * 1.8 - 0.9
    done = head.shifted(lead, head.shift_to(lead, wanted))[:, :STEPS]
    assert torch.allclose(done, wanted, atol=1e-5)


def test_no_further_than_it_reaches():
    head = Corrected(SIZE, CHUNK, head=Mixture, width=16, reach=0.3)
    lead = head.lead(torch.randn(50, SIZE))
    for shift in (-1.0, 1.0):
        moved = head.shifted(lead, torch.full((50, head.numbers), shift)) - lead
        assert 0.2 < moved.abs().max() <= 0.3 + 1e-6
    wanted = lead[:, :STEPS] + 0.1
    assert torch.allclose(head.shifted(lead, head.shift_to(lead, wanted))[:, :STEPS], wanted.clamp(-1, 1), atol=1e-5)
    head.follow(spread=0.5)
    assert float(head.reach) == 1.0


def test_held_it_shifts_all_that_is_done_before_the_next_plan_alike():
    head = Corrected(SIZE, CHUNK, head=Mixture, width=16, held=True)
    assert head.numbers == CHUNK[1]
    lead, shift = 0.1 * head.lead(torch.randn(9, SIZE)), torch.rand(9, head.numbers) - 0.5
    moved = (head.shifted(lead, shift) - lead)[:, :STEPS]
    inside = head.shifted(lead, shift)[:, :STEPS].abs().amax(dim=(1, 2)) < 1
    assert inside.any() and torch.allclose(moved[inside], 2 * shift[inside, None].expand(-1, STEPS, -1), atol=1e-5)
    found = head.shift_to(lead, head.shifted(lead, shift)[:, :STEPS])
    assert torch.allclose(found[inside], shift[inside].clamp(-0.98, 0.98), atol=1e-5)


def test_without_a_lead_the_shift_is_the_action(head):
    head.follow(spread=0.5)
    assert head.spread == 0.5
    context, shift = torch.randn(4, SIZE), torch.rand(4, head.numbers) * 2 - 1
    lead = head.lead(context)
    assert not lead.any() and not head.sample(context).any()
    assert torch.allclose(head.shifted(lead, shift)[:, :STEPS].flatten(1), shift)
    _, scale = head.actor(head.situation(context, lead))
    assert torch.allclose(scale, torch.tensor(0.5))
    again = Corrected(SIZE, CHUNK, head=Mixture, width=16)
    again.load_state_dict(head.state_dict())  # as a run that is loaded
    assert not again.sample(context).any()


def test_as_many_actions_are_shifted_as_are_done_of_a_chunk():
    assert [Corrected(SIZE, (chunk, 3)).steps for chunk in (1, 3, 4, 8)] == [1, 3, 4, 4]


@pytest.mark.parametrize("wrong", [{"spread": 0.0}, {"spread": 1.0}, {"width": 0}, {"reach": 0.0}, {"reach": 3.0}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Corrected(SIZE, CHUNK, **wrong)
