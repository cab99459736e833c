"""`mmil train`, here and now or as a job of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmil.algos.machine import Machine
from mmil.algos.training import train
from mmil.slurm import Cluster, Slurm, submit

JOB = ("cluster", "slurm")  # options that a run does not depend on
PLAIN = Slurm()


def train_somewhere(*, cluster: Cluster | None = None, slurm: Slurm = PLAIN, **training: Any) -> Path:
    """Train a policy, here or as a job of a cluster.

    Args:
        cluster: slurm: as a job of it; local: the same as a process of this machine, to see whether it would run
        slurm: what the job is asked for
        training: what train takes; the command line reads its options there
    """
    return train(**training)


def launch(
    options: Mapping[str, Any], *, config: Mapping[str, Any], command: Sequence[str], tell: Callable[[str], None]
) -> Path | None:
    """Do what `options` of train_somewhere say; None where the `command` was handed to a cluster."""
    training = {name: value for name, value in options.items() if name not in JOB}
    if options["cluster"] is None:
        return train(**training, config={name: config[name] for name in config if name not in JOB}, tell=tell)
    machine = Machine(options["accelerator"], devices=options["devices"], nodes=options["nodes"])
    gpus = machine.accelerator in ("gpu", "cuda") or (machine.accelerator == "auto" and options["cluster"] == "slurm")
    places: dict[str, Any] = {"devices": machine.devices, "nodes": machine.nodes, "gpus": gpus}
    job = submit(command, out=options["out"], cluster=options["cluster"], slurm=options["slurm"], **places)
    tell(f"job {job.job_id} is queued; it says how it goes in {job.paths.stderr}")
    tell("next, when it has ended: the same command without --cluster, which says how it ended, or")
    tell(f"      mmil evaluate {options['out']} --suite all")
    return None
