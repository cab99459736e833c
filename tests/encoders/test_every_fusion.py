"""What every fusion keeps to; a new one joins by being named in mmil.encoders."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

import mmil.encoders
from mmil.config import parse
from mmil.contracts import UserError
from mmil.encoders import Context, Fusion, Sentence, SignalTokens, Sizes, TextTokens
from mmil.encoders.geometry import pluecker_rays
from mmil.encoders.transformer import pooling
from mmil.pinhole import world_rays
from tests.learning import SPEC, tiny_batch, tiny_policy, unit_stats

CONFIGS = Path(__file__).parents[2] / "configs"
EVERY = [kind for kind in vars(mmil.encoders).values() if isinstance(kind, type) and issubclass(kind, Fusion)]
KINDS = sorted((kind for kind in EVERY if kind is not Fusion), key=lambda kind: kind.__name__)
LOCATED = [kind for kind in KINDS if "rays" in kind.__init__.__annotations__]
CALIBRATED = replace(SPEC, signals={**SPEC.signals, "camera_front": (8,), "camera_wrist": (8,)})
GRIDS, TOKEN = {"front": (4, 6), "wrist": (5, 5)}, 16
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def sizes(past: int = 2, others: int = 2) -> Sizes:
    signals = tuple(CALIBRATED.signals)
    aspects = {"front": 1.5, "wrist": 1.0}
    return Sizes(GRIDS, token=TOKEN, sentence=3, others=others, past=past, aspects=aspects, signals=signals)


def poses(batch: int, past: int) -> torch.Tensor:
    """(B, K, 8) of cameras a metre above, looking down, each turned a little."""
    turn = F.normalize(torch.cat([0.1 * torch.randn(batch, past, 3), torch.ones(batch, past, 1)], dim=2), dim=2)
    return torch.cat([0.1 * torch.randn(batch, past, 2), torch.full((batch, past, 1), 2.0), turn, turn[..., 3:]], dim=2)


def given(batch: int = 4, past: int = 2, others: int = 2, pieces: int = 7):
    """All that a fusion is called with: visual tokens, a sentence, others; and the signals."""
    visual = {camera: torch.randn(batch, past, rows * columns, TOKEN) for camera, (rows, columns) in GRIDS.items()}
    real = torch.arange(pieces) < torch.arange(3, 3 + batch)[:, None]
    sentence = Sentence(torch.randn(batch, 3, TOKEN), torch.randn(batch, pieces, TOKEN), real)
    signals = {f"camera_{camera}": poses(batch, past) for camera in GRIDS}
    signals["eef_pos_world"] = torch.tensor([0.0, 0.0, 1.0]).expand(batch, past, 3)
    return (visual, sentence, *(torch.randn(batch, past, TOKEN) for _ in range(others))), signals


@pytest.mark.parametrize("past", [1, 3])
@pytest.mark.parametrize("others", [0, 2])
@every_kind
def test_a_context_of_its_width_and_maps_over_every_cell(kind, past, others):
    arguments, signals = given(past=past, others=others)
    context = kind(sizes(past, others), width=24)(*arguments, signals=signals)
    assert isinstance(context, Context) and context.vector.shape == (4, 24)
    assert context.sentence is arguments[1]
    for camera, (rows, columns) in GRIDS.items():
        maps = context.looks[camera]
        assert maps.shape[:2] == (4, past) and maps.shape[3] == rows * columns
        assert torch.allclose(maps.exp().sum(dim=3), torch.ones(maps.shape[:3]), atol=1e-5)


@every_kind
def test_everything_learns_and_every_token_is_heard(kind):
    arguments, signals = given()
    leaves = [*arguments[0].values(), arguments[1].tokens, *arguments[2:]]
    for leaf in leaves:
        leaf.requires_grad_()
    fusion = kind(sizes(), width=24, ground=0.82)
    fusion(*arguments, signals=signals).vector.square().sum().backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert all(leaf.grad is not None and leaf.grad.abs().sum() > 0 for leaf in leaves)


@every_kind
def test_padding_of_word_pieces_changes_nothing(kind):
    fusion, (arguments, signals) = kind(sizes(), width=24).eval(), given()
    visual, sentence, *others = arguments
    before = fusion(*arguments, signals=signals)
    noise = 100 * torch.randn(4, 9, TOKEN)
    noise[:, :7][sentence.real] = sentence.pieces[sentence.real]
    longer = Sentence(sentence.tokens, noise, F.pad(sentence.real, (0, 2)))
    after = fusion(visual, longer, *others, signals=signals)
    assert torch.allclose(before.vector, after.vector, atol=1e-5)
    assert all(torch.allclose(before.looks[camera], after.looks[camera], atol=1e-4) for camera in GRIDS)


@every_kind
def test_sentences_move_the_looks(kind):
    torch.manual_seed(0)
    fusion, (arguments, signals) = kind(sizes(), width=24), given()
    visual, sentence, *others = arguments
    other = Sentence(torch.randn_like(sentence.tokens), torch.randn_like(sentence.pieces), sentence.real)
    before, after = (fusion(visual, said, *others, signals=signals).looks for said in (sentence, other))
    assert all((before[camera] - after[camera]).abs().max() > 1e-3 for camera in GRIDS)


@every_kind
def test_a_lesson_can_teach_a_map_where_to_look(kind):
    torch.manual_seed(0)
    fusion, (arguments, signals) = kind(sizes(), width=24), given()
    wanted = torch.randint(0, 24, (4, 2))
    optimizer = torch.optim.AdamW(fusion.parameters(), lr=1e-2)
    for _ in range(60):
        loss = F.cross_entropy(
            fusion(*arguments, signals=signals).looks["front"][:, :, 0].flatten(0, 1), wanted.flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3


@pytest.mark.parametrize("options", [{"ground": 0.82}, {"rays": True}, {"ground": 0.82, "rays": True}])
@pytest.mark.parametrize("kind", LOCATED, ids=lambda kind: kind.__name__)
def test_a_camera_that_moves_changes_what_is_told_and_must_be_known(kind, options):
    fusion, (arguments, signals) = kind(sizes(), width=24, **options).eval(), given()
    before = fusion(*arguments, signals=signals).vector
    moved = {**signals, "camera_wrist": signals["camera_wrist"] + 0.05}
    assert not torch.allclose(before, fusion(*arguments, signals=moved).vector, atol=1e-5)
    blind = replace(sizes(), signals=("joint_pos", "eef_pos_world"))
    with pytest.raises(
        UserError, match=r"no signal 'camera_front', 'camera_wrist' in the data, .*; there are joint_pos"
    ):
        kind(blind, **options)


@every_kind
def test_under_autocast_no_two_precisions_are_added(kind):
    arguments, signals = given()
    plain = kind(sizes(), width=24, ground=0.82)
    halves = [{camera: tokens.bfloat16() for camera, tokens in arguments[0].items()}]
    said = Sentence(arguments[1].tokens.bfloat16(), arguments[1].pieces.bfloat16(), arguments[1].real)
    halves += [said, *(other.bfloat16() for other in arguments[2:])]
    mixed = Additions()
    with torch.autocast("cpu", torch.bfloat16), mixed:
        half = plain(*halves, signals=signals)
    assert torch.allclose(half.vector.float(), plain(*arguments, signals=signals).vector, atol=0.15)
    assert all(maps.dtype == torch.float32 for maps in half.looks.values())
    assert not mixed.found


@every_kind
def test_a_small_policy_overfits_one_batch_and_survives_a_file(kind, tmp_path):
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    make, batch = tiny_policy(fusion=partial(kind, points=4, width=64)), tiny_batch(4, cached=True)
    policy = make(SPEC, unit_stats())
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=3e-3)
    first = policy.loss(batch).item()
    for _ in range(120):
        optimizer.zero_grad()
        loss = policy.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.25 * first
    save_file({name: value.contiguous() for name, value in policy.state_dict().items()}, tmp_path / "model.safetensors")
    again = make(SPEC, unit_stats()).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(policy.eval().sample(batch), again.sample(batch))


@pytest.mark.parametrize("pooled", [False, True])
@every_kind
def test_policies_without_signals_of_several_observations_and_of_pooled_sentences(kind, pooled):
    parts = {"signals": None, "wrench": None, "language": partial(TextTokens, width=32, pooled=pooled)}
    policy = tiny_policy(past=3, fusion=partial(kind, width=64), **parts)(SPEC, unit_stats())
    batch = tiny_batch(past=3, cached=True)
    policy.loss(batch).backward()
    assert policy.sample(batch).shape == (4, 8, 7)


@pytest.mark.parametrize("recipe", sorted(CONFIGS.glob("train/*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("part", sorted(CONFIGS.glob("fusion/*.yaml")), ids=lambda path: path.stem)
def test_every_fusion_of_the_shelf_is_laid_over_a_recipe(part, recipe):
    from mmil.algos.launch import train_somewhere

    arguments = ["--config", str(recipe), "--config", str(part), "--data", "data", "--out", "out"]
    resolved = parse(train_somewhere, arguments, verb="train", skip=("config", "tell")).resolved
    told = resolved["algo"]["init_args"]["policy"]["init_args"]
    before = yaml.safe_load(recipe.read_text())["algo"]["init_args"]["policy"]["init_args"]
    assert told["fusion"]["class_path"].lower() == f"mmil.encoders.{part.stem}fusion"
    assert told["fusion"]["init_args"]["ground"] == before["fusion"].get("init_args", {}).get("ground")
    assert told["vision"]["init_args"]["width"] == before["vision"]["init_args"]["width"]


def test_the_shelf_has_every_kind():
    assert {f"{path.stem}fusion" for path in CONFIGS.glob("fusion/*.yaml")} == {kind.__name__.lower() for kind in KINDS}


@pytest.mark.parametrize("grid, most, cells", [((16, 16), 64, 64), ((4, 6), 64, 24), ((7, 5), 12, 12), ((3, 40), 8, 8)])
def test_pooled_cells_are_means_and_no_more_than_asked_for(grid, most, cells):
    pool = pooling(grid, most=most)
    assert len(pool) <= cells and pool.shape[1] == grid[0] * grid[1]
    assert torch.allclose(pool.sum(dim=1), torch.ones(len(pool))) and (pool.sum(dim=0) > 0).all()


def test_a_ray_is_the_same_from_every_point_of_it():
    camera, hand = poses(1, 1)[0], torch.tensor([[0.3, 0.1, 1.0]])
    told = pluecker_rays(camera, hand, grid=(4, 6), aspect=1.5)
    along = world_rays(camera, grid=(4, 6), aspect=1.5)[:, 7]  # of one cell, in the world
    further = torch.cat([camera[:, :3] + 0.4 * along, camera[:, 3:]], dim=1)
    assert torch.allclose(told[0, 7], pluecker_rays(further, hand, grid=(4, 6), aspect=1.5)[0, 7], atol=1e-6)
    assert torch.allclose(told[..., :3].norm(dim=-1), torch.ones(1, 24))
    assert not torch.allclose(told, pluecker_rays(camera, hand + 0.1, grid=(4, 6), aspect=1.5), atol=1e-3)


def test_encoders_of_different_widths_and_heads_that_do_not_divide_are_told():
    with pytest.raises(UserError, match="differ in `width`: vision 32, language 32, signals 16, wrench 32"):
        tiny_policy(signals=partial(SignalTokens, width=16))(SPEC, unit_stats())
    with pytest.raises(UserError, match="5 heads of attention do not divide tokens of 16 numbers"):
        mmil.encoders.CrossFusion(sizes(), heads=5)


class Additions(torch.overrides.TorchFunctionMode):
    """Remembers sums of many numbers in two precisions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        tensors = [
            one for one in args if isinstance(one, torch.Tensor) and one.is_floating_point() and one.numel() > 99
        ]
        if (
            function in (torch.Tensor.add, torch.Tensor.__radd__, torch.Tensor.mul)
            and len({t.dtype for t in tensors}) > 1
        ):
            self.found.append(f"{function.__name__} {[(t.dtype, t.shape) for t in tensors]}")
        return function(*args, **(kwargs or {}))
