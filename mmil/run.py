"""A run's folder: what was asked for, what it was trained on, the weights."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mmil.contracts import Spec, UserError
from mmil.data.schema import SPEC as SPEC_SCHEMA
from mmil.data.schema import misfit
from mmil.data.shards import write_atomic
from mmil.data.stats import Stats
from mmil.execution import FUTURE
from mmil.strict import read_options

if TYPE_CHECKING:
    from mmil.policy import Policy
    from mmil.runner import Runner

CONFIG, SPEC, STATS, DATA, METRICS = "config.yaml", "spec.json", "stats.json", "data.json", "metrics.csv"
TRAIN, MODEL, TEXT, VISION = "train.json", "model.safetensors", "text", "vision"
REWARD, REWARD_ABOUT = "reward.safetensors", "reward.json"  # of a run that learnt one
CHECKPOINT = Path("checkpoints", "last.ckpt")  # until it is finished
# may differ when a run is resumed
FREE = ("out", "workers", "accelerator", "devices", "nodes", "strategy", "compile", "loggers", "wandb")


class RunFolder:
    """RUN/ of `mmil train` and `mmil evaluate`."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def claim(cls, path: Path, config: Mapping[str, Any]) -> RunFolder:
        """A new run, or one begun with the same config; another folder is refused."""
        folder = cls(path)
        if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            if not (folder.path / CONFIG).is_file():
                raise UserError(f"{path} holds something else and no {CONFIG}; name a new or empty folder")
            _require_same(config, folder.config, path)
            return folder
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            write_atomic(folder.path / CONFIG, yaml.safe_dump(dict(config), sort_keys=False).encode())
        except OSError as error:
            raise UserError(f"a run cannot be written to {path}: {error.strerror}") from None
        return folder

    @classmethod
    def finished_with(cls, path: Path, config: Mapping[str, Any]) -> bool:
        """Whether a run with this config has ended here; a folder with another one is refused, none is made."""
        path = Path(path)
        there = any(path.iterdir()) if path.is_dir() else path.exists()
        return there and cls.claim(path, config).finished

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """A finished run."""
        folder = cls(path)
        if not (folder.path / CONFIG).is_file():
            raise UserError(f"{path} is not a run: it has no {CONFIG}; `mmil train` makes one")
        if not (folder.path / MODEL).is_file():
            raise UserError(
                f"{path} is unfinished: it has no {MODEL}; the same `mmil train` goes on from its checkpoint"
            )
        return folder

    @property
    def config(self) -> dict[str, Any]:
        return read_options(self.path / CONFIG)

    @property
    def future(self) -> int:
        """How many actions its policy plans at once, H; a policy's usual number where the config is silent."""
        try:
            told = self.config["algo"]["init_args"]["policy"]["init_args"].get("future", FUTURE)
        except (KeyError, TypeError, AttributeError):
            raise UserError(f"{self.path / CONFIG} names no policy: it needs algo.init_args.policy") from None
        return int(told)

    @property
    def spec(self) -> Spec:
        told = self._json(SPEC)
        if reason := misfit(told, SPEC_SCHEMA, "spec"):
            raise UserError(f"{self.path / SPEC} holds no Spec: {reason}")
        return Spec.from_json(told)

    @property
    def stats(self) -> Stats:
        try:
            return Stats.from_json(self._json(STATS))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            told = f"{type(error).__name__}: {error}"[:200]
            raise UserError(f"{self.path / STATS} holds no statistics that can be read ({told})") from None

    @property
    def data(self) -> dict[str, Any]:
        return self._json(DATA)

    @property
    def made_with(self) -> dict[str, Any]:
        """The config that its data were made with, whose scene it can be judged in."""
        config = self.data.get("config")
        if not isinstance(config, dict) or not isinstance(config.get("scene"), dict):
            raise UserError(
                f"{self.path / DATA} names no scene to judge the run in: its data were not made by generate"
            )
        return config

    @property
    def finished(self) -> bool:
        return (self.path / TRAIN).is_file() and bool(self._json(TRAIN).get("finished"))

    @property
    def last_checkpoint(self) -> Path | None:
        """Where training may go on from, if anywhere; a damaged one is refused, and nothing in it is run."""
        path = self.path / CHECKPOINT
        if path.is_file():
            _require_readable(path)
        return path if path.is_file() else None

    def lines(self) -> list[str]:
        """What there is to say of a finished run."""
        told, shares = self.trained, self.data.get("shares") or {}
        found = [f"{self.path}: {told['epochs']} epochs in {told['seconds'] / 60:.1f} min on {told['device']}"]
        if told.get("val_loss") is not None:
            found[0] += f"; loss on held-out episodes {told['val_loss']:.4g} (choose by success, not by it)"
        if told.get("data_wait") is not None:
            found.append(f"steps waited for data {told['data_wait']:.0%} of their time")
        if len(shares) > 1:
            found.append("read: " + ", ".join(f"{verb} {share:.0%}" for verb, share in shares.items()))
        return found

    def describe(self, spec: Spec, stats: Stats, data: Mapping[str, Any]) -> None:
        """Write what the run is trained on, before it begins."""
        for name, value in ((SPEC, spec.to_json()), (STATS, stats.to_json()), (DATA, data)):
            self.write(name, value)

    def become(self, other: RunFolder, **trained: Any) -> None:
        """What the finished run `other` is, under this folder's own config; trained: what train.json says otherwise."""
        self.keep_sources_of(other)
        for name in (SPEC, STATS, DATA, METRICS, MODEL, REWARD, REWARD_ABOUT):
            if (other.path / name).is_file():  # a short one has no metrics, most have no reward
                write_atomic(self.path / name, (other.path / name).read_bytes())
        self.write(TRAIN, {**other.trained, **trained})

    def keep_sources_of(self, other: RunFolder) -> None:
        """The pretrained models that another run keeps."""
        for name in (TEXT, VISION):
            if (other.path / name).is_dir():
                shutil.copytree(other.path / name, self.path / name, dirs_exist_ok=True)

    @property
    def trained(self) -> dict[str, Any]:
        """How a finished run was trained: epochs, steps, seconds, device …"""
        return self._json(TRAIN)

    def finish(self, policy: Any, state: Mapping[str, Any], **about: Any) -> None:
        """Write the weights, `state`, then train.json, which says that they are there."""
        from safetensors.torch import save

        self._keep_sources(policy)
        write_atomic(self.path / MODEL, save({name: value.contiguous() for name, value in state.items()}))
        trained = sum(p.numel() for p in policy.parameters() if p.requires_grad)
        frozen = sum(p.numel() for p in policy.parameters() if not p.requires_grad)
        sizes = {"parameters_trained": trained, "parameters_frozen": frozen}
        self.write(TRAIN, {**about, **sizes, "mmil_commit": commit(), "finished": True})

    def _keep_sources(self, policy: Any) -> None:
        """What pretrained models are, where they came from a place that other machines may lack."""
        if _part(self.config, "language").get("name"):
            policy.language.tokenizer.save_pretrained(self.path / TEXT)
            policy.language.model.save_pretrained(self.path / TEXT)
        told = Path(_part(self.config, "vision").get("name") or "") / "config.json"
        if told.is_file():
            (self.path / VISION).mkdir(exist_ok=True)
            write_atomic(self.path / VISION / told.name, told.read_bytes())

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        write_atomic(self.path / name, json.dumps(value, indent=1).encode() + b"\n")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path / name} cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise UserError(f"{self.path / name} cannot be read: it holds {type(found).__name__}, not names and values")
        return found


def _require_readable(path: Path) -> None:
    import torch

    try:
        torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # whatever a reader makes of altered bytes
        raise UserError(
            f"{path} is damaged ({type(error).__name__}); put a copy back, or delete it and training begins anew"
        ) from None


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of a part of the policy, to read or to change; {} where the config has none."""
    node: Any = config
    for key in ("algo", "init_args", "policy", "init_args", name, "init_args"):
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _carried(folder: RunFolder) -> dict[str, Any]:
    """The config, but for pretrained weights that lay elsewhere on the machine it was trained on: the run has them."""
    config = folder.config
    vision, language = _part(config, "vision"), _part(config, "language")
    if vision.get("weights"):
        vision["weights"] = "random"
    if (folder.path / VISION).is_dir():
        vision |= {"name": str((folder.path / VISION).resolve()), "weights": "random"}
    if language.get("name") and (folder.path / TEXT).is_dir():
        language["name"] = str(folder.path / TEXT)
    return config


def commit() -> str:
    """The commit this code is at, with a + if files differ from it; "unknown" outside a clone."""
    here = Path(__file__).parent
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return run.stdout.strip()


def _require_same(asked: Mapping[str, Any], there: Mapping[str, Any], path: Path) -> None:
    asked, there = (_compared(config) for config in (asked, there))
    names = sorted(set(asked) | set(there))
    lines = [f"{name}: {asked.get(name)} != {there.get(name)}" for name in names if asked.get(name) != there.get(name)]
    if lines:
        raise UserError(f"{path} was begun with another config: {'; '.join(lines)[:600]}; name a new folder")


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """All of it but what may differ when a run is resumed."""
    kept = {name: value for name, value in config.items() if name not in FREE}
    interaction = kept.get("interaction")
    if isinstance(interaction, Mapping) and isinstance(told := interaction.get("init_args"), Mapping):
        kept["interaction"] = {**interaction, "init_args": {k: v for k, v in told.items() if k not in FREE}}
    return kept


def load_policy(path: Path, *, device: str = "cpu") -> Policy:
    """The policy of a finished run, in evaluation mode; nothing is unpickled and no network is asked."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from mmil.config import rebuild

    folder = RunFolder.open(path)

    def holder(*, policy: Callable[[Spec, Stats], Policy]) -> None: ...

    try:
        node = _carried(folder)["algo"]["init_args"]["policy"]
    except (KeyError, TypeError):
        raise UserError(f"{folder.path / CONFIG} names no policy: it needs algo.init_args.policy") from None
    make = rebuild(holder, {"policy": node})["policy"]
    try:
        policy = make(folder.spec, folder.stats)
        policy.load_state_dict(load_file(folder.path / MODEL))
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{folder.path / MODEL} does not fit the run's config: {str(error)[:300]}") from None
    try:
        return policy.eval().to(device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {device!r} here: {str(error).splitlines()[0][:200]}") from None


def load_runner(path: Path, *, device: str = "cpu", **options: Any) -> Runner:
    """The policy of a finished run as an actor; `options` are those of Runner, as `execute`."""
    from mmil.runner import Runner

    return Runner(load_policy(path, device=device), **options)
