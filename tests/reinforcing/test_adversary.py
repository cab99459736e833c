"""A learnt reward leads where the demonstrations went, is restored as it was, and no length of an episode tells it."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from mmil.contracts import UserError
from mmil.reinforcing import PPO, SAC, Adversary
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.experience import Round
from mmil.reinforcing.rl import LATE, alarm
from mmil.rewards import AIRL, GAIL
from tests.reinforcing.point import HORIZON, Standing, attempt, demonstrated_by, places, reached, trained, worth

kinds = pytest.mark.parametrize("kind", [GAIL, AIRL])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def adversary(kind=GAIL, **options) -> Adversary:
    return Adversary(discriminator=kind, **{"updates": 20, "learning_rate": 1e-3, **options})


def begun(kind=GAIL, *, decisions: int = HORIZON, **options) -> Adversary:
    made = adversary(kind, **options)
    made.begin(2, lambda batch: torch.zeros(len(batch), 1), decisions=decisions, discount=0.9)
    return made


@kinds
def test_a_policy_learns_from_the_learnt_reward_alone(kind):
    learner = SAC(learning_rate=1e-3, updates=1.0, delay=1, average=0.98, discount=0.9)
    head = trained(learner, rounds=8, spread=0.2, demonstrated=20, adversary=adversary(kind, updates=60))
    assert reached(worth(head)) > 0.8


def test_ppo_learns_from_it_too():
    learner = PPO(learning_rate=1e-3, discount=0.9, batch_size=64)
    assert reached(worth(trained(learner, rounds=15, demonstrated=20, adversary=adversary()))) > 0.7


def test_what_it_learns_from_is_blurred_and_what_it_values_is_not():
    one, sharp = begun(noise=0.5), begun()
    for each in (one, sharp):
        each.show(demonstrated_by(Standing().head, 4))
        each.net = sharp.net
    contexts = torch.zeros(5000, 2)
    assert torch.equal(sharp._blurred(contexts), sharp.net.measured(contexts))
    apart = one._blurred(contexts) - one.net.measured(contexts)
    assert float(apart.std()) == pytest.approx(0.5, abs=0.02)
    every = one.shown.every()
    assert torch.equal(*(each.value(every.clone())["next", "reward"] for each in (one, sharp)))


@kinds
def test_it_is_restored_as_it_was(kind):
    head = Standing().head
    own, shown = [attempt(head, place, drawn=True) for place in places(0, 4)], demonstrated_by(head, 4)
    one, other = begun(kind), begun(kind)
    for each in (one, other):
        each.show(shown)
        each.add(own)
    one.learn()
    other.load_state_dict(deepcopy(one.state_dict()))
    told = []
    for each in (one, other):
        torch.manual_seed(3)
        told.append(each.learn())
    same = zip(one.net.state_dict().values(), other.net.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same) and told[0] == told[1]


def ended(situations: torch.Tensor, *, decided: bool = True) -> Attempt:
    count = len(situations) - 1
    told = {"decided": decided, "success": decided, "steps": count}
    return Attempt(situations, torch.zeros(count, 2), torch.zeros(count), **told)


def test_to_end_early_or_late_is_worth_what_it_is_to_stay_there():
    """Whoever ends where another stays is worth the same, whatever the reward says of it."""
    one = begun()
    head = Standing().head
    one.show(demonstrated_by(head, 4))
    place = torch.tensor([[0.3, -0.2, 0.0, 0.0]])
    early, late = (ended(place.expand(count + 1, -1).contiguous()) for count in (1, 5))

    def collected(one_attempt: Attempt) -> float:
        rewards = one.value(one_attempt.transitions())["next", "reward"][:, 0]
        return float((rewards * 0.9 ** torch.arange(len(rewards))).sum())

    with torch.no_grad():
        there = float(one.net.reward(place[:, :2], place[:, :2]))
    assert collected(early) == pytest.approx(there, rel=1e-4) == pytest.approx(collected(late), rel=1e-4)


def test_an_end_is_looked_at_as_often_as_the_rest_would_have_been():
    one = begun(decisions=8)
    situations = torch.arange(3.0)[:, None].expand(-1, 4).contiguous()
    one.add([ended(situations)])
    drawn = one.own.drawn(4000)
    stays = drawn["acted"][:, 0] == 0
    assert stays.float().mean() == pytest.approx(6 / 8, abs=0.03)
    assert (drawn["situation"][stays] == 2).all() and (drawn["next", "situation"][stays] == 2).all()
    undecided = begun(decisions=8)
    undecided.add([ended(situations, decided=False)])  # time ran out: it might have gone on elsewhere
    assert (undecided.own.drawn(100)["acted"] == 1).all()


def test_what_the_expert_did_told_another_goal_is_not_what_it_does():
    one = begun(wrong=0.5, updates=200, penalty=0.1)
    told, other = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0])

    def heard(sentence: torch.Tensor, count: int) -> list[Attempt]:
        return [ended(torch.cat([sentence, torch.rand(2)]).expand(5, -1).contiguous()) for _ in range(count)]

    one.show(heard(told, 8), heard(other, 8))
    one.add(heard(told, 1))
    one.learn()
    right, wrong = (one.net.reward(each[None], each[None]) for each in (told, other))
    assert float(right) > float(wrong) + 0.5


@pytest.mark.parametrize(("share", "said"), [(1.0, "leads nowhere"), (0.5, "tells nothing apart"), (0.8, None)])
def test_a_reward_that_knows_all_or_nothing_says_so(share, said):
    rounds = [Round(10 * turn, 1, 0, 1, told_apart=share) for turn in range(LATE)]
    assert alarm(rounds[1:]) is None
    assert (alarm(rounds) is None) if said is None else said in alarm(rounds)
    assert alarm([Round(10, 1, 0, 1)] * LATE) is None


@kinds
def test_rewards_are_of_either_sign_and_bounded(kind):
    net = kind(2)
    contexts = 100 * torch.randn(500, 2)
    rewards = net.reward(contexts, -contexts)
    assert rewards.min() < 0 < rewards.max() and rewards.abs().max() <= 10
    with pytest.raises(UserError, match="a NaN or an infinity"):
        net.reward(contexts, contexts * torch.nan)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"softness": 0.5}, "softness is 0.5"), ({"wrong": 1.0}, "wrong is 1.0"), ({"updates": 0}, "updates")],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(UserError, match=said):
        adversary(**options)
