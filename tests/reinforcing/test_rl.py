"""`mmil train` with a learner on the toy: rounds on disk, the same however often they are stopped; what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmil.config import build_scene
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.data.shards import file_sha256
from mmil.reinforcing import PPO, RL, SAC, Guidance
from mmil.reinforcing import experience as experiences
from mmil.reinforcing.attempt import kept
from mmil.reinforcing.demonstrations import attempts_of, followed_of
from mmil.reinforcing.explorer import Explorer
from mmil.reinforcing.ground import Ground, Task, attempt
from mmil.rollout import rollout
from mmil.run import RunFolder, load_policy, load_runner
from tests.reinforcing.tried import BUDGET, GUIDANCE, HEAD, course, learnt
from tests.toy import CONFIGS, mmil


@pytest.fixture(scope="module")
def whole(demonstrations, clone, tmp_path_factory) -> Path:
    """Never stopped."""
    return learnt(demonstrations, clone, tmp_path_factory.mktemp("whole") / "run")


def rounds(run: Path) -> list[dict]:
    *told, last = json.loads((run / "reinforced" / "curve.json").read_text())
    assert last["episodes"] == 0 and last["trials"]["n"] == 2  # of what was learnt in all
    return told


def test_a_round_is_attempts_on_disk_and_what_they_came_to(whole):
    told = rounds(whole)
    assert [one["episodes"] for one in told] == [4] * len(told)
    found = [kept(path) for path in sorted((whole / "reinforced" / "attempts").iterdir())]
    assert len(found) == len(told)
    assert np.cumsum([sum(one.steps for one in some) for some in found]).tolist() == [one["steps"] for one in told]
    assert told[-2]["steps"] < BUDGET.steps <= told[-1]["steps"]
    assert told[0]["trials"]["n"] == 2 and sum(one["trials"] is not None for one in told) >= 2
    assert sum(one.led > 0 for some in found for one in some) > 0


def test_what_is_left_is_a_run_like_any_other(whole, clone):
    folder = RunFolder.open(whole)
    assert folder.finished and folder.trained["environment_steps"] == rounds(whole)[-1]["steps"]
    before, after = (load_policy(path).state_dict() for path in (clone, whole))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("head.actor.") for name in changed)
    mmil(["evaluate", str(whole), "--suite=seen", "--trials=2"])


@pytest.mark.parametrize("learner", [SAC, PPO])
def test_a_run_that_was_killed_goes_on_to_the_same(demonstrations, clone, tmp_path, monkeypatch, learner):
    undisturbed = learnt(demonstrations, clone, tmp_path / "undisturbed" / "run", learner)
    done = experiences.keep

    def killed(path, attempts):
        if path.name == "00001.safetensors":
            raise KeyboardInterrupt
        return done(path, attempts)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(experiences, "keep", killed)
        learnt(demonstrations, clone, tmp_path / "killed" / "run", learner)
    assert not (tmp_path / "killed" / "run" / "model.safetensors").exists()
    again = learnt(demonstrations, clone, tmp_path / "killed" / "run", learner)
    assert rounds(again) == rounds(undisturbed)
    assert file_sha256(again / "model.safetensors") == file_sha256(undisturbed / "model.safetensors")


def test_an_end_is_not_repeated(demonstrations, clone, whole):
    before = (whole / "reinforced" / "model.safetensors").stat().st_mtime_ns
    learnt(demonstrations, clone, whole)
    assert (whole / "reinforced" / "model.safetensors").stat().st_mtime_ns == before


def test_what_is_not_finite_stops_it_and_is_kept(demonstrations, clone, tmp_path, monkeypatch):
    made = experiences.Experience._made

    def spoilt(self, tasks, doing):
        found = made(self, tasks, doing)
        return [replace(one, rewards=one.rewards * float("nan")) for one in found]

    monkeypatch.setattr(experiences.Experience, "_made", spoilt)
    with pytest.raises(UserError, match=r"round 1: an attempt holds a NaN.* the round is in .*not_finite-00000"):
        learnt(demonstrations, clone, tmp_path / "run", budget=replace(BUDGET, trials=0))
    assert (tmp_path / "run" / "reinforced" / "attempts" / "not_finite-00000.safetensors").is_file()


def refused(data: Path, out: Path, *, match: str, head=HEAD, **options) -> None:
    """Before anything is trained or tried."""
    with pytest.raises(UserError, match=match):
        RL(**{"learner": SAC, "budget": BUDGET, "workers": 1, **options}).learn(course(data, out, head=head))
    assert not (out / "cloned").exists() and not (out / "reinforced" / "attempts").exists()


def test_another_head_is_refused(demonstrations, tmp_path):
    head = {"class_path": "mmil.heads.Regression"}
    refused(
        demonstrations, tmp_path / "run", match=r"head is mmil\.heads\.Regression; what is reinforced is", head=head
    )


def test_a_run_of_another_recipe_is_refused(demonstrations, clone, tmp_path):
    head = {**HEAD, "init_args": {**HEAD["init_args"], "width": 32}}
    refused(
        demonstrations,
        tmp_path / "run",
        match=r"has another policy than this recipe: head\.init_args\.width: 256 != 32",
        head=head,
        run=clone,
    )


def test_guidance_that_a_learner_makes_nothing_of_is_refused(demonstrations, clone, tmp_path):
    told = {"learner": PPO, "guidance": Guidance(shown=0.5), "run": clone}
    refused(demonstrations, tmp_path / "run", match="shown is 0.5, but PPO learns from what it has just tried", **told)


def test_demonstrations_without_a_success_are_refused(demonstrations, clone, tmp_path):
    out = tmp_path / "failed"
    arguments = ["--config", str(CONFIGS / "generate/toy.yaml"), "--episodes=2", "--keep=all", "--horizon=1"]
    mmil(["generate", *arguments, f"--out={out}"])
    refused(out, tmp_path / "run", match="holds 2 episodes, but no success", run=clone, guidance=GUIDANCE)


def test_another_seed_tries_other_things_and_other_workers_the_same(demonstrations, tmp_path):
    where = course(demonstrations, tmp_path / "run")
    other = replace(where, training={**where.training, "seed": 1})
    assert where.seed("reinforced") != other.seed("reinforced")
    node = {"class_path": "mmil.reinforcing.RL", "init_args": {"workers": 1, "spread": 0.4}}
    RunFolder.claim(tmp_path / "claimed", {"interaction": node})
    RunFolder.claim(tmp_path / "claimed", {"interaction": {**node, "init_args": {**node["init_args"], "workers": 8}}})
    with pytest.raises(UserError, match="begun with another config"):
        changed = {**node, "init_args": {"workers": 1, "spread": 0.3}}
        RunFolder.claim(tmp_path / "claimed", {"interaction": changed})


@pytest.fixture
def ground(demonstrations, clone) -> Ground:
    made = Dataset.open(demonstrations).manifest["config"]
    return Ground(run=clone, scene=made["scene"], seed=5, horizon=made["horizon"])


@pytest.fixture
def actor(clone, tmp_path) -> Path:
    from safetensors.torch import save_file

    save_file(load_policy(clone).head.actor.state_dict(), tmp_path / "actor.safetensors")
    return tmp_path / "actor.safetensors"


def test_trials_do_the_likeliest_and_attempts_draw(ground, actor):
    worker = ground()
    judged, again, tried = (attempt(worker, Task(0, actor, 0, trial=trial)) for trial in (True, True, False))
    assert torch.equal(judged.situations, again.situations) and not judged.shifts.any() and tried.shifts.any()
    worker.close()


def test_an_attempt_depends_on_its_number_alone(ground, actor):
    one, other = ground(), ground()
    first = attempt(one, Task(3, actor, 0))
    attempt(other, Task(1, actor, 0))
    assert torch.equal(first.situations, attempt(other, Task(3, actor, 0)).situations)
    assert not torch.equal(first.situations[0], attempt(other, Task(4, actor, 0)).situations[0])


def test_explored_without_chance_it_is_the_runner(ground, clone):
    scene, explorer = build_scene(ground.scene), Explorer(load_policy(clone))
    explorer.greedy = True
    plain = rollout(scene, load_runner(clone), seed=8, horizon=30, instruction="touch the red cube", goal=None)
    tried = rollout(scene, explorer, seed=8, horizon=30, instruction="touch the red cube", goal=None)
    assert np.array_equal(plain.actions, tried.actions)


def test_what_a_demonstration_led_to_is_where_an_attempt_begins(ground, actor, demonstrations):
    one = followed_of(demonstrations)[0]
    worker = ground()
    led = attempt(worker, Task(0, actor, 0, followed=replace(one, actions=one.actions[:2])))
    episode = Dataset.open(demonstrations).episode(0)
    assert led.led == 2 and led.steps >= 2
    hand = load_policy(ground.run).spec  # the scene's own words for it
    assert "eef_pos_world" in hand.signals
    again = attempt(worker, Task(1, actor, 0, followed=replace(one, actions=one.actions[:2])))
    assert torch.equal(led.situations[0], again.situations[0]) and not torch.equal(led.shifts[0], again.shifts[0])
    alone = attempt(worker, Task(0, actor, 0, followed=replace(one, actions=one.actions[:0])))
    assert not torch.equal(led.situations[0], alone.situations[0]) and episode.seed == one.seed


def test_demonstrations_are_attempts_in_the_eyes_of_the_policy(demonstrations, clone):
    policy = load_policy(clone)
    head, episode = policy.head, Dataset.open(demonstrations).episode(0)
    found = attempts_of(policy, demonstrations)[:2]
    assert len(found) == 2 and found[0].success and found[0].decided
    assert len(found[0]) == -(-len(episode.actions) // head.steps) and found[0].rewards.tolist()[-1] == 1.0
    leads = found[0].situations[:-1, -head.numbers :].unflatten(1, (head.steps, head.axes))
    done = head.shifted(leads, found[0].shifts)
    assert np.allclose(done[0].numpy(), episode.actions[: head.steps], atol=0.05)  # but for what no shift quite reaches
    ended = load_runner(clone)
    assert torch.isfinite(found[0].situations).all() and ended.execute == head.steps
