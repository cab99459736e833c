"""ArmControl is robosuite's own controller, only quicker."""

import numpy as np

from mmil.experts import Lift
from mmil.scenes import Tabletop


def test_torques_and_states_are_the_stock_ones():
    ours, stock, expert = Tabletop(), Tabletop(stock_control=True), Lift()
    try:
        for seed in (2, 4):
            step, other = ours.reset(seed), stock.reset(seed)
            while step.outcome is None:
                action = expert.act(step.observation, step.state)
                step, other = ours.step(action), stock.step(action)
                assert np.abs(ours._data.ctrl - stock._data.ctrl).max() < 1e-6
                assert np.abs(ours.simulator_state() - stock.simulator_state()).max() < 1e-6
                assert np.allclose(step.observation.signals["wrench"], other.observation.signals["wrench"], atol=1e-4)
            assert step.outcome == other.outcome == "success"
    finally:
        ours.close()
        stock.close()
