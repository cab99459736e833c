"""Demonstrations of the toy, and a policy cloned from them, for all tests of reinforcement."""

from pathlib import Path

import pytest

from tests.reinforcing.tried import course
from tests.toy import demonstrated


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory) -> Path:
    return demonstrated(tmp_path_factory.mktemp("toy") / "data", episodes=6)


@pytest.fixture(scope="session")
def clone(demonstrations, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("clone") / "run"
    return course(demonstrations, out).train(out / "cloned")
