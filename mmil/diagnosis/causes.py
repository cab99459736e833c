"""What the numbers say of why it fails: the causes that they speak for, the strongest first, with the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENOUGH = 0.95  # success, above which there is nothing to explain
AWAY = 1.5  # times as far from the expert's states as the expert itself, or times its error there
SPLIT = 0.7  # of how differently the expert acts anywhere, in neighbouring states
UNSEEN = 1.5  # times the loss in training, on held-out episodes
DEAF = 0.5  # of what another sentence changes for the expert


def causes(told: Mapping[str, Any], *, loss: float | None, held_out: float | None) -> list[str]:
    """Lines for a person. loss, held_out: of the training at its end, where it is known."""
    if told["successes"] >= ENOUGH * told["walks"]:
        return ["nothing to explain: it succeeds"]
    found: list[tuple[float, str]] = []
    if told["heard"] is not None and told["heard"] < DEAF:
        line = f"another sentence changes what it does {told['heard']:.2f} times as much as what the expert does"
        found.append((DEAF / max(told["heard"], 1e-3), f"ignored language: {line}"))
    apart = told["error"] / max(told["error_expert"], 1e-9)
    away = (told["far_failed"] or 0.0) / max(told["far_expert"] or 1.0, 1e-9)
    if min(apart, away) > AWAY:
        line = f"where it fails it ends {away:.1f} times as far from the expert's states as the expert from its own"
        line += f", and errs {apart:.1f} times as much in its own states as in the expert's"
        found.append((min(apart, away) / AWAY, f"covariate shift: {line}"))
    if told["split"] > SPLIT:
        line = f"in neighbouring states the expert's actions differ {told['split']:.2f} times as much as anywhere"
        found.append((told["split"] / SPLIT, f"multimodal actions, or states that look alike: {line}"))
    if loss and held_out and held_out > UNSEEN * loss:
        line = f"its loss on held-out episodes is {held_out / loss:.1f} times that in training"
        found.append((held_out / loss / UNSEEN, f"too few demonstrations: {line}"))
    if not found:
        return ["none of the usual causes stands out: look at the films of its failures"]
    return [line for _, line in sorted(found, reverse=True)]
