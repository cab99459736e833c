"""An expert that minds how: slowly, gently or quickly, as the goal asks for, and at an even pace where it does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmil.contracts import Actor, Observation, State

PACES: Mapping[str | None, float] = {None: 0.6, "slowly": 0.22, "gently": 0.3, "quickly": 1.0}  # of the longest step
# a wiping hand is slow on its way: what it presses on needs its stride, and holds it back
WAY, RUBS = 0.13, 1.0  # of the longest step; [N] from below: it is there
# of the longest step: a gentle hand that comes down, or sideways to what it is to move; from where on it slows [m]
DOWN, BESIDE, NEAR = 0.05, 0.08, 0.04
TIPS, FINGER = 0.0095, 0.010  # [m], from the middle of the finger tips down to their end, and to their sides
PALM, OVER = 0.021, 0.028  # [m], from there to the sides of the palm, and up to where it meets what is tall
BEARS, GIVE = 2.0, 0.01  # [N] that a gentle hand bears; of the longest step: how far it gives way to each newton more
SPRINGY, PRESSING = ("press",), 0.12  # verbs done to what pushes back; of the longest step: down on it, unyielding
SHUT = 0.01  # [m], between the pads of a hand that holds nothing


class Mannered(Actor):
    """Any actor with its steps cut to a pace, and gentle to what it feels; where it goes stays that of an expert."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def reset(self, seed: int) -> None:
        self.actor.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        action = self.actor.act(observation, state).copy()
        pace = _pace(state)
        step = float(np.linalg.norm(action[:3]))
        action[:3] *= min(1.0, pace / max(step, 1e-9))
        return _gentle(action, state, pace=pace) if state.goal.manner == "gently" else action


def _pace(state: State) -> float:
    """The longest step here, of the longest there is."""
    manner = state.goal.manner
    if manner == "gently":
        return _slowed(PACES[manner], BESIDE, _beside(state))
    if manner == "slowly" and state.goal.verb == "wipe":
        return PACES[None] if state.force[2] > RUBS else WAY
    return PACES[manner]


def _gentle(action: np.ndarray, state: State, *, pace: float) -> np.ndarray:
    """The same action, easing down, and giving way to the world where it pushes more than the hand bears."""
    springy = state.goal.verb in SPRINGY
    down = 0.0 if _closing(state, action) else _slowed(pace, PRESSING if springy else DOWN, _under(state))
    action[2] = max(action[2], -down)
    push = float(np.linalg.norm(state.force))
    if push > BEARS and not springy:
        action[:3] += GIVE * (push - BEARS) * state.force / push
    return action


def _slowed(pace: float, least: float, gap: float) -> float:
    return least + max(0.0, pace - least) * min(1.0, gap / NEAR)


def _closing(state: State, action: np.ndarray) -> bool:
    """Whether the fingers are on their way to each other: what they meet then is pressed down by a hand that sinks."""
    return bool(action[-1] > 0 and state.gripper_width > SHUT and not any(body.held for body in state.bodies))


def _beside(state: State) -> float:
    """[m], 0 or more: from the fingers sideways to the goal's object, where they are low enough to meet it."""
    body = state.body(state.goal.object)
    if body.held or state.eef_position[2] > body.position[2] + body.half_height:
        return NEAR
    reach = PALM if body.position[2] + body.half_height > state.eef_position[2] + OVER else FINGER
    distance = np.linalg.norm((body.position - state.eef_position)[:2]) - max(body.half_size[:2]) - reach
    return max(0.0, float(distance))


def _under(state: State) -> float:
    """[m], 0 or more: from the end of the finger tips, or what they hold, down to what is under them."""
    low = state.eef_position[2] - TIPS
    for body in state.bodies:
        if body.held:
            low = min(low, body.position[2] - body.half_height)
    top = state.table_height
    for body in state.bodies:
        beside = np.linalg.norm((body.position - state.eef_position)[:2]) < max(body.half_size[:2]) + NEAR
        if beside and not body.held:
            top = max(top, body.position[2] + body.half_height)
    return max(0.0, float(low - top))
