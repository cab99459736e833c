"""`mmil ablate`: train and judge every variant of a recipe that is not done yet, and draw what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mmil import child
from mmil.ablation.forecast import forecast
from mmil.ablation.page import write
from mmil.ablation.recipe import Axes, Job, Recipe, Resolve, chosen, require_episodes
from mmil.ablation.results import judged, results, trained
from mmil.child import Options, Run
from mmil.contracts import UserError
from mmil.data.locked import LOCK, locked
from mmil.evaluation.suites import load_suite

SUITES = ("seen", "paraphrase", "camera")


@dataclass
class Ablation:
    """What there is to say of it at the end, and which trainings failed, with the reason."""

    lines: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def ablate(
    *,
    base: str,
    data: Path,
    out: Path,
    axes: Axes,
    train: Options | None = None,
    evaluate: Options | None = None,
    suites: Sequence[str] = SUITES,
    seeds: Sequence[int] = (0,),
    only: str | None = None,
    estimate: bool = False,
    resolve: Resolve,
    run: Run | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Ablation:
    """Train and judge variants of a policy, and leave a figure and a table in `out`; what is done stays done.

    Args:
        base: the config of `mmil train` that variants change
        data: the data set of those that name no other
        out: a folder for the trainings and what came of them
        axes: axis → name → what is changed
        train: options of `mmil train` for all variants, by their dotted names
        evaluate: options of `mmil evaluate` for all variants; its seed is the trials'
        suites: what they are judged on
        seeds: each variant is trained with each, and judged on the same layouts
        only: some axes or variants, with commas
        estimate: tell what there is to do and what it will cost, and do nothing
        resolve: all options of a command line of mmil
        run: does a command line of mmil
        tell: hears how it goes
    """
    for suite in suites:
        load_suite(suite)
    common = {"train": train or {}, "evaluate": evaluate or {}, "suites": suites, "seeds": seeds}
    recipe = Recipe(base=base, data=data, out=out, axes=axes, **common)
    places = [(axis, name) for axis, name, _ in recipe.variants]
    jobs = recipe.jobs(resolve)
    asked = chosen(jobs, only)
    require_episodes(asked)
    for line in forecast(jobs, asked):
        tell(line)
    if estimate:
        return Ablation(["next: the same without --estimate; nothing was written"])
    with _alone(out) as lock:
        done = Ablation()
        work = run or partial(child.run, log=out / "log.txt", hold=lock)
        for number, job in enumerate(asked, start=1):
            _try(job, work, done, tell=partial(_numbered, tell, f"{number}/{len(asked)} {job.run.name}"))
            page, table = write(out, results(jobs, places, suites=suites, failed=done.failed))
            done.lines = [*table, f"look at: {page}"]
    return done


def _numbered(tell: Callable[[str], None], what: str, line: str) -> None:
    tell(f"{what}: {line}")


def _try(job: Job, run: Run, done: Ablation, *, tell: Callable[[str], None]) -> None:
    """Whatever a variant fails by, the others go on."""
    try:
        _do(job, run, tell=tell)
    except UserError as error:
        done.failed[job.run.name] = str(error)
        tell(f"failed: {error}")


def _do(job: Job, run: Run, *, tell: Callable[[str], None]) -> None:
    is_trained = trained(job)
    if is_trained and judged(job):
        return
    if job.made:
        tell(f"its data set {job.made.path}")
        run(job.made.arguments)
    if not is_trained:
        tell("training")
        run(job.train)
    tell("trials")
    run(job.evaluate)


@contextmanager
def _alone(out: Path) -> Iterator[int]:
    """The lock of a folder that holds an ablation or nothing, as a file descriptor."""
    strangers = [item.name for item in out.iterdir() if item.name not in OWN] if out.is_dir() else []
    if strangers or (out.exists() and not out.is_dir()):
        raise UserError(f"{out} holds something else: {', '.join(strangers[:3])}; name a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    with locked(out, error=f"{out} is being worked at by another process, or by what one has left behind") as lock:
        yield lock.fileno()


OWN = (LOCK, "log.txt", "runs", "results.json", "table.txt", "figure.svg", "ablation.html")
