"""`mmil train`, here and now or as a job of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmil import child
from mmil.algos.interaction import Course, Interaction
from mmil.algos.machine import Machine
from mmil.algos.training import train
from mmil.contracts import UserError
from mmil.data.locked import locked
from mmil.run import RunFolder
from mmil.slurm import Cluster, Slurm, submit

JOB = ("cluster", "slurm")  # options that a run does not depend on
PLACES = ("data", "out")
LOG = "log.txt"  # what the commands of an interaction said
PLAIN = Slurm()


def train_somewhere(
    *, interaction: Interaction | None = None, cluster: Cluster | None = None, slurm: Slurm = PLAIN, **training: Any
) -> Path:
    """Train a policy, here or as a job of a cluster.

    Args:
        interaction: rounds in which the policy acts (mmil.algos.DAgger); none: learn from the data alone
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
    config = {name: config[name] for name in config if name not in JOB}
    if options["cluster"] is None:
        interaction = training.pop("interaction")
        if interaction is not None:
            return _interact(interaction, training, config=config, tell=tell)
        config.pop("interaction")
        return train(**training, config=config, tell=tell)
    machine = Machine(options["accelerator"], devices=options["devices"], nodes=options["nodes"])
    if options["interaction"] is not None and (machine.nodes > 1 or machine.devices not in (1, "auto")):
        many = f"{machine.devices} devices on {machine.nodes} nodes"
        raise UserError(f"an interaction is led by one process, and a job of {many} would begin one in each")
    gpus = machine.accelerator in ("gpu", "cuda") or (machine.accelerator == "auto" and options["cluster"] == "slurm")
    places: dict[str, Any] = {"devices": machine.devices, "nodes": machine.nodes, "gpus": gpus}
    job = submit(command, out=options["out"], cluster=options["cluster"], slurm=options["slurm"], **places)
    tell(f"job {job.job_id} is queued; it says how it goes in {job.paths.stderr}")
    tell("next, when it has ended: the same command without --cluster, which says how it ended, or")
    tell(f"      mmil evaluate {options['out']} --suite all")
    return None


def _interact(
    interaction: Interaction, training: Mapping[str, Any], *, config: Mapping[str, Any], tell: Callable[[str], None]
) -> Path:
    """Let it learn in the run's folder, which is one begun with this config or new."""
    data, out = training["data"], training["out"].absolute()  # parts name each other by it
    if RunFolder.finished_with(out, config):
        return out
    RunFolder.claim(out, config)
    inner = {name: value for name, value in config.items() if name not in ("interaction", *PLACES)}
    with locked(out, error=f"{out} is being worked at by another process, or by what one has left behind") as lock:
        run = partial(child.run, log=out / LOG, hold=lock.fileno())
        for line in interaction.learn(Course(data, out, inner, config["interaction"].get("init_args", {}), run, tell)):
            tell(line)
    return out
