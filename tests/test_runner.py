"""A policy as an actor: what it is shown of the past, what is done of its plans, what its chance comes from."""

from functools import partial

import numpy as np
import pytest
import torch

from mmil.algos.training import train
from mmil.config import parse
from mmil.contracts import Actor, UserError
from mmil.data.dataset import Dataset
from mmil.data.members import read_samples
from mmil.data.windows import Cut, collate, cut_windows
from mmil.execution import weighted
from mmil.heads import Flow
from mmil.rollout import rollout
from mmil.run import load_policy
from mmil.runner import Runner
from tests.learning import tiny_policy, unit_stats
from tests.plane import HORIZON, Plane, Reach, build

AHEAD = 4  # H


class Counter(torch.nn.Module):
    """Of its n-th plan, action h is n + h/10 on every axis; it remembers what it was shown."""

    def __init__(self, *, past: int = 1) -> None:
        super().__init__()
        self.spec, self.past, self.future = Plane.spec, past, AHEAD
        self.weight, self.shown = torch.nn.Parameter(torch.zeros(1)), []

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
def test_the_past_is_the_last_k_control_steps_whatever_is_executed(options):
    policy = Counter(past=3)
    acted(Runner(policy, **options), 9)
    every = options.get("execute", 1)
    moves = [batch.signals["eef_pos_world"][0, :, 0] / 0.01 for batch in policy.shown]
    planned = range(0, 9, every)
    assert [move.round().int().tolist() for move in moves] == [[max(0, t - 2), max(0, t - 1), t] for t in planned]
    fresh = [len(torch.unique(batch.images["top"][0].flatten(1), dim=0)) for batch in policy.shown]
    assert fresh == [len({max(0, t - 2), max(0, t - 1), t}) for t in planned]  # pictures of those very steps


def test_with_one_observation_nothing_is_rendered_that_no_plan_looks_at():
    scene = Plane(windy=0)
    rollout(scene, Runner(Counter(), execute=4), seed=1, horizon=9, record=False)
    assert scene.renders == 2 * 3


def flow_policy(**options):
    torch.manual_seed(0)
    return tiny_policy(future=AHEAD, head=partial(Flow, width=32), **options)(Plane.spec, unit_stats(Plane.spec)).eval()


SIGHT = {"signals": None}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("plane") / "data"
    build(out, episodes=6, config={"scene": {"class_path": "tests.plane.Plane"}})
    return out


NODES = {
    "vision": {"class_path": "mmil.encoders.TimmVision", "init_args": {"stages": [2], "width": 16}},
    "language": {"class_path": "mmil.encoders.TextTokens", "init_args": {"width": 16}},
    "signals": {"class_path": "mmil.encoders.SignalTokens", "init_args": {"names": ["eef_pos_world"], "width": 16}},
    "wrench": None,
    "fusion": {"class_path": "mmil.encoders.FilmFusion", "init_args": {"points": 4, "width": 32}},
    "head": {"class_path": "mmil.heads.Flow", "init_args": {"width": 32}},
    "past": 3,
    "future": AHEAD,
}
