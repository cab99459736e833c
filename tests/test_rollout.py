"""One verb: what it records, and what it leaves alone."""

import numpy as np
import pytest

from mmil.contracts import Goal, UserError
from mmil.rollout import Mixture, Turn, play, rollout
from mmil.seeds import episode_seed, sentence_rng, trial_seed
from tests.plane import HORIZON, THINGS, Plane, Reach, Wander


def test_records_an_instant_more_than_actions():
    scene = Plane(windy=0)
    episode = rollout(scene, Reach(), seed=4, horizon=HORIZON, instruction=lambda goal, _: f"the {goal.object}, please")
    steps = len(episode.actions)
    assert episode.success and steps > 2
    assert episode.instruction == f"the {episode.goal.object}, please"
    assert episode.images["top"].shape == (steps + 1, 40, 40, 3) and episode.images["top"].dtype == np.uint8
    assert len(episode.states) == len(episode.signals["wrench"]) == steps + 1
    assert episode.rewards.tolist() == [0.0] * (steps - 1) + [1.0]
    assert (episode.labels == episode.actions).all()
    assert dict(episode.draws) == dict(scene.draws)


def test_stored_actions_lead_through_the_stored_states():
    episode = rollout(Plane(), Wander(), seed=8, horizon=10)
    scene = Plane()
    scene.reset(8)
    states = [scene.simulator_state()]
    for action in episode.actions:
        scene.step(action)
        states.append(scene.simulator_state())
    assert (np.array(states) == episode.states).all()


def test_same_seed_same_episode_whatever_happened_before():
    scene = Plane()
    first = rollout(scene, Wander(), seed=3, horizon=9)
    rollout(scene, Reach(), seed=99, horizon=9)
    again = rollout(scene, Wander(), seed=3, horizon=9)
    assert (first.actions == again.actions).all() and (first.images["side"] == again.images["side"]).all()


def test_the_expert_labels_what_another_actor_does():
    episode = rollout(Plane(windy=0), Wander(), expert=Reach(), seed=2, horizon=6)
    assert np.abs(episode.labels - episode.actions).max() > 0.1
    alone = rollout(Plane(windy=0), Reach(), seed=2, horizon=6)
    assert (episode.labels[0] == alone.actions[0]).all()


def test_renders_nothing_unless_it_records():
    scene = Plane()
    episode = rollout(scene, Reach(), seed=4, horizon=HORIZON, record=False)
    assert scene.renders == 0 and episode.images == {} and len(episode.states) == len(episode.actions) + 1
    rollout(scene, Reach(), seed=4, horizon=HORIZON)
    assert scene.renders == 2 * len(episode.states)


def test_watch_sees_every_turn_while_it_can_still_be_rendered():
    turns: list[Turn] = []

    def watch(turn: Turn) -> None:
        turn.step.observation.images["top"]
        turns.append(turn)

    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON, record=False, watch=watch)
    assert len(turns) == len(episode.actions) + 1
    assert [turn.outcome for turn in turns] == [None] * len(episode.actions) + ["success"]


def test_the_horizon_ends_an_undecided_episode():
    episode = rollout(Plane(), Wander(), seed=1, horizon=2)
    assert len(episode.actions) == 2 and episode.outcome == "timeout"


def test_told_another_goal_it_goes_there():
    goal = Goal("lift", THINGS[2])
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON, goal=goal, instruction="get the blue one")
    assert episode.goal == goal and episode.success
    with pytest.raises(ValueError, match="without an instruction"):
        rollout(Plane(), Reach(), seed=4, horizon=3, goal=goal)


def test_actions_are_stored_as_executed():
    class Strong(Wander):
        def act(self, observation, state=None):
            return np.full(3, 7.0)

    assert rollout(Plane(), Strong(), seed=0, horizon=3).actions.max() == 1.0


@pytest.mark.parametrize(("beta", "same"), [(1.0, True), (0.0, False)])
def test_mixture_follows_the_expert_with_probability_beta(beta, same):
    mixed = rollout(Plane(windy=0), Mixture(Reach(), Wander(), beta=beta), expert=Reach(), seed=6, horizon=8)
    assert bool((mixed.actions == mixed.labels).all()) is same


def test_whoever_drives_in_a_mixture_drives_on_for_a_while():
    mixture = Mixture(Reach(), Wander(), beta=0.5, hold=8)
    driven = []
    for seed in range(40):
        told = rollout(Plane(windy=0), mixture, expert=Reach(), seed=seed, horizon=40)
        driven.append((told.actions == told.labels).all(axis=1))
    turns = sum(1 + int((one[1:] != one[:-1]).sum()) for one in driven)
    steps = sum(map(len, driven))
    assert steps / turns > 4  # 1 / (½ · ⅛) = 16 in the long run, cut short by how an episode ends
    assert 0.3 < np.concatenate(driven).mean() < 0.7


@pytest.mark.parametrize(
    ("told", "said"), [({"beta": 1.5}, "beta is 1.5"), ({"beta": 0.5, "hold": 0.5}, "hold is 0.5")]
)
def test_a_mixture_that_cannot_be_is_refused(told, said):
    with pytest.raises(UserError, match=said):
        Mixture(Reach(), Wander(), **told)


def test_a_novice_plans_anew_where_the_expert_has_driven():
    class Planner(Wander):
        told = 0

        def interrupted(self):
            self.told += 1

    mixture = Mixture(Reach(), planner := Planner(), beta=0.5, hold=4)
    episode = rollout(Plane(windy=0), mixture, seed=3, horizon=40)
    by_expert = (episode.actions == episode.labels).all(axis=1)  # who labels is the mixture's expert
    assert planner.told == (by_expert[:-1] & ~by_expert[1:]).sum() > 0
    assert episode.quality == "visited"


def test_play_is_lazy():
    turns = play(Plane(), Reach(), seed=0, horizon=5)
    assert next(turns).action is not None


def test_seeds_of_episodes_and_trials_never_meet():
    episodes = {episode_seed(seed, i, attempt) for seed in (0, 1) for i in range(500) for attempt in range(3)}
    trials = {trial_seed(suite, seed, i) for suite in ("seen", "null") for seed in (0, 1) for i in range(500)}
    assert len(episodes) == 3000 and len(trials) == 2000 and not episodes & trials
    assert all(seed % 2 == 0 and 0 <= seed < 2**63 for seed in episodes) and all(seed % 2 for seed in trials)
    assert (episode_seed(0, 0), trial_seed("seen", 0, 0)) == (2094613214458313470, 6423655372975325949)  # for ever


def test_sentences_have_a_stream_of_their_own():
    assert sentence_rng(4).random() == sentence_rng(4).random() != np.random.default_rng(4).random()
