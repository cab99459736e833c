"""Many environments at once: in this process, and in processes of their own."""

import gymnasium
import numpy as np
import pytest

from mmil.contracts import UserError
from tests.plane import Plane, Wander

SPAWN = {"vector_kwargs": {"context": "spawn"}}


@pytest.mark.parametrize("how", [{"vectorization_mode": "sync"}, {"vectorization_mode": "async", **SPAWN}, {}])
def test_each_of_many_is_what_it_would_be_alone(how):
    many = gymnasium.make_vec("mmil/Scene-v0", num_envs=2, scene=Plane, **how)
    alone = [gymnasium.make("mmil/Scene-v0", scene=Plane) for _ in range(2)]
    seen, info = many.reset(seed=[4, 7])
    expected = [env.reset(seed=seed) for env, seed in zip(alone, (4, 7), strict=True)]
    wander = Wander()
    wander.reset(0)
    for _ in range(4):
        for place, (one, about) in enumerate((found[0], found[-1]) for found in expected):
            assert {name: values[place] for name, values in seen.items()}.keys() == one.keys()
            for name, value in one.items():
                assert np.array_equal(seen[name][place], value), name
            assert info["goal"][place] == about["goal"] and info["seed"][place] == about["seed"]
        assert seen in many.observation_space
        actions = np.stack([wander.act(None) for _ in alone])
        seen, *_, info = many.step(actions)
        expected = [env.step(action) for env, action in zip(alone, actions, strict=True)]
    many.close()


def test_processes_of_their_own_render_and_close():
    many = gymnasium.make_vec("mmil/Tabletop-v0", num_envs=2, image_size=(48, 48))
    seen, _ = many.reset(seed=[4, 4])
    assert np.array_equal(seen["wrist"][0], seen["wrist"][1]) and seen["front"].std() > 10
    assert seen["instruction"][0] == seen["instruction"][1] != ""
    many.close()
    assert not any(process.is_alive() for process in many.processes)


def test_a_fork_after_rendering_is_refused_and_does_not_hang(monkeypatch):
    import mujoco  # noqa: F401

    import mmil.gym.environment as environment

    monkeypatch.setattr(environment, "PROCESS", -1)
    with pytest.raises(UserError, match="does not survive a fork"):
        gymnasium.make("mmil/Scene-v0", scene=Plane)
