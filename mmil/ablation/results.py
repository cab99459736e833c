"""What the runs of an ablation have come to: what is done of each, and their results as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import mean
from typing import Any

from mmil.ablation import pooling
from mmil.ablation.recipe import BASE, Job, Place
from mmil.contracts import Trial, UserError
from mmil.evaluation.extent import usual_horizon, usual_trials
from mmil.evaluation.places import finished
from mmil.evaluation.runs import Run, read_run
from mmil.evaluation.statistics import Paired, paired, wilson
from mmil.evaluation.trials import weights_sha256
from mmil.execution import executed
from mmil.run import RunFolder, commit

Results = Mapping[str, Any]


def trained(job: Job) -> bool:
    """Whether its run is finished; UserError where the folder holds another one."""
    if not RunFolder.finished_with(job.run, job.config):
        return False
    if job.made:
        there = RunFolder.open(job.run).data["config"]
        other = [key for key, value in job.made.config.items() if key in there and there[key] != value]
        if other:
            raise UserError(f"{job.run} learnt from data of another {', '.join(other)}; name a new folder")
    return True


def judged(job: Job) -> bool:
    """Whether its trials are those that are asked for, in every suite."""
    folder = RunFolder.open(job.run)
    scene = folder.made_with["scene"]
    asked = {name: job.judged[name] for name in ("seed", "ensemble")}
    asked |= {"n": job.judged["trials"] or usual_trials(scene)}
    asked |= {"horizon": job.judged["horizon"] or usual_horizon(scene)}
    asked |= {"execute": executed(job.judged["execute"], job.judged["ensemble"], future=folder.future)}
    asked |= {"weights_sha256": weights_sha256(job.run)}
    return all(finished(job.run / "evaluation" / suite, asked) for suite in job.judged["suite"].split(","))


def results(
    jobs: Sequence[Job], places: Sequence[Place], *, suites: Sequence[str], failed: Mapping[str, str]
) -> dict[str, Any]:
    """Of every variant in every axis, in the order of `places`, what is known so far."""
    runs = {job.run: run for job in jobs if (run := _run(job))}
    row = partial(_row, jobs=jobs, runs=runs, suites=suites)
    return {
        "suites": list(suites),
        "seeds": sorted({job.seed for job in jobs}),
        "lines": sorted(axis for axis in {axis for axis, _ in places} if _counts_episodes(axis, jobs)),
        "base": row(lambda job: job.name == BASE, axis="", variant=BASE),
        "rows": [
            row(lambda job, place=place: place in job.places, axis=place[0], variant=place[1]) for place in places
        ],
        "failed": dict(failed),
        "mmil_commit": commit(),
    }


def _counts_episodes(axis: str, jobs: Sequence[Job]) -> bool:
    """Whether its variants differ in how many demonstrations they learn from, and not only from another axis."""
    return len({job.config.get("episodes") for job in jobs for place in job.places if place[0] == axis}) > 1


def _run(job: Job) -> Run | None:
    """Of finished trainings alone: the trials of an unfinished one are of other weights."""
    return read_run(job.run) if (job.run / "train.json").is_file() else None


def _row(
    asked: Callable[[Job], bool],
    *,
    jobs: Sequence[Job],
    runs: Mapping[Any, Run],
    suites: Sequence[str],
    axis: str,
    variant: str,
) -> dict[str, Any]:
    mine = [job for job in jobs if asked(job) and job.run in runs]
    bases = {job.seed: runs[job.run] for job in jobs if job.name == BASE and job.run in runs}
    sides = [(runs[job.run], bases.get(job.seed)) for job in mine]
    told = [run for run, _ in sides]
    return {
        "axis": axis,
        "variant": variant,
        "name": next(job.name for job in jobs if asked(job)),
        "runs": [str(run.path) for run in told],
        "episodes": _mean([run.data.get("training_episodes") for run in told]),
        "train_seconds": _mean([run.train.get("seconds") for run in told]),
        "judge_seconds": _mean([seconds(run, suites) for run in told]),
        "suites": {suite: cell for suite in suites if (cell := _cell(suite, sides))},
    }


def _cell(suite: str, sides: Sequence[tuple[Run, Run | None]]) -> dict[str, Any] | None:
    """Success in one suite, of all seeds together and of each, and how much more than the base's on the same trials."""
    trials = [some for run, _ in sides if (some := _trials(run, suite))]
    if not trials:
        return None
    told = pooling.rate(trials) if len(trials) > 1 else _alone(trials[0])
    pairs = [(_trials(run, suite), _trials(base, suite)) for run, base in sides if base and run is not base]
    return {**told, "against_base": _against([(ours, theirs) for ours, theirs in pairs if ours and theirs])}


def _alone(trials: Sequence[Trial]) -> dict[str, Any]:
    """Of one training, whose trials are a sample of their own."""
    whole = wilson(sum(one.success for one in trials), len(trials))
    return {**vars(whole), "layouts": whole.n, "rates": [whole.rate]}


def _against(pairs: Sequence[tuple[Sequence[Trial], Sequence[Trial]]]) -> dict[str, Any] | None:
    """Points to the base, a pair a training seed; None where no trial of the two can be compared."""
    if len(pairs) > 1:
        told = pooling.difference(pairs)
        return told if told["n"] else None
    pair = paired(*pairs[0]) if pairs else Paired.of(())
    low, high = pair.interval
    told = {"n": pair.n, "layouts": pair.n, "points": pair.points, "low": low, "high": high, "p": pair.p}
    return told if pair.n else None


def _trials(run: Run, suite: str) -> Sequence[Trial]:
    there = run.suite(suite)
    return there.trials if there else ()


def seconds(run: Run, suites: Sequence[str]) -> float | None:
    found = [there.summary.get("seconds") for suite in suites if (there := run.suite(suite))]
    return sum(one or 0.0 for one in found) if found else None


def _mean(numbers: Sequence[Any]) -> float | None:
    known = [number for number in numbers if number is not None]
    return mean(known) if known else None
