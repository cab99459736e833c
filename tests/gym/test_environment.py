"""Scenes as Gymnasium environments: Gymnasium's own checks, and the same episodes as everywhere else."""

import pkgutil
import subprocess
import sys
from functools import partial
from itertools import chain
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from mmil.contracts import Goal, Infeasible, Scene, UserError
from mmil.gym import ENVIRONMENT
from mmil.gym import SCENES as IDS
from mmil.gym.sentence import Sentence
from mmil.language.bank import SPLITS
from mmil.language.grammar import Grammar
from mmil.limits import LONGEST
from mmil.rollout import rollout
from mmil.seeds import sentence_rng
from tests.plane import THINGS, Plane, Reach

ROOT = Path(__file__).parents[2]
SCENES = {"mmil/Tabletop-v0": {"image_size": (64, 64)}, "mmil/Scene-v0": {"scene": Plane}}


@pytest.fixture
def make():
    """gymnasium.make, and every environment closed in the end."""
    made = []

    def make_one(name="mmil/Scene-v0", **options):
        options = {"scene": Plane, **options} if name == "mmil/Scene-v0" else options
        made.append(gymnasium.make(name, **options))
        return made[-1]

    yield make_one
    for env in made:
        env.close()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", SCENES)
def test_gymnasiums_own_checker_finds_nothing(name, make):
    check_env(make(name, render_mode="rgb_array", **SCENES[name]).unwrapped)


@pytest.mark.parametrize("references", [0.0, 1.0])
def test_an_episode_is_what_rollout_makes_of_the_seed(references, make):
    grammar = Grammar.load()

    def say(goal, bodies):
        return grammar.sample(goal, "train", sentence_rng(8), among=bodies, references=references)

    episode = rollout(Plane(), Reach(), seed=8, horizon=30, instruction=say)
    assert grammar.says(episode.instruction, episode.goal, "train") == (not references)
    env, expert = make(references=references), Reach()
    seen, info = env.reset(seed=8)
    assert (info["goal"], info["outcome"], info["seed"]) == (episode.goal, None, 8)
    instants, rewards = [seen], []
    for _ in episode.actions:
        now = env.unwrapped.now
        seen, reward, terminated, truncated, info = env.step(expert.act(now.observation, now.state))
        instants.append(seen)
        rewards.append(reward)
    assert (terminated, truncated) == (episode.success, not episode.success) and info["outcome"] == episode.outcome
    assert np.array_equal(rewards, episode.rewards) and instants[0]["instruction"] == episode.instruction
    for name, frames in {**episode.images, **episode.signals}.items():
        assert np.array_equal([instant[name] for instant in instants], frames), name


@pytest.mark.parametrize("windy", [0.0, 1.0])
def test_what_is_decided_terminates_and_a_horizon_truncates(windy, make):
    env, ends = make(windy=windy), []
    for seed in range(6):
        env.reset(seed=seed)
        other = next(thing for thing in THINGS if thing != env.unwrapped.now.state.goal.object)
        terminated = truncated = False
        while not (terminated or truncated):
            state = env.unwrapped.now.state
            offset = (state.body(other).position - state.eef_position)[:2] / 0.1
            action = np.append(np.clip(offset, -1, 1), 1.0).astype(np.float32)
            _, reward, terminated, truncated, info = env.step(action)
        ends.append((info["outcome"], terminated, truncated, reward))
    assert ("wrong_object", True, False, 0.0) in ends if not windy else ("timeout", False, True, 0.0) in ends


def test_reset_takes_a_goal_and_an_instruction(make):
    env = make()
    goal = Goal("lift", THINGS[2])
    seen, info = env.reset(seed=1, options={"goal": goal})
    assert info["goal"] == goal and Grammar.load().says(seen["instruction"], goal, "train")
    seen, info = env.reset(seed=1, options={"goal": goal.to_json(), "instruction": "the blue one, s’il te plaît"})
    assert (info["goal"], seen["instruction"]) == (goal, "the blue one, s’il te plaît")
    for options, part in [
        ({"goals": goal}, "no option 'goals' of reset; there are goal, instruction"),
        ({"goal": Goal("push", THINGS[2], relation="left")}, "not feasible here; there are: lift red cube"),
        ({"instruction": "x" * 500}, "up to 400 letters"),
    ]:
        with pytest.raises(UserError, match=part):
            env.reset(seed=1, options=options)


def test_sentences_are_of_the_split(make):
    grammar = Grammar.load()
    for split in SPLITS:
        env = make(split=split)
        for seed in range(5):
            seen, info = env.reset(seed=seed)
            assert grammar.says(seen["instruction"], info["goal"], split)


def test_without_a_seed_layouts_are_of_episodes_and_never_of_trials(make):
    env = make()
    seeds = [env.reset(seed=5)[1]["seed"], *(env.reset()[1]["seed"] for _ in range(8))]
    assert seeds[0] == 5 and len(set(seeds)) == 9 and not any(seed % 2 for seed in seeds[1:])
    env.reset(seed=5)
    assert [env.reset()[1]["seed"] for _ in range(8)] == seeds[1:]


def test_every_sentence_of_the_bank_fits_the_space():
    space, grammar = Sentence(), Grammar.load()
    sections = ("verbs", "shapes", "colours", "relations", "manners", "references")
    parts = {
        name: [part for phrases in getattr(grammar, name).values() for split in SPLITS for part in phrases.of(split)]
        for name in sections
    }
    assert all(part in space for part in [*chain(*parts.values()), *grammar.null])
    longest = {name: max(map(len, found)) for name, found in parts.items()}
    # a thing, its target, and one that it is said by
    assert 100 < sum(longest.values()) + 2 * (longest["shapes"] + longest["colours"]) + len(longest) < LONGEST
    assert "" in space and "fahr\n" not in space and "x" * (LONGEST + 1) not in space


def test_a_seed_that_makes_no_scene_is_followed_by_the_next(make):
    class Picky(Plane):
        def reset(self, seed):
            if seed % 4 == 0:
                raise Infeasible(f"seed {seed} leaves no goal")
            return super().reset(seed)

    env = make(scene=Picky)
    seeds = [env.reset(seed=8)[1]["seed"] for _ in range(2)]
    assert seeds[0] == seeds[1] != 8 and seeds[0] % 4 == 2

    class Never(Plane):
        def reset(self, seed):
            raise Infeasible("no room")

    with pytest.raises(UserError, match="no scene from 100 seeds in a row, the last because: no room"):
        make(scene=Never).reset()


def test_it_is_found_by_every_way_that_is_told():
    for code in (
        "import gymnasium, mmil; gymnasium.spec('mmil/Tabletop-v0')",
        "import mmil.gym, gymnasium; gymnasium.spec('mmil/Tabletop-v0')",
        "import gymnasium; gymnasium.make('mmil.gym:mmil/Scene-v0', scene='tests.plane:Plane').close()",
        "import sys, mmil; sys.exit('gymnasium' in sys.modules)",
        "import sys, mmil.gym; sys.exit('mujoco' in sys.modules)",
    ):
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0, code


def test_every_id_names_a_scene():
    for name, scene in IDS.items():
        assert gymnasium.spec(name).entry_point == ENVIRONMENT
        assert scene is None or issubclass(pkgutil.resolve_name(scene), Scene), name


def test_pictures_of_two_environments_are_not_mixed_and_both_can_be_freed(make):
    one, other = (make("mmil/Tabletop-v0", image_size=(64, 64), render_mode="rgb_array") for _ in range(2))
    first, second = one.reset(seed=2)[0]["front"], other.reset(seed=3)[0]["front"]
    assert np.abs(first.astype(int) - second).mean() > 3
    assert np.array_equal(one.render(), first) and np.array_equal(other.render(), second)
    one.close()
    assert np.array_equal(other.reset(seed=3)[0]["front"], second)


@pytest.mark.filterwarnings("error")
def test_maps_are_observed_under_names_that_torch_allows(make):
    env = make(scene=partial(Plane, streams=("depth", "segmentation")))
    check_env(env.unwrapped)
    seen, _ = env.reset(seed=4)
    assert {"top_depth", "top_segmentation", "side_depth", "side_segmentation"} < set(seen)
    assert seen["top_depth"].dtype == np.uint16 and seen["top_segmentation"].dtype == np.uint8
    assert seen in env.observation_space and set(np.unique(seen["top_segmentation"])) == {0, 1, 2, 3, 255}
