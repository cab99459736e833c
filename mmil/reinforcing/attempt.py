"""An episode as reinforcement sees it: a decision a chunk, what each led to, and where it ended.

T decisions in an episode · S numbers of a situation · N numbers of a decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tensordict import TensorDict

from mmil.contracts import UserError
from mmil.data.shards import write_atomic

FIELDS = ("situations", "shifts", "rewards", "wanted")
ABOUT = ("decided", "success", "steps", "led")


@dataclass(frozen=True)
class Attempt:
    """T decisions between T+1 situations, the last of which nothing was decided in.

    decided: whether it ended by what was done; otherwise time ran out, and it might have gone on. steps: of the scene,
    all that were made; led: those of them that a demonstration was followed for, before the first decision. wanted: the
    shifts the expert would have made, of demonstrations.
    """

    situations: torch.Tensor  # float32 (T+1, S)
    shifts: torch.Tensor  # float32 (T, N), as drawn
    rewards: torch.Tensor  # float32 (T,), of all steps of a decision together
    decided: bool
    success: bool
    steps: int
    led: int = 0
    wanted: torch.Tensor | None = None  # float32 (T, N)

    def __len__(self) -> int:
        return len(self.shifts)

    @property
    def finite(self) -> bool:
        return all(bool(torch.isfinite(one).all()) for one in (self.situations, self.shifts, self.rewards))

    def transitions(self) -> TensorDict:
        """(T,) of them, by the names that torchrl knows."""
        done = torch.zeros(len(self), 1, dtype=torch.bool)
        done[-1] = True
        following = TensorDict(
            {
                "situation": self.situations[1:],
                "reward": self.rewards[:, None],
                "done": done,
                "terminated": done & self.decided,
            },
            batch_size=[len(self)],
        )
        told = {"situation": self.situations[:-1], "action": self.shifts, "next": following}
        if self.wanted is not None:
            told["wanted"] = self.wanted
        return TensorDict(told, batch_size=[len(self)])


def keep(path: Path, attempts: Sequence[Attempt]) -> Path:
    """All of them in one file of tensors."""
    from safetensors.torch import save

    found: dict[str, torch.Tensor] = {}
    for number, one in enumerate(attempts):
        told = {name: getattr(one, name) for name in FIELDS}
        found |= {f"{number}/{name}": value.contiguous() for name, value in told.items() if value is not None}
        found[f"{number}/about"] = torch.tensor([int(getattr(one, name)) for name in ABOUT])
    write_atomic(path, save(found))
    return path


def kept(path: Path) -> list[Attempt]:
    """What keep() wrote."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
        count = len({name.split("/")[0] for name in found})
        return [_attempt(found, f"{number}/") for number in range(count)]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(
            f"{path} holds no attempts that can be read ({str(error)[:200]}); put a copy back, or begin anew"
        ) from None


def _attempt(found: Mapping[str, torch.Tensor], prefix: str) -> Attempt:
    decided, success, steps, led = found[f"{prefix}about"].tolist()
    situations, shifts, rewards = (found[prefix + name] for name in FIELDS[:3])
    wanted = found.get(f"{prefix}wanted")
    return Attempt(situations, shifts, rewards, bool(decided), bool(success), steps, led, wanted)
