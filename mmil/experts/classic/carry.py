"""An expert that takes a thing, carries it over what stands in the way, and lets it go where it belongs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mmil.contracts import Actor, Body, Observation, State
from mmil.experts.classic.grasp import LEAP, STEEP, Yaws, choose, take
from mmil.experts.classic.reach import Reach
from mmil.experts.motion import CLOSED, OPEN


class Carry(Actor):
    """Everything that it does follows from the state; a task says where its things are taken and put."""

    reach = Reach((-0.56, 0.0))
    walls: Sequence[Body] = ()  # that stand in every scene, and are no bodies of the state
    near, down = 0.012, 0.008  # [m], sideways of the place and over it: the thing is let go
    funnel, steep = 0.008, STEEP  # [m], sideways of the place: it goes down; height that an error costs
    caught = np.inf  # [m], under the height it travels at: from there on something guides it

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    @abstractmethod
    def point(self, body: Body, state: State) -> np.ndarray:
        """(3,) [m], world: where the thing is taken."""

    @abstractmethod
    def yaws(self, body: Body, state: State) -> Yaws:
        """How the hand may be turned for it."""

    @abstractmethod
    def place(self, body: Body, state: State) -> np.ndarray:
        """(3,) [m], world: where the thing's middle should be when it is let go."""

    @abstractmethod
    def travel(self, body: Body, state: State) -> float:
        """[m], world: how high the thing's middle is carried."""

    @abstractmethod
    def arrived(self, body: Body, state: State) -> bool:
        """Whether the thing is where it belongs, so that an open hand has to do nothing but leave."""

    def turn(self, body: Body, state: State) -> float | None:
        """[rad] to turn the hand by while it carries; None: as it is."""
        return None

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        if body.held and state.gripper_command > 0:
            return self._carry(body, state)
        if self.arrived(body, state):
            rise = np.array([0.0, 0.0, 0.005 if body.touched else 0.05])
            return self.reach.move(state, rise, yaw=None, gripper=OPEN)
        others = [*(other for other in state.bodies if other is not body), *self.walls]
        grasp = choose(self.point(body, state), self.yaws(body, state), state, others=others)
        ceiling = self.travel(body, state) - float(body.half_size[2])
        return take(state, grasp, held=body.held, reach=self.reach, ceiling=ceiling)

    def _carry(self, body: Body, state: State) -> np.ndarray:
        offset, travel = self.place(body, state) - body.position, self.travel(body, state)
        sideways = float(np.linalg.norm(offset[:2]))
        if sideways < self.near and -offset[2] < self.down:
            return self.reach.move(state, np.zeros(3), yaw=None, gripper=OPEN)
        over = max(0.0, travel - float(body.position[2] + offset[2]))
        guided = travel - body.position[2] > self.caught and sideways < self.near
        height = 0.0 if guided else min(over, self.steep * max(0.0, sideways - self.funnel))
        if offset[2] + height > 0.02 and height > 0.5 * over:
            offset[:2] *= LEAP  # up before it goes anywhere
        offset[2] += height
        return self.reach.move(state, offset, yaw=self.turn(body, state), gripper=CLOSED)
