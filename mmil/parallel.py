"""Map work over processes of this machine, or over a Ray cluster.

    for item, result in run(task, items, make=Kitchen, workers=4): ...    # result = task(kitchen, item)

Each worker is a fresh process that calls `make` once and keeps what it gets, so that an expensive scene is built once a
worker. One that fails at an item (a crash in a driver, the kernel short of memory, a lost GL context, a hang) is
replaced and its item tried again. Workers end with their parent, however that ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from functools import partial
from typing import Any, Literal, TypeVar

from mmil.contracts import UserError
from mmil.crew import Crew, Hall, Job, WorkError
from mmil.processes import Here, Processes, available_cores

__all__ = [
    "PATIENCE",
    "Cluster",
    "WorkError",
    "available_cores",
    "checked",
    "map_unordered",
    "run",
    "simulation_env",
    "standing",
]

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = Callable[[Any, Item], Result]
Cluster = Literal["ray"]

PATIENCE = 600.0  # [s], for an episode or a trial, unless told otherwise
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ONE_THREAD |= {"LP_NUM_THREADS": "0"}  # mesa's renderer: in the thread that asks; 1 would be another one to wait for


def simulation_env() -> dict[str, str]:
    """What a process that simulates and renders should find: one thread a library, and EGL unless told otherwise."""
    return {**ONE_THREAD, "MUJOCO_GL": os.environ.get("MUJOCO_GL") or "egl"}


def run(
    task: Task[Item, Result],
    items: Iterable[Item],
    *,
    make: Callable[[], Any],
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    name: Callable[[Item], str] = str,
    patience: float | None = None,
    last: Task[Item, Result] | None = None,
    cluster: Cluster | None = None,
    address: str | None = None,
) -> Generator[tuple[Item, Result], None, None]:
    """Yield (item, task(made, item)) as they finish; workers None means one a core.

    `env` is set before a worker imports anything. A UserError in a task arrives as it is; whatever else fails, fails
    again with two other workers before it arrives as a WorkError that holds the traceback and `name(item)`; the last
    of them does `last` instead of `task`, if that is given. What `make` returned is closed at the end if it can be.

    A worker that is silent for `patience` seconds (more where items take long) counts as one that died. Where patience
    has no end, a single worker works in this process. `cluster` "ray": on the nodes of the Ray cluster at `address`, or
    of one that begins and ends with the work; what travels is pickled, and results come back here.
    """
    checked(workers=workers, cluster=cluster, address=address, patience=patience)
    alone = workers == 1 and patience is None and cluster is None
    open_hall = partial(_hall, Job(task, make, last), env or {}, workers, alone=alone, cluster=cluster, address=address)
    return _work(items, open_hall, workers=workers, name=name, patience=patience)


def standing(
    task: Task[Any, Any],
    *,
    make: Callable[[], Any],
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    name: Callable[[Any], str] = str,
    patience: float | None = PATIENCE,
) -> Crew:
    """Workers of this machine who stay between one `work(items)` and the next, until `close()`; see run."""
    checked(workers=workers, cluster=None, address=None, patience=patience)
    alone = workers == 1 and patience is None
    hall = _hall(Job(task, make), env or {}, workers, alone=alone, cluster=None, address=None)
    return Crew(hall, workers=workers or hall.places, name=name, patience=patience)


def checked(
    *, workers: int | None, cluster: Cluster | None, address: str | None, patience: float | None
) -> dict[str, Any]:
    """These options of run; UserError where they make no sense."""
    for what, number in {"workers": workers, "patience": patience}.items():
        if number is not None and number <= 0:
            raise UserError(f"{what} is {number}; it must be more than 0")
    if address is not None and cluster is None:
        raise UserError(f"address {address} is of no use without a cluster: add --cluster ray")
    return {"workers": workers, "cluster": cluster, "address": address, "patience": patience}


def map_unordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    name: Callable[[Item], str] = str,
) -> Generator[tuple[Item, Result], None, None]:
    """Yield (item, function(item)) as they finish; see run."""
    return run(_call, items, make=_Given(function), workers=workers, env=env, name=name)


class _Given:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)


def _hall(
    job: Job, env: Mapping[str, str], workers: int | None, *, alone: bool, cluster: Cluster | None, address: str | None
) -> Hall:
    if cluster == "ray":
        from mmil.cluster import RayCluster

        return RayCluster(job, env=env, address=address, workers=workers)
    return Here(job, env=env) if alone else Processes(job, env=env)


def _work(
    items: Iterable[Any], open_hall: Callable[[], Hall], *, workers: int | None, name: Any, patience: float | None
) -> Generator[tuple[Any, Any], None, None]:
    hall = open_hall()
    with closing(Crew(hall, workers=workers or hall.places, name=name, patience=patience)) as crew:
        yield from crew.work(iter(items))
