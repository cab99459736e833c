"""A Ray cluster of two nodes does what processes do, and goes on where one of them is lost."""

import functools
import os
import signal
import sys
import threading
import time

import pytest

from mmil.contracts import UserError
from mmil.parallel import run
from tests.plane import Plane, build, files

ray = pytest.importorskip("ray")
SYSTEM = {  # a node that is gone is noticed within a second
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 300,
    "health_check_failure_threshold": 2,
}
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes; the test that takes one away comes last."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {**NODE, "include_dashboard": False, "_system_config": SYSTEM}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(**NODE)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def over(cluster):
    """`run`, with a task alone, on that cluster."""

    def over_cluster(task, items, **options):
        return dict(
            run(call, items, make=functools.partial(give, task), cluster="ray", address=cluster.address, **options)
        )

    return over_cluster


def give(task):
    return task


def call(task, item):
    return task(item)


def place(mark):
    """Where it was done; who is first waits for whoever works elsewhere, which on a busy machine may take a while."""
    node = ray.get_runtime_context().get_node_id()
    (mark.parent / node).touch()
    until = time.monotonic() + 60
    while len(list(mark.parent.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    return node, os.environ.get("MMIL_X")


def die_once(mark):
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def test_every_node_works_in_the_environment_asked_for(over, tmp_path):
    items = [tmp_path / str(number) for number in range(6)]
    found = over(place, items, env={"MMIL_X": "1"})
    assert sorted(found) == items and {env for _, env in found.values()} == {"1"}
    assert len({node for node, _ in found.values()}) == 2


def test_a_worker_that_dies_is_replaced(over, tmp_path):
    assert over(die_once, [tmp_path / "mark"], workers=1) == {tmp_path / "mark": "alive"}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there_is_told(address):
    with pytest.raises(UserError, match=f"no Ray cluster at {address}: "):
        list(run(call, [1], make=dict, cluster="ray", address=address))


def test_an_address_needs_a_cluster():
    with pytest.raises(UserError, match=r"address 127\.0\.0\.1:1 is of no use without a cluster"):
        run(call, [1], make=dict, address="127.0.0.1:1")


def test_ray_that_is_missing_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs ray, which is not installed: pip install 'mmil\[cluster\]'"):
        list(run(call, [1], make=dict, cluster="ray"))


def test_a_node_that_is_lost_loses_no_episode(cluster, tmp_path):
    """The other one goes on, and the bytes are those of one worker here."""
    build(tmp_path / "here", episodes=12)
    lost: list[bool] = []
    thread = threading.Thread(target=lambda: lost.append(lose_a_node(cluster, tmp_path / "there")))
    thread.start()
    scene = functools.partial(Plane, pause=0.01)
    build(tmp_path / "there", episodes=12, scene=scene, workers=2, cluster="ray", address=cluster.address)
    thread.join()
    assert lost == [True]
    assert files(tmp_path / "there") == files(tmp_path / "here")


def lose_a_node(cluster, out):
    """Whether it was lost while the work went on."""
    while not list(out.rglob("*.part")):
        time.sleep(0.01)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    return not (out / "manifest.json").exists()
