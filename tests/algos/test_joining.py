"""What joins a policy that has learnt changes nothing at first, in every fusion; what it knew, it goes on knowing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import mmil.encoders
from mmil.algos.start import Start, Taken
from mmil.config import rebuild
from mmil.contracts import Batch, Spec
from mmil.data.stats import Stats
from mmil.encoders import Fusion
from mmil.policy import Policy
from mmil.run import RunFolder
from tests import learning
from tests.learning import tiny_batch, unit_stats
from tests.tiny import WIDTH, config

EVERY = [kind for kind in vars(mmil.encoders).values() if isinstance(kind, type) and issubclass(kind, Fusion)]
NAMES = ["joint_pos", "eef_pos_world"]
OPTIONS = {"points": 2, "width": 24}
FUSIONS = {kind.__name__: OPTIONS for kind in EVERY if kind is not Fusion}
MARKED = {"ground": 0.1, "marks": 2, "level": True}
CASES = [*sorted(FUSIONS.items()), ("FilmFusion", OPTIONS | MARKED)]


def with_cameras(spec: Spec, *names: str) -> Spec:
    """The spec with these cameras alone, whose poses are known."""
    signals = {name: shape for name, shape in spec.signals.items() if not name.startswith("camera_")}
    poses = {f"camera_{name}": (8,) for name in names}
    return replace(spec, cameras=dict.fromkeys(names, (64, 64, 3)), signals=signals | poses)


SPEC = with_cameras(learning.SPEC, *learning.SPEC.cameras)
MORE = with_cameras(SPEC, "above", *SPEC.cameras)
TOUCH = replace(SPEC, signals={"grip_force": (1,), **SPEC.signals})


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0] + "-marked" * ("marks" in case[1]))
def first(request, tmp_path_factory) -> Path:
    """A finished run of each fusion, whose weights are as they began."""
    name, options = request.param
    folder = tmp_path_factory.mktemp(name) / "run"
    told = config(**parts({"class_path": f"mmil.encoders.{name}", "init_args": options}))
    policy = made(told, SPEC, seed=1)
    there = RunFolder.claim(folder, told)
    there.describe(SPEC, unit_stats(SPEC), {"config": {}})
    there.finish(policy, policy.state_dict(), epochs=1, seconds=1.0, device="cpu")
    return folder


def fusion(run: Path) -> Mapping:
    return RunFolder.open(run).config["algo"]["init_args"]["policy"]["init_args"]["fusion"]


def parts(fusion: Mapping, *, names: list[str] = NAMES, **changed) -> dict:
    signals = {"class_path": "mmil.encoders.SignalTokens", "init_args": {"names": names, **WIDTH}}
    return {
        "signals": signals,
        "fusion": fusion,
        **changed,
    }


def made(told: Mapping, spec: Spec, *, seed: int) -> Policy:
    torch.manual_seed(seed)

    def holder(*, policy: Callable[[Spec, Stats], Policy]) -> None: ...

    return rebuild(holder, {"policy": told["algo"]["init_args"]["policy"]})["policy"](spec, unit_stats(spec)).eval()


def begun(run: Path, spec: Spec = SPEC, *, cameras: Mapping[str, str] | None = None, **changed) -> tuple:
    """The policy that begins with that run, what it took, and the run's own."""
    start = Start(run, spec, cameras=cameras)
    policy = made(config(**parts(fusion(run), **changed)), spec, seed=2)
    return policy, start.give(policy), start.policy.eval()


def seen(spec: Spec, *, seed: int = 0) -> Batch:
    """Random pictures and numbers of the spec; of what two specs share, the same."""
    batch, draw = tiny_batch(cached=True, future=4), torch.Generator().manual_seed(seed)
    images = {
        camera: batch.images.get(camera) or [torch.randn(4, 1, 40, 8, 8, generator=draw)] for camera in spec.cameras
    }
    signals = {
        name: batch.signals[name] if name in batch.signals else 9 * torch.randn(4, 1, *shape, generator=draw)
        for name, shape in spec.signals.items()
        if not name.startswith("camera_")
    }
    signals |= {f"camera_{name}": pose(name) for name in spec.cameras}
    return replace(batch, images=images, signals=signals)


def pose(camera: str) -> torch.Tensor:
    """(4, 1, 8) of a camera a metre above, which looks down; of `left` as of `front`."""
    draw = torch.Generator().manual_seed(sum(camera.replace("left", "front").encode()))
    aside = 0.1 * torch.randn(4, 1, 2, generator=draw)
    return torch.cat([aside, torch.tensor([1.1, 0.0, 0.0, 0.0, 1.0, 0.8]).expand(4, 1, -1)], dim=2)


def alike(old: Policy, new: Policy, here: Batch, there: Batch) -> bool:
    return torch.allclose(old.sample(there), new.sample(here), atol=2e-6)


def learns(policy: Policy, batch: Batch, name: str) -> bool:
    """Whether the first step makes the weights that `name` goes by matter."""
    policy.loss(batch).backward()
    gradient = dict(policy.named_parameters())[name].grad
    return gradient is not None and bool(gradient.abs().sum() > 0)


def test_a_new_camera_is_not_heard_whatever_it_shows_and_may_be_learnt(first):
    policy, taken, old = begun(first, MORE)
    assert isinstance(taken, Taken) and "fusion.mix.0.weight" in taken.partly and not taken.left
    for seed in range(2):
        assert alike(old, policy, seen(MORE, seed=seed), seen(SPEC))
    assert learns(policy, seen(MORE), "fusion.mix.0.weight")
    for name in dict(policy.named_parameters()):
        if name.startswith("fusion.hearing."):
            assert name.endswith("camera_above") and learns(policy, seen(MORE), name)
    torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=1e-2).step()
    assert not torch.allclose(policy.sample(seen(MORE)), policy.sample(seen(MORE, seed=1)), atol=1e-6)


def test_the_first_observation_is_not_heard_whatever_it_shows_and_may_be_learnt(first):
    policy, taken, old = begun(first, first=True)
    assert "fusion.mix.0.weight" in taken.partly and not taken.left
    now = seen(SPEC)
    batches = [before(now, seed=seed) for seed in (1, 2)]
    assert all(alike(old, policy, batch, now) for batch in batches)
    assert learns(policy, batches[0], "fusion.mix.0.weight")
    torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=1e-2).step()
    assert not torch.allclose(policy.sample(batches[0]), policy.sample(batches[1]), atol=1e-6)


def before(now: Batch, *, seed: int) -> Batch:
    """Windows of two observations: any pictures and numbers, from where the cameras are now, then what is now."""
    draw, torn = torch.Generator().manual_seed(seed), {}
    for name, here in now.signals.items():
        there = here if name.startswith("camera_") else torch.randn(here.shape, generator=draw)
        torn[name] = torch.cat([there, here], dim=1)
    pictures = {
        name: [torch.cat([torch.randn(stage.shape, generator=draw).half(), stage.half()], dim=1) for stage in stages]
        for name, stages in now.images.items()
    }
    return replace(now, images=pictures, signals=torn)


def test_a_new_signal_changes_nothing_whatever_it_reads(first):
    policy, taken, old = begun(first, TOUCH, names=["grip_force", *NAMES])
    assert taken.partly == ["signals.net.0.weight"]
    assert all(alike(old, policy, seen(TOUCH, seed=seed), seen(SPEC)) for seed in range(2))
    assert learns(policy, seen(TOUCH), "signals.net.0.weight")


def test_a_dropped_signal_is_as_if_it_read_its_mean(first):
    policy, taken, old = begun(first, names=NAMES[1:])
    assert taken.partly == ["signals.net.0.weight"]
    batch = seen(SPEC)
    still = {**batch.signals, "joint_pos": torch.zeros_like(batch.signals["joint_pos"])}
    assert alike(old, policy, batch, replace(batch, signals=still))


def test_a_renamed_camera_keeps_what_it_learnt(first):
    spec = with_cameras(SPEC, "left", "wrist")
    policy, taken, old = begun(first, spec, cameras={"left": "front"})
    assert not taken.new and not taken.left and not taken.partly
    here, there = seen(spec), seen(SPEC)
    images = {"left": there.images["front"], "wrist": there.images["wrist"]}
    assert alike(old, policy, replace(here, images=images), there)


def test_cameras_in_another_order_are_told_apart(first):
    spec = with_cameras(SPEC, *reversed(SPEC.cameras))
    policy, _, old = begun(first, spec)
    assert alike(old, policy, seen(spec), seen(SPEC))


def test_a_dropped_camera_leaves_the_others_what_they_had(first):
    spec = with_cameras(SPEC, "wrist")
    policy, taken, old = begun(first, spec)
    assert "fusion.mix.0.weight" in taken.partly and not taken.new and any("front" in name for name in taken.left)
    mine, theirs = ((one.fusion.mix[0].weight, dict(one.fusion.columns["mix.0.weight"])) for one in (policy, old))
    blocks = [
        dict(zip(sizes, weight.split(list(sizes.values()), dim=1), strict=True)) for weight, sizes in (mine, theirs)
    ]
    assert all(torch.equal(block, blocks[1][label]) for label, block in blocks[0].items())


def test_a_modality_comes_and_goes_by_its_name(first, tmp_path):
    """Signals gone, the wrench is the first of the others; come back, they are heard by nobody at first."""
    touch, taken, _ = begun(first, signals=None)
    assert not taken.new and any(name.startswith("signals.") for name in taken.left)
    there = tmp_path / "touch"
    told = config(**parts(fusion(first), signals=None))
    folder = RunFolder.claim(there, told)
    folder.describe(SPEC, unit_stats(SPEC), {"config": {}})
    folder.finish(touch, touch.state_dict(), epochs=1, seconds=1.0, device="cpu")
    policy, taken, old = begun(there)
    assert any(name.startswith("signals.") for name in taken.new)
    batch = seen(SPEC)
    other = replace(batch, signals={**batch.signals, "joint_pos": batch.signals["joint_pos"] + 3})
    assert alike(old, policy, batch, batch) and alike(old, policy, other, batch)


def test_loudness_goes_with_the_run_and_to_its_children(first, tmp_path):
    policy, _, _ = begun(first, MORE)
    names = [name for name in policy.state_dict() if name.startswith("fusion.hearing.")]
    policy.load_state_dict({**policy.state_dict(), **{name: torch.tensor(-0.5) for name in names}})
    folder = RunFolder.claim(tmp_path / "second", config(**parts(fusion(first))))
    folder.describe(MORE, unit_stats(MORE), {"config": {}})
    folder.finish(policy, policy.state_dict(), epochs=1, seconds=1.0, device="cpu")
    child, taken, again = begun(tmp_path / "second", MORE)
    assert not taken.new and not taken.left
    assert alike(policy, child, seen(MORE), seen(MORE)) and alike(policy, again, seen(MORE), seen(MORE))
    renamed = with_cameras(SPEC, "over", *SPEC.cameras)
    called, _, _ = begun(tmp_path / "second", renamed, cameras={"over": "above"})
    assert all(called.state_dict()[name.replace("above", "over")] == -0.5 for name in names)
