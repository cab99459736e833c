"""A policy as an actor: what it is shown of the past, what is done of its plans, what its chance comes from."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import yaml

from mmil.algos.training import train
from mmil.config import parse
from mmil.contracts import Observation, UserError
from mmil.data.cache import open_features
from mmil.data.dataset import Dataset
from mmil.data.features import FeatureWindows
from mmil.data.members import read_samples
from mmil.data.stream import Clock
from mmil.data.windows import Cut, collate, cut_windows
from mmil.execution import weighted
from mmil.rollout import rollout
from mmil.run import load_policy
from mmil.runner import Runner
from tests.plane import Plane, build

AHEAD = 4  # H


class Counter(torch.nn.Module):
    """Of its n-th plan, action h is n + h/10 on every axis; it remembers what it was shown."""

    def __init__(self, *, past: int = 1, first: bool = False) -> None:
        super().__init__()
        self.spec, self.past, self.first, self.future, self.depth = Plane.spec, past, first, AHEAD, None
        self.weight, self.shown, self.encoded = torch.nn.Parameter(torch.zeros(1)), [], 0

    @property
    def vision(self) -> "Counter":
        return self

    def seen(self, images) -> dict[str, list[torch.Tensor]]:
        """In place of feature maps, the pictures."""
        self.encoded += 1
        return {name: [picture] for name, picture in images.items()}

    def sample(self, batch) -> torch.Tensor:
        self.shown.append(batch)
        plan = len(self.shown) - 1 + torch.arange(AHEAD) / 10
        return plan[None, :, None].expand(1, AHEAD, 3)


def acted(runner: Runner, steps: int) -> list[float]:
    scene = Plane(windy=0)
    step = scene.reset(2)
    runner.reset(2)
    told = []
    for _ in range(steps):
        action = runner.act(step.observation)
        assert action.dtype == np.float32 and action.shape == (3,)
        told.append(round(float(action[0]), 4))
        step = scene.step(np.array([0.1, 0.0, -1.0]))
    return told


def test_the_first_e_of_h_are_done():
    assert acted(Runner(Counter(), execute=3), 7) == [0.0, 0.1, 0.2, 1.0, 1.1, 1.2, 2.0]
    assert acted(Runner(Counter()), 5) == [0.0, 0.1, 0.2, 0.3, 1.0]


def test_of_a_shorter_chunk_all_is_done_unless_something_else_is_asked_for():
    short = Counter()
    short.future = 3
    assert Runner(short).execute == 3 and Runner(short, execute=2).execute == 2
    with pytest.raises(UserError, match="cannot execute 4 actions of a chunk of 3"):
        Runner(short, execute=4)


def test_an_ensemble_means_all_plans_for_this_instant():
    plans = [[number + ahead / 10 for ahead in range(AHEAD)] for number in range(6)]
    said = [[plans[t - age][age] for age in range(min(t + 1, AHEAD))] for t in range(6)]  # newest first
    assert acted(Runner(Counter(), ensemble=0.0), 6) == pytest.approx([np.mean(one) for one in said], abs=1e-3)
    runner = Runner(Counter(), ensemble=0.5)
    weights = [np.exp(-0.5 * np.arange(len(one)))[::-1] for one in said]  # the oldest counts most
    wanted = [np.average(one, weights=w) for one, w in zip(said, weights, strict=True)]
    assert acted(runner, 6) == pytest.approx(wanted, abs=1e-3)
    assert acted(runner, 1) == [6.0]  # another episode: nothing is left of the plans of the last one


def test_weights_stay_numbers_however_steep():
    plans = [np.full((AHEAD, 2), number, float) for number in range(AHEAD)]
    assert weighted(plans, decay=1e6) == pytest.approx([0, 0])
    assert weighted(plans, decay=-1e6) == pytest.approx([3, 3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"execute": 5}, "cannot execute 5 actions of a chunk of 4"),
        ({"execute": 0}, "cannot execute 0"),
        ({"execute": 2, "ensemble": 0.01}, "execute 2 and ensemble 0.01 contradict each other"),
        ({"ensemble": float("nan")}, "ensemble is nan"),
    ],
)
def test_what_cannot_be_done_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Runner(Counter(), **options)


@pytest.mark.parametrize("options", [{"execute": 1}, {"execute": 3}, {"execute": 4}, {"ensemble": 0.01}])
@pytest.mark.parametrize("first", [False, True])
def test_the_past_is_the_last_k_control_steps_whatever_is_executed(options, first):
    policy = Counter(past=3, first=first)
    acted(Runner(policy, **options), 9)
    every = options.get("execute", 1)
    moves = [batch.signals["eef_pos_world"][0, :, 0] / 0.01 for batch in policy.shown]
    planned = range(0, 9, every)
    wanted = [[0] * first + [max(0, t - 2), max(0, t - 1), t] for t in planned]
    assert [move.round().int().tolist() for move in moves] == wanted
    fresh = [len(torch.unique(batch.images["top"][0][0].flatten(1), dim=0)) for batch in policy.shown]
    assert fresh == [len(set(times)) for times in wanted]  # pictures of those very steps
    assert policy.encoded == 9  # each once


def test_with_one_observation_nothing_is_rendered_that_no_plan_looks_at():
    scene = Plane(windy=0)
    runner = Runner(Counter(first=True), execute=4)
    rollout(scene, runner, seed=1, horizon=9, record=False)
    assert scene.renders == 2 * 3
    firsts = [batch.images["top"][0][0, 0] for batch in runner.policy.shown]
    assert len(firsts) == 3 and all(torch.equal(one, firsts[0]) for one in firsts)
    rollout(scene, runner, seed=2, horizon=1, record=False)
    assert not torch.equal(runner.policy.shown[-1].images["top"][0][0, 0], firsts[0])  # another episode, another one


NODES = {
    "vision": {"class_path": "mmil.encoders.TimmVision", "init_args": {"stages": [2], "width": 16}},
    "language": {"class_path": "mmil.encoders.TextTokens", "init_args": {"width": 16}},
    "signals": {"class_path": "mmil.encoders.SignalTokens", "init_args": {"names": ["eef_pos_world"], "width": 16}},
    "fusion": {"class_path": "mmil.encoders.FilmFusion", "init_args": {"points": 4, "width": 32}},
    "head": {"class_path": "mmil.heads.Flow", "init_args": {"width": 32}},
    "wrench": None,
    "past": 3,
    "future": AHEAD,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("plane") / "data"
    build(out, episodes=2, scene=partial(Plane, windy=0))
    return Dataset.open(out)


@pytest.fixture(scope="module")
def policies(data, tmp_path_factory):
    """Of three observations, trained on windows of a small data set: of its cached features, and of its pictures."""
    kinds = {True: {"cache": True}, False: {"cache": False}, "first": {"cache": True, "first": True}}
    return {name: trained(data, tmp_path_factory.mktemp("run") / "run", **kind) for name, kind in kinds.items()}


def trained(data, out, *, cache: bool, first: bool = False):
    policy = {"class_path": "mmil.policy.Policy", "init_args": {**NODES, "first": first}}
    config = {
        "algo": {"class_path": "mmil.algos.BC", "init_args": {"policy": policy, "learning_rate": 0.01, "warmup": 1}},
        "epochs": 1,
        "batch_size": 4,
        "stride": 2,
        "validation": 0.0,
        "cache": cache,
        "precision": "32-true",
        "loggers": [],
    }
    out.with_suffix(".yaml").write_text(yaml.safe_dump(config))
    arguments = ["--config", str(out.with_suffix(".yaml")), "--data", str(data.path), "--out", str(out)]
    parsed = parse(train, arguments, verb="train", skip=("config",))
    return load_policy(train(**parsed.options, config=parsed.resolved))


@pytest.mark.parametrize("kind", [True, False, "first"], ids=["cached features", "pictures", "first"])
def test_what_is_learnt_from_three_observations_is_what_the_runner_is_shown(policies, data, monkeypatch, kind):
    policy = policies[kind]
    ((row, sample),) = read_samples(data.path, data.rows[:1])
    cut, episode, shown = Cut(past=3, first=policy.first, future=AHEAD), data.episode(0), []
    windows = collate(list(cut_windows(row, sample, cut=cut, spec=data.spec)), spec=data.spec)
    (maps,) = (open_features(path, source=data) for path in data.path.parent.glob("data.features-*-every1"))
    cached = FeatureWindows(maps, maps.rows[:1], cut=cut, clock=Clock()).__getitems__(range(row.steps))
    monkeypatch.setattr(policy, "sample", lambda batch: shown.append(batch) or torch.zeros(1, AHEAD, 3))
    runner = Runner(policy, execute=2)
    runner.reset(0)
    for t in range(row.steps):
        images = {camera: frames[t] for camera, frames in episode.images.items()}
        signals = {name: values[t] for name, values in episode.signals.items()}
        runner.act(Observation(images, signals, episode.instruction))
    with torch.no_grad():
        seen = torch.cat([policy.context(batch).vector for batch in shown])
        now = {camera: three[:, -1:].expand_as(three) for camera, three in windows.images.items()}
        others = (windows, cached, replace(windows, images=now))
        apart = [(policy.context(batch).vector[::2] - seen).abs().max().item() for batch in others]
    assert row.steps > 4 and max(apart[:2]) < 1e-4 < 3e-4 < apart[2]  # what came before counts


@pytest.mark.parametrize("options", [{"execute": 3}, {"ensemble": 0.01}])
def test_an_episode_depends_on_its_seed_alone(policies, options):
    runner, actions = Runner(policies[True], **options), []
    for disturb in (False, True):
        watch = (lambda turn: torch.randn(3)) if disturb else None
        episode = rollout(Plane(windy=0), runner, seed=4, horizon=6, instruction="the red one", watch=watch)
        actions.append(episode.actions)
    assert np.array_equal(*actions) and np.abs(actions[0]).max() <= 1
