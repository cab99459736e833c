"""A Ray cluster of two nodes does what processes do, and goes on with one."""

import os
import time

import pytest

from mmil.parallel import run

ray = pytest.importorskip("ray")
SYSTEM = {  # notice within a second that a node is gone
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 300,
    "health_check_failure_threshold": 2,
}
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(
        initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "_system_config": SYSTEM}
    )
    cluster.add_node(**NODE)
    yield cluster
    cluster.shutdown()


def where(_: int):
    time.sleep(0.2)
    return os.getpid(), ray.get_runtime_context().get_node_id(), os.environ.get("MMIL_X")


def test_it(cluster):
    t = time.time()
    got = dict(
        run(
            lambda made, i: where(i),
            range(6),
            make=lambda: None,
            cluster="ray",
            address=cluster.address,
            env={"MMIL_X": "1"},
        )
    )
    print(time.time() - t, got)
    import sys

    sys.stderr.write(f"{time.time() - t} {got}\n")
    assert 0
