"""torch.compile of what is trained; its weights keep their names, so that checkpoints know nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mmil.policy import Policy

BACKEND = "inductor"


def compile_policy(policy: Policy, *, device: str, tell: Callable[[str], None]) -> None:
    """Compile the parts in place, or say why none can be: a part at a time, for between them sentences are looked up.

    A frozen backbone whose maps are cached is never called, and so never compiled.
    """
    if reason := _obstacle(device):
        tell(f"compile: true changes nothing here, {reason}")
        return
    for part in (policy.vision, policy.fusion, *policy.others.values()):
        part.compile(backend=BACKEND)
    setattr(policy.head, "loss", torch.compile(policy.head.loss, backend=BACKEND))  # noqa: B010 - a method, in mypy's eyes


def _obstacle(device: str) -> str:
    """Why nothing can be compiled for `device`; "" where it can."""
    try:
        torch.compile(_one_more, backend=BACKEND)(torch.ones(2, device=device))
    except Exception as error:  # no compiler, no Triton, a Python too new: each says it in its own way
        lines = str(error).strip().splitlines()
        return f"for torch.compile finds no working compiler: {lines[0] if lines else type(error).__name__}"
    return ""


def _one_more(numbers: torch.Tensor) -> torch.Tensor:
    return numbers + 1
