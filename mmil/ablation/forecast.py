"""What an ablation has still to do, and how long that takes if every variant takes as long as the base did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmil.ablation.recipe import BASE, Job
from mmil.ablation.results import judged, seconds, trained
from mmil.contracts import UserError
from mmil.data.dataset import MANIFEST
from mmil.evaluation.page import duration
from mmil.evaluation.runs import read_run
from mmil.evaluation.tables import aligned

TO_TRAIN, TO_JUDGE, DONE = "to train and judge", "trained, to judge", "done"


def forecast(jobs: Sequence[Job], asked: Sequence[Job]) -> Iterator[str]:
    """A line a training that is asked for, and what is known of the cost."""
    states = {job.run: _state(job) for job in asked}
    rows = [[job.run.name, states[job.run], _stands_for(job)] for job in asked]
    yield from (line.rstrip() for line in aligned([["run", "state", "stands for"], *rows], left=3))
    left = [state for state in states.values() if state in (TO_TRAIN, TO_JUDGE)]
    yield f"{len(asked)} trainings, {_states(left)}; {_cost(jobs, left)}"


def _states(left: Sequence[str]) -> str:
    """How many are left to do."""
    if not left:
        return "all done"
    return f"{left.count(TO_TRAIN)} to train and {len(left)} to judge"


def _state(job: Job) -> str:
    try:
        if not trained(job):
            return TO_TRAIN
    except UserError as error:
        return f"refused: {error}"
    return DONE if judged(job) else TO_JUDGE


def _stands_for(job: Job) -> str:
    told = ", ".join(" ".join(place) for place in job.places) or "what nothing is changed in"
    if job.made:
        changed = ", ".join(f"{name}: {value}" for name, value in job.made.changed.items())
        state = "" if (job.made.path / MANIFEST).is_file() else "; to generate"
        return f"{told} (data {job.data}: {changed}{state})"
    return told


def _cost(jobs: Sequence[Job], left: Sequence[str]) -> str:
    """By the base, if it is done."""
    base = next((job for job in jobs if job.name == BASE and (job.run / "train.json").is_file()), None)
    run = read_run(base.run) if base else None
    train = run.train.get("seconds") if run else None
    judge = seconds(run, base.judged["suite"].split(",")) if run and base else None
    if train is None or judge is None:
        return "what the base takes is not known yet (--only base finds out)"
    whole = duration(left.count(TO_TRAIN) * train + len(left) * judge)
    took = f"the base took {duration(train)} to train and {duration(judge)} to judge"
    return f"{took}: about {whole} in all, and what is to generate besides"
