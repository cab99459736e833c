"""Workers on the nodes of a Ray cluster: an actor each. Ray starts them and carries answers back; who does what, how
often and for how long is decided where it is for processes (crew.py), so that Ray itself tries nothing again.

Nodes need this project at the same version, and nothing else: no shared disk, no credentials.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from mmil.contracts import UserError
from mmil.crew import Answer, Bench, Hall, Job, Worker
from mmil.processes import PARTING, available_cores

QUIET = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}


class RayCluster(Hall):
    """The cluster at `address`; without one, a cluster of this machine that ends with the hall."""

    def __init__(self, job: Job, *, env: Mapping[str, str], address: str | None, workers: int | None) -> None:
        self._ray = _ray()
        self._job, self._begun = job, not self._ray.is_initialized()
        if self._begun:
            _connect(self._ray, address, workers)
        self.places = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        runtime = {"env_vars": dict(env)}
        self._servant = self._ray.remote(_Servant).options(num_cpus=1, runtime_env=runtime)

    def hire(self) -> _Actor:
        return _Actor(self._ray, self._servant.remote(self._job))

    def wait(self, workers: Sequence[_Actor], seconds: float | None) -> Sequence[_Actor]:
        told = {worker.said: worker for worker in workers}
        self._ray.wait(list(told), timeout=seconds)
        done, _ = self._ray.wait(list(told), num_returns=len(told), timeout=0)  # everybody who has by now
        return [told[said] for said in done]

    def close(self) -> None:
        if self._begun:
            self._ray.shutdown()


class _Servant:
    """What lives on a node."""

    def __init__(self, job: Job) -> None:
        self._bench = Bench(job)

    def begin(self) -> Answer:
        return "ready", None

    def do(self, item: Any, last: bool) -> Answer:
        return self._bench.do(item, last=last)

    def close(self) -> None:
        self._bench.close()


class _Actor(Worker):
    def __init__(self, ray: Any, servant: Any) -> None:
        self._ray, self._servant = ray, servant
        self.said = servant.begin.remote()  # a reference to what it will answer
        self._parting = 0.0

    def give(self, item: Any, *, last: bool) -> None:
        self.said = self._servant.do.remote(item, last)

    def answer(self) -> Answer:
        try:
            return self._ray.get(self.said)
        except self._ray.exceptions.RayActorError as error:  # it died, or its node
            return "death", f"died: {' '.join(str(error).split())}"
        except self._ray.exceptions.RayError as error:  # its answer was lost on the way, or could not travel
            return "error", str(error)

    def dismiss(self) -> None:
        self.said, self._parting = self._servant.close.remote(), PARTING

    def kill(self) -> None:
        self._ray.wait([self.said], timeout=self._parting)
        self._ray.kill(self._servant)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError("--cluster ray needs ray, which is not installed: pip install 'mmil[cluster]'") from None
    return ray


def _connect(ray: Any, address: str | None, workers: int | None) -> None:
    own = {"address": "local", "num_cpus": workers or available_cores()}
    try:
        _knock(address)
        ray.init(**({"address": address} if address else own), **QUIET)
    except (OSError, RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"no Ray cluster at {address or 'this machine'}: {lines[0]}") from None


def _knock(address: str | None) -> None:
    """OSError where nobody listens; Ray would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        with socket.create_connection((host, int(port)), timeout=10):
            pass
