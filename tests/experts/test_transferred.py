"""What was shown in one layout is done in others: the same relative to what it depends on."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mmil.contracts import BESIDE, SIDES, Body, Goal, State, Thing, UserError
from mmil.experts import Disturbed, Lift, Mannered, Push, Put, Stack, Touch, Transferred
from mmil.experts.demonstration import Demonstration
from mmil.experts.grasp import grasp_yaw
from mmil.experts.transferred import unlikeness

CUBE, BLOCK, CAN, LONG = Thing("cube", "red"), Thing("cube", "blue"), Thing("can"), Thing("bar", "green")
SIZES = {"cube": (0.021, 0.021, 0.021), "can": (0.025, 0.025, 0.04), "bar": (0.040, 0.016, 0.017)}
SYMMETRY = {"cube": np.pi / 2, "can": 0.0, "bar": np.pi}
EXPERTS = {"lift": Lift, "put": Put, "stack": Stack, "push": Push, "touch": Touch}
LIFT, PUT = Goal("lift", CUBE), Goal("put", CUBE, target=BLOCK, relation="left_of")
HERE = {CUBE: (0.05, 0.10, 0.2), BLOCK: (-0.05, -0.10, 0.0)}
THERE = {CUBE: (-0.06, 0.05, 0.9), BLOCK: (0.08, -0.05, 0.4), LONG: (0.02, 0.17, 1.2)}


class Puppets:
    """Hand and things without physics: the hand goes where it is told, and takes with it what it holds or meets."""

    def __init__(self, goal, layout, *, slips=0):
        self.goal, self.slips = goal, slips
        self.hand, self.yaw, self.command = np.array([-0.1, 0.0, 1.0]), 0.0, -1.0
        self.things = {thing: np.array([x, y, 0.8 + SIZES[thing.shape][2]]) for thing, (x, y, _) in layout.items()}
        self.yaws = {thing: yaw for thing, (_, _, yaw) in layout.items()}
        self.held = None

    @property
    def state(self):
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        rotation = np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]])
        width = 0.08 if self.command < 0 else 0.03 if self.held else 0.0
        bodies = tuple(self._body(thing) for thing in self.things)
        return State(self.goal, bodies, self.hand.copy(), rotation, width, self.command, 0.8)

    def _body(self, thing):
        half, size, held = self.yaws[thing] / 2, np.array(SIZES[thing.shape]), thing == self.held
        apart = np.abs(self.hand - self.things[thing]) - size
        turn = np.array([0.0, 0.0, np.sin(half), np.cos(half)])
        felt = held or (apart < 0.004).all()
        return Body(thing, self.things[thing].copy(), turn, size, held, touched=felt, symmetry=SYMMETRY[thing.shape])

    def step(self, action):
        moved, self.command = 0.4 * 0.05 * action[:3].astype(float), float(np.sign(action[6]))
        low = moved[2] < 0 and self.hand[2] + moved[2] < 0.81
        self.hand += np.where([False, False, low], 0.0, moved)
        self.yaw += 0.4 * 0.5 * float(action[5])
        if self.command < 0 and self.held:
            self.things[self.held][2] = self._ground(self.held) + SIZES[self.held.shape][2]
            self.held = None
        for thing, place in self.things.items():
            apart = self.hand - place
            if thing == self.held:
                place += moved
            elif self.command > 0 and not self.held and np.linalg.norm(apart[:2]) < 0.012 and abs(apart[2]) < 0.03:
                self.held, self.slips = (thing, self.slips) if not self.slips else (None, self.slips - 1)
            elif self.command > 0 and (np.abs(apart) < SIZES[thing.shape]).all():
                place[:2] += moved[:2]

    def _ground(self, thing):
        under = [
            o for o in self.things if o != thing and np.linalg.norm((self.things[o] - self.things[thing])[:2]) < 0.02
        ]
        return max([0.8, *(self.things[o][2] + SIZES[o.shape][2] for o in under)])

    def run(self, actor, steps, *, until=lambda puppets: False, seed=0):
        """States before each action and the actions."""
        actor.reset(seed)
        states, actions = [], []
        for _ in range(steps):
            if until(self):
                break
            states.append(self.state)
            actions.append(actor.act(None, states[-1]))
            self.step(actions[-1])
        return states, np.array(actions)


class Clumsy(Mannered):
    """Lets go once, a few steps after it took the thing."""

    def reset(self, seed):
        self.closed = 0

    def act(self, observation, state=None):
        action = super().act(observation, state)
        self.closed += action[6] > 0
        action[6] = -1.0 if 5 <= self.closed < 8 else action[6]
        self.closed += 5 <= self.closed < 8
        return action


def done(puppets):
    """Whether the goal is reached."""
    goal, thing = puppets.goal, puppets.things[puppets.goal.object]
    if goal.verb == "lift":
        return puppets.held == goal.object and thing[2] > 0.88
    if goal.verb == "push":
        moved = thing[:2] - puppets.first[:2]
        return moved @ SIDES[goal.relation] > 0.06 and np.linalg.norm(moved) < 0.1
    if goal.verb == "touch":
        return puppets._body(goal.object).touched
    other = puppets.things[goal.target]
    away = puppets.held is None and puppets.hand[2] > thing[2] + 0.05
    if goal.verb == "stack":
        return away and np.linalg.norm((thing - other)[:2]) < 0.012 and thing[2] > other[2] + 0.03
    return away and 0.06 < (thing - other)[:2] @ BESIDE[goal.relation] < 0.15


def shown(goal, layout=HERE, *, key="source"):
    puppets = Puppets(goal, layout)
    puppets.first = puppets.things[goal.object].copy()
    states, actions = puppets.run(Mannered(EXPERTS[goal.verb]()), 200, until=done)
    assert done(puppets), f"the expert does not {goal} here"
    return Demonstration.of(key, goal, states, actions)


def again(demonstrations, goal, layout=THERE, **options):
    """The puppets after it was done there, and the states on the way."""
    puppets = Puppets(goal, layout, **options)
    puppets.first = puppets.things[goal.object].copy()
    states, _ = puppets.run(Transferred(demonstrations), 300, until=done)
    return puppets, states


@pytest.mark.parametrize(
    "goal",
    [LIFT, PUT, Goal("stack", CUBE, target=BLOCK), Goal("push", CUBE, relation="left"), Goal("touch", CUBE)],
    ids=lambda goal: goal.verb,
)
def test_what_was_shown_once_is_done_elsewhere(goal):
    puppets, states = again([shown(goal)], goal)
    assert done(puppets) and len(states) < 200


@pytest.mark.parametrize("relation", BESIDE)
def test_one_side_shows_the_others(relation):
    puppets, _ = again([shown(PUT)], replace(PUT, relation=relation))
    assert done(puppets)


@pytest.mark.parametrize("side", SIDES)
def test_one_push_shows_the_others(side):
    puppets, _ = again([shown(Goal("push", CUBE, relation="left"))], Goal("push", CUBE, relation=side))
    assert done(puppets)


def test_it_is_cut_where_the_thing_is_taken_and_let_go():
    demo = shown(PUT)
    reach, carry, leave = demo.segments
    assert [one.carried for one in demo.segments] == [False, True, False]
    assert demo.gripper[reach.begin] < 0 < demo.gripper[reach.end - 1] and demo.gripper[carry.end - 1] < 0
    assert reach.begin > 5 and carry.begin > reach.end + 3 and leave.begin == carry.end  # free space is not kept
    (lift,) = [one for one in shown(LIFT).segments if one.carried]
    assert lift.joins and lift.end == len(shown(LIFT))


def test_what_was_taken_and_lost_is_not_shown():
    puppets = Puppets(LIFT, HERE)
    states, actions = puppets.run(Clumsy(Mannered(Lift())), 200, until=done)
    demo = Demonstration.of("clumsy", LIFT, states, actions)
    assert np.flatnonzero(np.diff(actions[:, 6]) > 0).size == 2
    assert [one.carried for one in demo.segments] == [False, True] and demo.segments[0].begin > 20


def test_the_hand_meets_the_sides_of_a_thing_that_is_turned():
    for goal, layout in ((LIFT, THERE), (Goal("lift", LONG), THERE)):
        _, states = again([shown(LIFT)], goal, layout)
        taken = next(state for state in states if state.body(goal.object).held)
        assert abs(grasp_yaw(taken.body(goal.object), taken)) < 0.12


@pytest.mark.parametrize("shown_at", [0.25, -0.25])
def test_the_hand_turns_the_short_way_wherever_it_was_shown(shown_at):
    lay = Goal("lift", LONG)
    demo = shown(lay, {LONG: (0.05, 0.1, shown_at), BLOCK: (-0.05, -0.1, 0.0)})
    for yaw in (-0.3, -0.2, 0.2, 0.3):
        layout = {LONG: (0.05, 0.0, yaw), BLOCK: (-0.05, -0.15, 0.0)}
        puppets, _ = again([demo], lay, layout)
        assert done(puppets) and abs(puppets.yaw) < np.pi / 2


def test_a_taller_thing_is_taken_as_far_under_its_top():
    demo, puppets = shown(LIFT), Puppets(Goal("lift", CAN), {CAN: (0.05, 0.0, 0.0), BLOCK: (-0.1, 0.1, 0.0)})
    states, actions = puppets.run(Transferred([demo]), 60, until=lambda puppets: puppets.held)
    at, closed = int(np.argmax(actions[:, 6] > 0)), int(np.argmax(demo.gripper > 0))
    under = states[at].body(CAN).position[2] + 0.04 - states[at].eef_position[2]
    assert puppets.held == CAN and under == pytest.approx(demo.top[closed] - demo.hand[closed, 2], abs=0.004)


def test_what_slips_is_taken_again():
    puppets, states = again([shown(LIFT)], LIFT, slips=25)
    opened = [state.gripper_command for state in states]
    assert done(puppets) and opened.index(1.0) < len(opened) - opened[::-1].index(-1.0)


def test_the_most_alike_is_chosen_and_the_seed_decides_between_equals():
    near = [shown(LIFT, key="a"), shown(LIFT, {**HERE, CUBE: (0.06, 0.10, 0.1)}, key="b")]
    far = [shown(Goal("lift", LONG), {LONG: (0.05, 0.1, 0.2), BLOCK: (-0.05, -0.1, 0.0)}, key="c"), shown(PUT, key="d")]
    actor, seen, state = Transferred(near + far), Counter(), Puppets(LIFT, HERE).state
    for seed in range(40):
        actor.reset(seed)
        actor.act(None, state)
        seen[actor.provenance["demonstration"]] += 1
        again = Transferred(near + far)
        again.reset(seed)
        again.act(None, state)
        assert again.provenance == actor.provenance and actor.quality == "multiplied"
    assert set(seen) == {"a", "b"} and min(seen.values()) > 8
    assert unlikeness(far[0], state) > unlikeness(near[0], state) + 0.4


def test_noise_strays_in_what_is_done_and_not_in_what_is_taught():
    demo, puppets = shown(LIFT), Puppets(LIFT, THERE)
    noisy, teacher = Disturbed(Transferred([demo]), sway=0.1, push=0.0), Transferred([demo])
    teacher.reset(3)
    states, actions = puppets.run(noisy, 200, until=done, seed=3)
    strayed = np.abs(actions - [teacher.act(None, state) for state in states])
    assert done(puppets) and 0.02 < strayed[:, :6].mean() < 0.2 and not strayed[:, 6].any()
    assert noisy.quality == "multiplied" and noisy.provenance == {"demonstration": "source"}


def test_a_verb_that_nobody_showed_is_refused_by_name():
    actor = Transferred([shown(LIFT), shown(PUT)])
    actor.reset(0)
    with pytest.raises(UserError, match="no demonstration of 'touch'; there are some of lift, put"):
        actor.act(None, Puppets(Goal("touch", CUBE), HERE).state)
