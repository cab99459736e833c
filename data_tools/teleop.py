"""A scene and a person → a data set, an episode a shard: what is finished is a data set, whatever happens next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_tools.archive import Archive
from data_tools.folder import claim, finish
from data_tools.guard import picture_faults, signal_faults
from data_tools.station import REFERENCES, Keep, Speaker, load_grammar, referring
from data_tools.window import Window
from mmil.contracts import Body, Episode, Goal, Infeasible, Scene, UserError
from mmil.experts.teleop import Handset, Person, Redo, Screen, Skip, Stop, Undo
from mmil.progress import progress_bar
from mmil.rollout import rollout
from mmil.seeds import episode_seed

Tell = Callable[[str], None]
SESSION = ("out", "episodes", "device", "screen", "real_time")  # may be another one tomorrow


@dataclass(frozen=True)
class Collected:
    """What stands in the folder now, and how much of it is of this session."""

    out: Path
    episodes: int
    made: int
    late: int  # steps of this session's episodes that came late
    steps: int


def teleop(
    *,
    scene: Callable[[], Scene],
    device: Callable[[], Handset],
    out: Path,
    episodes: int,
    seed: int,
    horizon: int,
    keep: Keep = "success",
    screen: Callable[[], Screen] = Window,
    real_time: bool = True,
    references: float = 0.0,
    grammar: Callable[[], Speaker] = load_grammar,
    config: Mapping[str, Any] | None = None,
    tell: Tell = lambda line: None,
) -> Collected:
    """Demonstrate until `out` holds `episodes` episodes, or until the person stops; `tell` hears a line an attempt.

    Args:
        scene: what is simulated
        device: what the person moves
        out: a folder; one begun with other options is refused
        episodes: how many there shall be
        seed: of the first layout
        horizon: steps, after which an attempt has timed out
        keep: successes alone, or every outcome
        screen: where the person sees the scene
        real_time: steps at the rate of the robot, and not as fast as they are asked for
        references: of the sentences, the share that says a thing by what else is there, where that means it alone
        grammar: where sentences come from
        config: what else made the data what it is; kept beside them
        tell: hears a line an attempt
    """
    for name, number, least in (("episodes", episodes, 1), ("horizon", horizon, 1), ("seed", seed, 0)):
        if number < least:
            raise UserError(f"{name} is {number}; it must be {least} or more")
    config = {key: value for key, value in (config or {}).items() if key != REFERENCES} | referring(references)
    config |= {"seed": seed, "horizon": horizon, "keep": keep}
    fixed = {key: value for key, value in config.items() if key not in SESSION}
    handset = device()
    with closing(screen()) as view, closing(scene()) as stage:
        if handset.axes != len(stage.spec.action):
            axes = ", ".join(stage.spec.action)
            raise UserError(f"the device moves {handset.axes} axes, the scene {len(stage.spec.action)}: {axes}")
        with claim(Path(out), fixed):
            person = Person(handset, view, hz=stage.spec.control_hz if real_time else None)
            archive = Archive(Path(out), stage.spec, config=config, seed=seed, grammar=grammar())
            session = _Session(stage, person, archive, horizon=horizon, keep=keep, tell=tell)
            tell(f"{handset.controls}; an attempt begins when you move")
            session.run(episodes)
            finish(Path(out))
    return Collected(Path(out), len(archive.rows), session.made, session.late, session.steps)


class _Session:
    """One sitting: attempt after attempt, until there are enough or the person stops."""

    def __init__(self, scene: Scene, person: Person, archive: Archive, *, horizon: int, keep: Keep, tell: Tell) -> None:
        self.scene, self.person, self.archive = scene, person, archive
        self.horizon, self.keep, self.tell = horizon, keep, tell
        self.layout = 0  # how many layouts of the next episode were passed over
        self.made = self.late = self.steps = 0

    def run(self, episodes: int) -> None:
        there = len(self.archive.rows)
        with progress_bar("teleop", total=episodes, unit="episodes", already=there) as advance:
            with suppress(Stop, KeyboardInterrupt):
                while len(self.archive.rows) < episodes:
                    advance(by=self._attempt())
            self.archive.publish()  # what is here may have been interrupted

    def _attempt(self) -> int:
        """How many more episodes there are than before: 1, none, or −1."""
        try:
            episode = self._rollout(len(self.archive.rows))
        except Redo:
            return 0
        except (Skip, Infeasible):
            self.layout += 1
            return 0
        except Undo:
            return -self._undo()
        faults = signal_faults(episode) + picture_faults(episode)
        kept = not faults and (self.keep == "all" or episode.success)
        why = f"not kept ({faults[0]})" if faults else "not kept: the same again"
        self.tell(f"{episode.outcome}, {'kept' if kept else why}; {self.person.pace}")
        if kept:
            self.archive.add(episode, attempts=self.layout + 1)
            self.made, self.layout = self.made + 1, 0
            self.late, self.steps = self.late + self.person.pace.late, self.steps + len(episode.actions)
        return int(kept)

    def _rollout(self, number: int) -> Episode:
        seed = episode_seed(self.archive.seed, number, self.layout)

        def instruction(goal: Goal, bodies: Sequence[Body]) -> str:
            sentence = self.archive.instruction(goal, seed, among=bodies)
            self.tell(f"episode {number}: {sentence}")
            return sentence

        return rollout(self.scene, self.person, seed=seed, horizon=self.horizon, instruction=instruction)

    def _undo(self) -> int:
        self.layout = 0
        if not self.archive.rows:
            return 0
        self.archive.drop()
        self.made -= 1
        self.tell("the last episode is thrown away, and done again")
        return 1
