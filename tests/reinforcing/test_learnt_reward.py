"""A reward learnt on the toy lies in its run, resumes with it, is judged by its card, and rewards an environment."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import mmil as project
from mmil.config import build_scene
from mmil.contracts import UserError
from mmil.data.shards import file_sha256
from mmil.evaluation.report import report
from mmil.gym.rewarded import Rewarded
from mmil.reinforcing import Adversary
from mmil.reinforcing import experience as experiences
from mmil.reinforcing.demonstrations import attempts_of
from mmil.rewards import AIRL, GAIL
from mmil.run import RunFolder, load_policy
from tests.reinforcing.tried import learnt
from tests.toy import mmil


def rewarded(data: Path, clone: Path, out: Path, kind=AIRL) -> Path:
    node = {"class_path": f"mmil.rewards.{kind.__name__}", "init_args": {"width": 16}}
    adversary = Adversary(discriminator=partial(kind, width=16), updates=5, batch_size=16)
    itself = {"adversary": {"class_path": "mmil.reinforcing.Adversary", "init_args": {"discriminator": node}}}
    return learnt(data, clone, out, adversary=adversary, itself=itself)


@pytest.fixture(scope="module")
def run(demonstrations, clone, tmp_path_factory) -> Path:
    return rewarded(demonstrations, clone, tmp_path_factory.mktemp("rewarded") / "run")


def test_it_counts_what_it_could_tell_apart(run):
    *rounds, _ = json.loads((run / "curves.json").read_text())["reinforced"]
    assert all(0 < one["told_apart"] <= 1 for one in rounds)


def test_a_run_that_was_killed_goes_on_to_the_same_reward(demonstrations, clone, tmp_path, monkeypatch):
    undisturbed = rewarded(demonstrations, clone, tmp_path / "undisturbed" / "run", GAIL)
    done = experiences.keep

    def killed(path, attempts):
        if path.name == "00001.safetensors":
            raise KeyboardInterrupt
        return done(path, attempts)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(experiences, "keep", killed)
        rewarded(demonstrations, clone, tmp_path / "killed" / "run", GAIL)
    again = rewarded(demonstrations, clone, tmp_path / "killed" / "run", GAIL)
    for name in ("reward.safetensors", "model.safetensors", "curves.json"):
        assert file_sha256(again / name) == file_sha256(undisturbed / name), name


def observations(run: Path, steps: int) -> list:
    made = RunFolder.open(run).made_with
    scene = build_scene(made["scene"])
    found = [scene.reset(4).observation]
    axes = len(scene.spec.action)
    return found + [scene.step(np.full(axes, 0.5, np.float32)).observation for _ in range(steps)]


def test_it_is_earned_decision_by_decision(run):
    reward, seen = project.load_reward(run), observations(run, 9)
    reward.reset(seen[0])
    earned = [reward.step(one) for one in seen[1:]]
    due = [step % reward.every == 0 for step in range(1, len(seen))]
    assert [bool(one) for one in earned] == due
    contexts = []
    for place in (0, reward.every):  # what a decision led from, and to
        reward.reset(seen[place])
        contexts.append(reward._before)
    assert earned[reward.every - 1] == pytest.approx(float(reward.net.reward(*contexts)) * (1 - reward.discount))
    reward.reset(seen[0])
    stays = float(reward.net.reward(contexts[1], contexts[1]))
    last = [reward.step(one, ended=step == reward.every) for step, one in enumerate(seen[1 : reward.every + 1], 1)][-1]
    assert last == pytest.approx(earned[reward.every - 1] + reward.discount * stays, abs=1e-6)


def test_an_environment_is_rewarded_by_it(run):
    made = RunFolder.open(run).made_with["scene"]
    module, _, name = made["class_path"].rpartition(".")
    plain = gymnasium.make("mmil/Scene-v0", scene=f"{module}:{name}", **made.get("init_args", {}))
    env = Rewarded(plain, run)
    env.reset(seed=4)
    earned = [env.step(np.full(env.action_space.shape, 0.5, np.float32)) for _ in range(env.reward.every)]
    assert [bool(one[1]) for one in earned] == [False] * (env.reward.every - 1) + [True]
    assert all(one[4]["scene_reward"] == 0 for one in earned)
    env.close()
    with pytest.raises(UserError, match=r"is no environment of mmil\.gym"):
        Rewarded(gymnasium.make("Pendulum-v1"), run)


def test_other_signals_are_refused(run):
    made = RunFolder.open(run).made_with["scene"]
    module, _, name = made["class_path"].rpartition(".")
    other = {**made.get("init_args", {}), "image_size": 32}
    env = gymnasium.make("mmil/Scene-v0", scene=f"{module}:{name}", **other)
    with pytest.raises(UserError, match="the environment and the reward's Spec disagree"):
        Rewarded(env, run)


def test_what_is_no_reward_is_refused(run, clone, tmp_path):
    with pytest.raises(UserError, match="has no reward: one is learnt by a recipe with an adversary"):
        project.load_reward(clone)
    spoilt = tmp_path / "spoilt"
    RunFolder.claim(spoilt, RunFolder.open(run).config)
    RunFolder(spoilt).become(RunFolder.open(run))
    kept = load_file(spoilt / "reward.safetensors")
    save_file({name: value[..., :1].contiguous() for name, value in kept.items()}, spoilt / "reward.safetensors")
    with pytest.raises(UserError, match=r"the reward of .* cannot be read"):
        project.load_reward(spoilt)
    (spoilt / "reward.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UserError, match=r"the reward of .* cannot be read"):
        project.load_reward(spoilt)


def test_who_is_misled_sees_the_same_told_another_goal(demonstrations, clone):
    policy = load_policy(clone)
    told, misled = (attempts_of(policy, demonstrations, misled=each) for each in (False, True))
    assert 0 < len(misled) <= len(told)
    assert sorted(map(len, misled)) == sorted(map(len, told)) or len(misled) < len(told)
    width = policy.head.context_width
    assert not any(
        torch_equal(one.situations[:, :width], other.situations[:, :width]) for one in told for other in misled
    )


def torch_equal(one, other) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def test_its_card_is_told_and_drawn(run):
    mmil(["diagnose", str(run), "--trials=3"])
    card = json.loads((run / "diagnosis" / "diagnosis.json").read_text())["reward"]
    assert -1 <= card["progress_interval"][0] <= card["progress"] <= card["progress_interval"][1] <= 1
    assert card["layouts"] == 3 and set(card["beaten"]) == {"still", "random"} and card["heard"] <= card["hearable"]
    assert len(card["example"]["rewards"]) == len(card["example"]["following"])
    assert len(list((run / "diagnosis").glob("reward-*.jpg"))) == 5
    page = report([run]).read_text()
    assert "What its reward says" in page and "told another goal" in page
    told = json.loads((run / "diagnosis" / "diagnosis.json").read_text())
    told["reward"]["progress"] = "much"
    (run / "diagnosis" / "diagnosis.json").write_text(json.dumps(told))
    assert "is no diagnosis and is left out" in report([run]).read_text()
