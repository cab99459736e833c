"""A person's device moves the robot as the project's actions say, and in real time."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_tools.window import Window
from mmil.contracts import UserError
from mmil.experts import Lift
from mmil.experts.teleop import Pace, Person, Reading, Redo
from mmil.rollout import rollout
from mmil.scenes import Tabletop
from mmil.scenes.handsets import Device, Keyboard
from tests.devices import Scripted

ROOT = Path(__file__).parents[2]
STILL = (0, 0, 0, 0, 0, 0, -1)
STEP = 0.0112  # [m] the hand goes in a step that asks for 0.05 m, once it moves: the controller lags


class Blank:
    def show(self, observation):
        self.seen = observation

    def close(self):
        pass


@pytest.fixture(scope="module")
def scene():
    scene = Tabletop(image_size=(32, 32), horizon=120)
    yield scene
    scene.close()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_moved_along_an_axis_of_the_world_the_hand_goes_that_way(scene, axis, way):
    wanted = np.array(STILL, float)
    wanted[axis] = way
    person = Person(Device(Scripted(lambda: wanted)), Blank(), hz=None)
    positions = rollout(scene, person, seed=2, horizon=10, record=False).signals["eef_pos_world"]
    moved = positions[-1] - positions[0]
    assert moved[axis] == pytest.approx(way * 10 * STEP, abs=0.3 * 10 * STEP)
    assert np.abs(np.delete(moved, axis)).max() < 0.02


def test_turned_about_the_vertical_the_hand_turns_that_way(scene):
    wanted = np.array(STILL, float)
    wanted[5] = 0.3
    scene.reset(2)
    before = scene._state().eef_rotation
    person = Person(Device(Scripted(lambda: wanted)), Blank(), hz=None)
    rollout(scene, person, seed=2, horizon=10, record=False)
    turn = scene._state().eef_rotation @ before.T
    assert 0.2 < np.arctan2(turn[1, 0], turn[0, 0]) < 1.5


def test_the_action_is_what_robosuite_would_give_its_controller(scene):
    rng = np.random.default_rng(3)
    for _ in range(20):
        wanted = rng.uniform(-0.9, 0.9, 7)
        driver = Scripted(lambda wanted=wanted: wanted, scene._world)
        driver.start_control()
        theirs = driver.input2action()
        ours = Device(driver).read().action
        assert ours == pytest.approx([*theirs["right_delta"], *theirs["right_gripper"]])
        assert ours == pytest.approx([*wanted[:6], np.sign(wanted[6])])


def test_a_device_in_an_experts_hand_lifts_what_is_asked_for(scene):
    def wanted():
        return Lift().act(None, scene._state())

    person = Person(Device(Scripted(wanted)), Blank(), hz=None)
    episode = rollout(scene, person, seed=8, horizon=120, record=False, instruction="this one")
    assert episode.success and np.array_equal(episode.labels, episode.actions)
    assert person.screen.seen.instruction == "this one"


def test_a_key_is_a_step_and_q_asks_for_a_new_attempt(monkeypatch):
    nobody = SimpleNamespace(start=lambda: None)
    monkeypatch.setattr("robosuite.devices.keyboard.Listener", lambda **listeners: nobody)

    class Key:
        def __init__(self, char):
            self.char = char

    keyboard = Keyboard(speed=0.1, turn=1.0)
    keyboard.start()
    assert keyboard.read().still
    keyboard.driver.on_press(Key(";"))
    keyboard.driver.on_press(Key("p"))
    action = keyboard.read().action
    assert action == pytest.approx([0, 0, 0.1 * 3.75, 0, 0, -0.15, -1])
    assert keyboard.read().still  # a key is one step
    keyboard.driver.on_release(Key("q"))
    assert keyboard.read().again


def test_an_attempt_begins_with_the_first_move_and_again_ends_it():
    readings = [Reading(np.array(STILL, np.float32))] * 3 + [Reading(np.array((0, 1, 0, 0, 0, 0, -1), np.float32))]

    class Slow:
        def start(self):
            pass

        def read(self):
            return readings.pop(0)

    person = Person(Slow(), Blank(), hz=None)
    person.reset(0)
    assert person.act(None)[1] == 1 and not readings
    readings += [Reading(np.array(STILL, np.float32)), Reading(np.array(STILL, np.float32), again=True)]
    assert not person.act(None)[:6].any()  # to stand still is allowed once it has begun
    with pytest.raises(Redo):
        person.act(None)


def test_pace_waits_and_counts_what_came_late():
    now = [0.0]
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(20.0, clock=lambda: now[0], sleep=sleep)
    for work in (0.01, 0.05, 0.02, 0.20, 0.01, 0.01):
        now[0] += work
        pace.wait()
    assert (pace.late, pace.steps) == (1, 6) and str(pace) == "1 of 6 steps late"
    assert slept[0] == pytest.approx(0.04) and now[0] == pytest.approx(0.45)
    assert Pace(None).wait() is None


def test_without_a_display_a_line_says_what_to_do(tmp_path, monkeypatch):
    gone = ("PYNPUT_BACKEND", "DISPLAY", "WAYLAND_DISPLAY")
    env = {key: value for key, value in os.environ.items() if key not in gone}
    command = ["teleop", "--config", "configs/teleop/keyboard.yaml", "--out", str(tmp_path / "new")]
    done = subprocess.run(
        [sys.executable, "-m", "mmil.cli", *command], env=env, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and not (tmp_path / "new").exists() and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: robosuite's devices listen to a display, and there is none")
    for name in gone[1:]:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="no display to show a window on"):
        Window()
