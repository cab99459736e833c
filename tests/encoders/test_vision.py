"""Backbones of every build, small and random: their maps, what of them learns, and where they come from."""

import io
import json
import urllib.error

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmil.contracts import UserError
from mmil.encoders import TimmVision
from mmil.encoders.backbone import load_backbone
from tests.learning import SPEC


def images(count: int = 2) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randint(0, 256, (count, 1, 3, 64, 64), generator=draw).byte() for name in SPEC.cameras}


def vision(name: str = "resnet10t", **options) -> TimmVision:
    torch.manual_seed(0)
    return TimmVision(SPEC, **{"name": name, "weights": "random", "stages": (1, 2), "width": 8, **options})


@pytest.mark.parametrize("name", ["resnet10t", "test_vit", "convnext_atto", "mobilenetv3_small_050"])
def test_maps_of_convolutions_and_transformers(name):
    encoder = vision(name).eval()
    tokens = encoder(images())
    for camera, (rows, columns) in encoder.grids.items():
        assert tokens[camera].shape == (2, 1, rows * columns, 8) and torch.isfinite(tokens[camera]).all()
    apart = {camera: [s.unflatten(0, (2, 1)) for s in encoder.encode(x[:, 0])] for camera, x in images().items()}
    cached = encoder(apart)
    assert all(torch.allclose(tokens[camera], cached[camera], atol=2e-2) for camera in tokens)


@pytest.mark.parametrize("name", ["resnet10t", "test_vit"])
@pytest.mark.parametrize("tuned", [0, 1, 2, 3, None])
def test_what_is_frozen_gets_no_gradient_and_keeps_its_statistics(name, tuned):
    encoder = vision(name, **({"frozen": False} if tuned is None else {"tuned_stages": tuned})).train()
    before = {key: value.clone() for key, value in encoder.backbone.state_dict().items()}
    sum(tokens.square().sum() for tokens in encoder(images()).values()).backward()
    parts = dict(encoder.backbone.named_modules())
    stages = [("layer1" if name == "resnet10t" else "blocks.1"), ("layer2" if name == "resnet10t" else "blocks.2")]
    learns = [any(p.requires_grad for p in parts[stage].parameters()) for stage in stages]
    assert learns == [tuned is None or tuned >= 2, tuned is None or tuned >= 1]
    assert all((p.grad is not None) == p.requires_grad for p in encoder.backbone.parameters())
    first = next(iter(encoder.backbone.parameters()))
    assert first.requires_grad == (tuned in (3, None)) and encoder.frozen == (tuned == 0)
    for stage, learning in zip(stages, learns, strict=True):
        assert parts[stage].training == learning
    after = encoder.backbone.state_dict()
    norms = [
        key for key, part in parts.items() if isinstance(part, nn.BatchNorm2d) and key.startswith(("layer1", "layer2"))
    ]
    for key in norms:  # their scale and shift may learn: statistics are of no batch, in no process
        assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(f"{key}.running"))
        assert not parts[key].training
        learning = learns[stages.index(key.split(".")[0])]
        assert parts[key].weight.requires_grad == parts[key].bias.requires_grad == learning, key


def test_a_backbone_a_camera_learns_apart():
    encoder = vision(shared=False, tuned_stages=1).train()
    front, wrist = encoder.backbone["front"], encoder.backbone["wrist"]
    assert all(torch.equal(a, b) for a, b in zip(front.state_dict().values(), wrist.state_dict().values(), strict=True))
    encoder(images())["front"].square().sum().backward()
    assert any(p.grad is not None for p in front.parameters()) and all(p.grad is None for p in wrist.parameters())
    assert len(list(encoder.parameters())) > len(list(vision(tuned_stages=1).parameters()))
    again = vision(shared=False, tuned_stages=1)
    again.load_state_dict(encoder.state_dict())
    seen, seen_again = encoder.eval()(images()), again.eval()(images())
    assert all(torch.equal(seen[camera], seen_again[camera]) for camera in seen)


def test_a_folder_brings_its_architecture_and_its_constants(tmp_path):
    model = load_backbone("resnet10t", "random")
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    constants = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]}
    told = {"architecture": "resnet10t", "num_classes": 1000, "pretrained_cfg": constants}
    (tmp_path / "config.json").write_text(json.dumps(told))
    for given in ({"name": str(tmp_path), "weights": None}, {"weights": str(tmp_path)}):
        encoder = vision(**given)
        assert torch.allclose(encoder.mean.flatten(), torch.tensor([25.5, 51.0, 76.5]))
        assert "mean" in encoder.state_dict() and "std" in encoder.state_dict()
    (tmp_path / "config.json").write_text(json.dumps({**told, "pretrained_cfg": {}}))
    other = vision(name=str(tmp_path), weights=None)
    assert (
        not torch.allclose(other.mean, encoder.mean)
        and other.fingerprint()["sha256"] != encoder.fingerprint()["sha256"]
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vision(shared=False), "shared: false gives each camera a backbone to tune; set frozen: false"),
        (lambda: vision(tuned_stages=4), "cannot tune the last 4 of the 3 stages that are read of resnet10t"),
        (lambda: vision(tuned_stages=1).encode(torch.zeros(1, 3, 64, 64)), "cannot be cached; set frozen: true"),
        (lambda: vision("/nowhere/at/all"), "no model at /nowhere/at/all: it has no readable config.json"),
        (lambda: vision("hub:nobody/nothing"), r"nobody/nothing could not be fetched .* local folder with config.json"),
        (lambda: vision("resnet18", weights="hub"), r"resnet18 could not be fetched .* give as `weights` a local file"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(make, message, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_a_hub_that_does_not_answer_is_asked_once_and_what_was_fetched_is_still_found(monkeypatch):
    from huggingface_hub import constants

    from mmil.encoders.sources import asking_hub

    asked = []

    def nobody(request, timeout):
        asked.append(timeout)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", nobody)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with (
        pytest.raises(
            UserError, match=r"^a/b could not be fetched from its hub \(URLError: .*no route.*\); give that$"
        ),
        asking_hub("a/b", instead="that"),
    ):
        assert constants.HF_HUB_OFFLINE  # the libraries look at what they have
        raise OSError("not in the cache")
    with asking_hub("a/b", instead="that"):
        pass
    assert len(asked) == 2 and max(asked) <= 5 and not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: io.BytesIO())
    with asking_hub("a/b", instead="that"):
        assert not constants.HF_HUB_OFFLINE
