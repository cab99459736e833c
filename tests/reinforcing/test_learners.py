"""Learners reach the known best of a small problem, as stable-baselines3 does; GAE and the clipped loss by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO as TheirPPO
from stable_baselines3 import SAC as TheirSAC
from stable_baselines3.common.buffers import RolloutBuffer

from mmil.contracts import UserError
from mmil.reinforcing import PPO, SAC, Guidance
from tests.reinforcing.point import EPISODES, HORIZON, Point, Standing, attempt, places, reached, trained, worth


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def theirs(model, steps: int) -> float:
    model.learn(steps)
    return worth(Standing().head, act=lambda place: model.predict(place, deterministic=True)[0])


def test_sac_reaches_the_best_and_what_stable_baselines3_reaches():
    rounds = 12
    learner = SAC(learning_rate=1e-3, updates=0.5, delay=1, average=0.98, discount=0.9)
    ours = reached(worth(trained(learner, rounds=rounds, spread=0.2)))
    options = {"learning_rate": 1e-3, "gamma": 0.9, "batch_size": 128, "seed": 0, "learning_starts": EPISODES * HORIZON}
    other = reached(theirs(TheirSAC("MlpPolicy", Point(), **options), rounds * EPISODES * HORIZON))
    assert ours > 0.9 and ours > other - 0.05


def test_ppo_reaches_the_best_and_what_stable_baselines3_reaches():
    rounds = 60
    ours = reached(worth(trained(PPO(learning_rate=1e-3, discount=0.9, batch_size=64), rounds=rounds)))
    options = {"learning_rate": 1e-3, "gamma": 0.9, "n_steps": EPISODES * HORIZON, "batch_size": 64, "n_epochs": 8}
    other = reached(theirs(TheirPPO("MlpPolicy", Point(), **options, seed=0), rounds * EPISODES * HORIZON))
    assert ours > 0.9 and ours > other - 0.05, (ours, other)


def test_demonstrations_are_learnt_from_before_much_is_tried():
    often = {"delay": 1, "average": 0.98, "warmup": 0}
    plain, guided = (SAC(learning_rate=1e-3, discount=0.9, updates=1.0, **often) for _ in range(2))
    guided.guidance = Guidance(cloned=False, shown=0.5, imitation=10.0)
    alone = reached(worth(trained(plain, rounds=2)))
    shown = reached(worth(trained(guided, rounds=2, shown=0.5, demonstrated=50)))
    assert shown > 0.9 and shown > alone + 0.03


def test_the_actor_waits_for_its_critics():
    """It begins at 0 everywhere, and there it stays as long as it is not its turn."""
    untouched, touched = (trained(SAC(delay=delay, warmup=0, updates=0.1), rounds=2) for delay in (10**6, 1))
    assert not untouched.actor.last.weight.any() and touched.actor.last.weight.any()


def test_what_is_kept_is_the_average_of_what_was_learnt():
    learner, policy = SAC(average=0.75), Standing()
    learner.begin(policy)
    bias = policy.head.actor.last.bias
    for value in (0.0, 4.0):
        bias.data.fill_(value)
        learner.on_train_batch_end(None, None, 0)
    learner.swap_average()
    assert torch.allclose(bias, torch.ones_like(bias))  # 0.75 · 0 + 0.25 · 4
    learner.swap_average()
    assert torch.allclose(bias, torch.full_like(bias, 4.0))


def test_advantages_are_those_of_stable_baselines3():
    learner, policy = PPO(discount=0.9, trace=0.8), Standing()
    learner.begin(policy)
    made = attempt(policy.head, places(0, 1)[0], drawn=True)
    with torch.no_grad():
        values = learner.critic.module(made.situations)[:, 0].numpy()
    buffer = RolloutBuffer(HORIZON, Point.observation_space, Point.action_space, gamma=0.9, gae_lambda=0.8)
    for step in range(HORIZON):
        value, chance = torch.tensor([values[step]]), torch.zeros(1)
        buffer.add(
            np.zeros((1, 2)), np.zeros((1, 2)), made.rewards[step : step + 1], np.array([step == 0]), value, chance
        )
    buffer.compute_returns_and_advantage(torch.tensor([values[-1]]), dones=np.array([False]))
    assert torch.allclose(learner.told([made])["advantage"][:, 0], torch.as_tensor(buffer.advantages[:, 0]), atol=1e-4)


def test_what_ended_an_attempt_has_no_worth_after_it():
    learner, policy = PPO(discount=0.9, trace=1.0), Standing()
    learner.begin(policy)
    made = attempt(policy.head, places(0, 1)[0], drawn=True)
    told = {name: getattr(made, name) for name in ("situations", "shifts", "rewards", "success", "steps")}
    ended = learner.told([type(made)(**told, decided=True)])["value_target"][:, 0]
    returns = [sum(0.9 ** (k - t) * float(made.rewards[k]) for k in range(t, HORIZON)) for t in range(HORIZON)]
    assert torch.allclose(ended, torch.tensor(returns), atol=1e-4)


def test_imitation_fades():
    learner = SAC()
    learner.guidance = Guidance(imitation=2.0, fades=0.5)
    weights = []
    for learner.gone in (0.0, 0.25, 0.5, 1.0):
        weights.append(learner.imitation)
    assert weights == [2.0, 1.0, 0.0, 0.0]
    assert [Guidance(led=0.5, back=0.5).earliest(gone) for gone in (0, 0.25, 1.0)] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("wrong", [{"shown": 1.0}, {"led": -0.1}, {"imitation": -1}, {"fades": 0}, {"back": 0}])
def test_guidance_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Guidance(**wrong)


def test_entropy_is_counted_from_what_it_is_tuned_to():
    learner, policy = SAC(temperature=0.1, discount=0.9), Standing(spread=0.05)
    learner.begin(policy)
    made = attempt(policy.head, places(0, 1)[0], drawn=True).transitions()
    ended = made.clone()
    ended["next", "terminated"] = torch.ones_like(ended["next", "terminated"])
    charged = learner._charged(made.clone())["next", "reward"] - made["next", "reward"]
    target = float(learner.loss.target_entropy)
    worth_of_each = 0.1 / policy.head.numbers
    assert target < 0 and torch.allclose(charged, torch.tensor(-0.9 * worth_of_each * target))
    assert torch.equal(learner._charged(ended.clone())["next", "reward"], ended["next", "reward"])


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.4, 0.8])
def test_as_it_begins_it_is_as_widely_drawn_as_it_is_meant_to_stay(spread):
    learner, policy = SAC(), Standing(spread=spread)
    learner.begin(policy)
    made = attempt(policy.head, places(0, 1)[0], drawn=True).transitions()
    with torch.no_grad():
        drawn = learner.actor.get_dist(made[:1])
        entropy = -drawn.log_prob(drawn.sample((20_000,))).mean()
    assert float(entropy) == pytest.approx(float(learner.loss.target_entropy), abs=0.05)
