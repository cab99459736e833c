"""A policy over a socket acts as the same policy here, whoever else is connected."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import mmil
from mmil.contracts import UserError
from mmil.rollout import rollout
from mmil.serving import Client
from tests.serving.conftest import ROOT, Served
from tests.sorting import Sorting


@pytest.fixture(autouse=True)
def one_thread():
    """As the server: another number of threads computes otherwise in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def actions(actor, seed: int) -> np.ndarray:
    return rollout(Sorting(), actor, seed=seed, horizon=9, instruction="lift the red cube").actions


def test_a_served_policy_acts_as_the_local_one_to_the_last_bit(trained, served):
    local = mmil.load(trained)
    with Client(served.address, spec=Sorting.spec) as robot:
        assert robot.spec == local.spec and robot.control_hz == 20.0 and robot.meaning == local.meaning
        for seed in (1, 2):
            assert np.array_equal(actions(robot, seed), actions(local, seed))


def test_clients_at_a_time_have_a_history_each(trained, served):
    """Each is in the middle of another chunk when the other asks."""
    local, scenes = [mmil.load(trained) for _ in range(2)], [Sorting(), Sorting()]
    with Client(served.address) as one, Client(served.address) as other:
        steps = [scene.reset(seed) for seed, scene in enumerate(scenes)]
        for robot in (one, other):
            robot.reset(5)
        for moment in range(8):
            for which in (0, 1) if moment % 3 else (0, 0, 1):
                told = steps[which].observation
                answers = [actor[which].act(told) for actor in ([one, other], local)]
                assert np.array_equal(*answers)
                steps[which] = scenes[which].step(answers[0])


def test_a_client_needs_no_torch():
    code = "import sys, mmil.serving; sys.exit('torch' in sys.modules or 'robosuite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (replace(Sorting.spec, control_hz=10.0), "control_hz: 20.0 != 10.0"),
        ({"cameras": {"top": (40, 40, 3)}}, "cameras.side: [40, 40, 3] != (absent)"),
        ({"signals": {"eef_pos_world": (3,), "wrench": (8, 6)}}, "signals.wrench: [4, 6] != [8, 6]"),
        ({"camera": {}}, "no field 'camera' in a Spec; there are scene, cameras"),
    ],
)
def test_another_spec_is_refused_with_the_lines_that_differ(served, part, line):
    with pytest.raises(UserError) as error:
        Client(served.address, spec=part)
    assert line in str(error.value) and "\n" not in str(error.value)


def test_a_part_of_the_spec_is_enough(served):
    Client(served.address, spec={"control_hz": 20, "cameras": Sorting.spec.cameras}).close()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_as_many_clients_as_are_asked_for_and_a_clean_end(trained, by):
    server = Served(trained, "--clients", "1")
    with Client(server.address) as robot:
        robot.reset(1)
        with pytest.raises(UserError, match="1 clients are connected"):
            Client(server.address)
        last = server.stop(by)
        assert last.strip().endswith("stopped; 1 clients were given 0 actions") and server.process.returncode == 0
        with pytest.raises(UserError, match=r"gave no answer|cannot be asked"):
            robot.reset(2)
    with pytest.raises(UserError, match="nobody serves at"):
        Client(server.address)


def test_who_stays_silent_leaves_the_place_to_others(trained):
    server = Served(trained, "--clients", "1", "--idle", "2")
    try:
        with Client(server.address) as silent:
            with pytest.raises(UserError, match="1 clients are connected"):
                Client(server.address)
            time.sleep(4)  # and a second to part
            with Client(server.address) as robot:
                robot.reset(1)
            with pytest.raises(UserError, match=r"nothing was said in 2 s|gave no answer|cannot be asked"):
                silent.reset(1)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["{run}", "--port", "{taken}"], "cannot listen at 127.0.0.1"),
        (["{run}", "--execute", "99"], "cannot execute 99 actions of a chunk of 4"),
        (["{run}", "--device", "abacus"], "no device 'abacus' here"),
        (["{run}", "--clients", "0"], "0 clients"),
        (["{run}", "--idle", "0"], "idle is 0.0; it must be above 0"),
        (["{run}/nothing"], "is not a run"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(trained, served, options, message):
    from mmil.commands import serve

    arguments = [part.format(run=trained, taken=served.address.split(":")[1]) for part in options]
    with pytest.raises(UserError) as error:
        serve(arguments)
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1", "127.0.0.1:x", ":99"])
def test_an_address_is_a_host_and_a_port(address):
    with pytest.raises(UserError, match="expected host:port"):
        Client(address)
