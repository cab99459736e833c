"""Every option of robust training at once, through `mmil train`: from images and from a cache, to a run that loads."""

from functools import partial
from pathlib import Path

import pytest
import yaml

from mmil.algos.training import train
from mmil.config import parse
from mmil.contracts import UserError
from mmil.run import RunFolder, load_policy
from tests.plane import Plane, build

PARTS = {
    "vision": {"class_path": "mmil.encoders.TimmVision", "init_args": {"stages": [2], "width": 32}},
    "language": {"class_path": "mmil.encoders.TextTokens", "init_args": {"width": 32}},
    "signals": {"class_path": "mmil.encoders.SignalTokens", "init_args": {"names": None, "width": 32}},
    "wrench": {"class_path": "mmil.encoders.WrenchTokens", "init_args": {"width": 32}},
    "depth": {"class_path": "mmil.encoders.DepthTokens", "init_args": {"width": 32}},
    "fusion": {"class_path": "mmil.encoders.FilmFusion", "init_args": {"points": 4, "width": 64}},
    "head": {"class_path": "mmil.heads.Regression", "init_args": {"width": 64}},
    "hide": {"cameras": 0.2, "signals": 0.2, "wrench": 0.2, "depth": 0.2},
}
POLICY = {"class_path": "mmil.policy.Policy", "init_args": PARTS}
LESSONS = {"warmup": 2, "schedule": "linear", "matching": 0.1, "policy": POLICY}
CONFIG = {
    "algo": {"class_path": "mmil.algos.BC", "init_args": LESSONS},
    "batch_size": 8,
    "stride": 3,
    "epochs": 1,
    "others": 0.3,
    "balance": 1.0,
    "balance_episodes": 0.5,
    "weights": {"expert": 0.5},
    "maps": ["depth"],
    "augment": [{"class_path": "mmil.data.augment.Erase"}, {"class_path": "mmil.data.augment.Crop"}],
    "validation": 0.2,
    "workers": 0,
    "loggers": [],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("plane") / "data"
    build(out, episodes=4, scene=partial(Plane, streams=["depth"]))
    return out


def run(data: Path, out: Path, **change) -> Path:
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({**CONFIG, **change}))
    arguments = ["--config", str(path), "--data", str(data), "--out", str(out)]
    parsed = parse(train, arguments, verb="train", skip=("config",))
    return train(**parsed.options, config=parsed.resolved)


@pytest.mark.parametrize("options", [{"cache": False}, {"cache": True, "views": 2}], ids=["images", "cache"])
def test_all_of_it_at_once(data, tmp_path, options):
    folder = RunFolder.open(run(data, tmp_path / "run", **options))
    assert folder.data["shares"] == {"lift": 1.0} and folder.config["balance"] == 1.0
    policy = load_policy(folder.path)
    assert policy.depth.names == ("top.depth", "side.depth") and set(policy.hiding.tokens) == {
        "top", "side", "signals", "wrench", "depth",
    }  # fmt: skip
    caches = [path.name for path in data.parent.iterdir() if path.name.startswith("data.features-")]
    assert len(caches) == options["cache"] and all("-depth-views2-" in name for name in caches)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": []}, r"the policy has a depth encoder, but no depth is read: set maps: \[depth\]"),
        ({"views": 2}, "views is 2, but only cached features have views"),
        ({"cache": True}, "cached features cannot be augmented"),
        ({"balance": 3}, "balance is 3"),
        ({"weights": {"slopy": 1.0}}, "no quality 'slopy' to weigh; there are expert"),
        ({"maps": ["deep"]}, "deep"),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_begun(data, tmp_path, change, message):
    with pytest.raises(UserError, match=message) as error:
        run(data, tmp_path / "run", **change)
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()
