"""One scene of each kind for the whole folder: building takes seconds."""

from collections.abc import Iterator

import pytest

from mmil.scenes import Randomisation, Tabletop


@pytest.fixture(scope="session")
def scene() -> Iterator[Tabletop]:
    scene = Tabletop()
    yield scene
    scene.close()


@pytest.fixture(scope="session")
def held_out() -> Iterator[Tabletop]:
    scene = Tabletop(randomisation=Randomisation(cameras="held_out"))
    yield scene
    scene.close()
