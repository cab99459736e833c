"""Where features are made and kept: on the kind of device that trains, beside the data set."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmil.algos import caching
from mmil.algos.machine import Machine, fitting
from mmil.encoders import vision as vision_room
from tests.learning import SPEC, tiny_module


class Far:
    """An encoder that notes where it and its pictures are sent."""

    cameras, mean = ("front",), torch.zeros(3)

    def __init__(self) -> None:
        self.sent: list[str] = []

    def to(self, device) -> None:
        self.sent.append(str(device))

    def encode(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images.float().mean(dim=(1, 2, 3), keepdim=True).half()]


def test_the_encoder_goes_where_the_features_are_made_and_comes_back(monkeypatch, tmp_path):
    vision, written = Far(), []
    monkeypatch.setattr(caching, "write_features", lambda path, place, encode, **kept: written.append(vision.sent[:]))
    caching._write({tmp_path: tmp_path, tmp_path / "more": tmp_path}, vision, None, {}, device="cuda")
    assert vision.sent == ["cuda", "cpu"] and written == [["cuda"]] * 2

    def full(*_, **kept) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(caching, "write_features", full)
    with pytest.raises(OSError, match="full"):
        caching._write({tmp_path: tmp_path}, vision, None, {}, device="cuda")
    assert vision.sent[-1] == "cpu"


def test_pictures_go_to_the_device_and_numpy_comes_back(monkeypatch):
    moved = []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *where, **rest: moved.append(where) or tensor)
    frames = np.full((3, 8, 8, 3), 7, np.uint8)
    (found,) = caching._encode(Far(), "front", frames, half=False, device="cuda")
    assert ("cuda",) in moved and isinstance(found, np.ndarray)
    assert found.dtype == np.float16 and (found == 7).all()


@pytest.mark.parametrize(("device", "parts"), [("cpu", [8, 8, 4]), ("meta", [20])])
def test_a_processor_sees_few_pictures_at_once_and_a_gpu_many(monkeypatch, device, parts):
    encoder, sizes = tiny_module().policy.vision, []
    original = vision_room.TimmVision._backbone_maps
    noted = lambda self, part, camera: sizes.append(len(part)) or original(self, part, camera)  # noqa: E731
    monkeypatch.setattr(vision_room.TimmVision, "_backbone_maps", noted)
    height, width, _ = SPEC.cameras["front"]
    (maps,) = encoder.to(device).maps(torch.zeros(20, 3, height, width, dtype=torch.uint8, device=device))
    assert sizes == parts and len(maps) == 20 and maps.device.type == device


def test_auto_goes_by_what_computes_and_not_by_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    for ask in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, ask, lambda: False, raising=False)
    assert Machine("cpu").fitting == fitting("auto", kind="cpu") == "32-true"
    assert Machine("gpu").fitting == Machine().fitting == "bf16-mixed"
    assert Machine("gpu", precision="32-true").fitting == "32-true"


def test_features_lie_beside_the_data_set_wherever_it_is_named_from(tmp_path, monkeypatch):
    (tmp_path / "data" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "data")
    wanted = tmp_path / "data.features-1"
    assert caching._beside(Path("."), "features-1") == wanted
    monkeypatch.chdir(tmp_path / "data" / "inner")
    assert caching._beside(Path(".."), "features-1") == wanted
    assert caching._beside(Path("some/data"), "features-1") == Path("some/data.features-1")
