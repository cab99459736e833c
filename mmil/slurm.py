"""`mmil train --cluster slurm`: the same command as a SLURM job, which goes on by itself where it was stopped.

submitit asks for the job, runs it on every task, and queues it again when it is preempted or its time is over; the run
then goes on from its last checkpoint. Nodes share this project, the data set and the run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mmil.contracts import UserError

Cluster = Literal["slurm", "local"]  # local: the job as a process of this machine, to see whether it would run
HERE = "--cluster=null"  # the last word of the command that a job runs


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """What is asked of SLURM.

    Args:
        partition: where the job runs (the cluster's own)
        minutes: until the job is stopped and queued again
        memory: of a node [GB] (the cluster's own)
        cpus: of a process
        requeues: how often it is queued again at most
        more: any other option of sbatch: {account: robots, constraint: a100}
    """

    partition: str | None = None
    minutes: int = 60
    memory: int | None = None
    cpus: int = 4
    requeues: int = 10
    more: dict[str, Any] = field(default_factory=dict)


class Training:
    """`mmil train` with these arguments; begun again, it goes on from the last checkpoint."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)

    def __call__(self) -> str:
        """The run folder."""
        from mmil.cli import main

        if code := main(["train", *self.arguments, HERE]):
            raise RuntimeError(f"mmil train ended with {code}; the log above says why")
        return "finished"

    def checkpoint(self) -> Any:
        """What submitit queues when it stops this."""
        return _submitit().helpers.DelayedSubmission(Training(self.arguments))

    __submitit_checkpoint__ = checkpoint  # its name from submitit 1.5.4 on


def submit(
    arguments: Sequence[str], *, out: Path, cluster: Cluster, slurm: Slurm, devices: Any, nodes: int, gpus: bool
) -> Any:
    """The job, a process for each of `devices` on each of `nodes`; its logs are beside the run, in OUT.jobs."""
    submitit = _submitit()
    if devices == "auto":
        raise UserError(f"--cluster {cluster} needs --devices: how many GPUs, or processes, each node shall have")
    if cluster == "local" and devices * nodes > 1:
        raise UserError(f"--cluster local runs one process, not {devices * nodes}: leave out --cluster local")
    asked: dict[str, Any] = {
        "name": out.name,
        "timeout_min": slurm.minutes,
        "mem_gb": slurm.memory,
        "nodes": nodes,
        "tasks_per_node": devices,
        "cpus_per_task": slurm.cpus,
        "gpus_per_node": devices if gpus else None,
        "slurm_partition": slurm.partition,
        "slurm_srun_args": ["--kill-on-bad-exit=1"],  # one process that ends badly leaves the others waiting
        "slurm_additional_parameters": slurm.more,
    }
    try:
        executor = submitit.AutoExecutor(
            folder=out.with_name(f"{out.name}.jobs"), cluster=cluster, slurm_max_num_timeout=slurm.requeues
        )
        executor.update_parameters(**{name: value for name, value in asked.items() if value not in (None, {})})
        return executor.submit(Training(arguments))
    except (OSError, RuntimeError, submitit.core.utils.FailedSubmissionError) as error:
        raise UserError(f"the job was not taken: {' '.join(str(error).split())[:500]}") from None


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise UserError("--cluster slurm needs submitit, which is not installed: pip install 'mmil[slurm]'") from None
    return submitit
