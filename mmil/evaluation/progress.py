"""A bar over trials that tells how they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmil.contracts import Trial


@contextmanager
def trial_bar(doing: str, *, total: int) -> Iterator[Callable[[Trial], None]]:
    """Advance it with every trial that ends."""
    from tqdm import tqdm

    successes = 0
    with tqdm(total=total, desc=doing, unit="trial", dynamic_ncols=True, mininterval=0.5) as bar:

        def advance(trial: Trial) -> None:
            nonlocal successes
            successes += trial.success
            bar.update(1)
            bar.set_postfix_str(f"success {successes}/{bar.n}", refresh=False)

        yield advance
