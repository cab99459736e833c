"""robomimic and LIBERO HDF5 as a source, by robomimic's docs/datasets/overview.md and LIBERO's create_dataset.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np

from data_tools.convert.actions import Scale
from data_tools.convert.demos import Demo
from data_tools.convert.given import Given
from data_tools.convert.keepsakes import keep_texts, originals
from data_tools.convert.naming import LIBERO, LONGEST_CAMERA, LONGEST_SCENE, OBJECTS, ROBOSUITE, legal, legal_names
from data_tools.convert.notes import Notes
from data_tools.convert.robomimic_files import Files, Origin, Plan
from data_tools.convert.robosuite import row0
from data_tools.convert.takes import Header, NothingLeft, Source, Take, Unfit, foreign_episode
from mmil.contracts import Spec, UserError, map_name, millimetres
from mmil.contracts.maps import MEANING
from mmil.data.sample import Extras


class RobomimicSource(Source):
    """One file, or all files of a folder; they must agree."""

    def __init__(self, path: Path, given: Given, notes: Notes) -> None:
        self._given, self._notes = given, notes
        self._files = Files(path, given)
        self._plans = self._files.plans
        self.names = [plan.name for plan in self._plans]
        fit = [plan for plan in self._plans if plan.reason is None]
        if not fit:
            raise NothingLeft([(plan.name, plan.reason or "") for plan in self._plans])
        self._layout = Counter(plan.layout for plan in fit if plan.layout).most_common(1)[0][0]
        self.header = self._describe(path, [plan for plan in fit if plan.layout == self._layout])

    def take(self, index: int) -> Take:
        plan = self._plans[index]
        if plan.reason is not None:
            raise Unfit(plan.reason)
        if plan.layout != self._layout:
            raise Unfit(f"it holds {plan.layout}, where most hold {self._layout}")
        try:
            return self._read(plan, self._files.demo(plan))
        except (ValueError, OSError, RuntimeError) as error:  # what an Episode refuses, and what damaged bytes become
            raise Unfit(str(error)) from None

    def close(self) -> None:
        self._files.close()

    # -- what they share -----------------------------------------------------------------------------------------------

    def _describe(self, path: Path, fit: list[Plan]) -> Header:
        given, notes = self._given, self._notes
        origins = list({id(plan.origin): plan.origin for plan in fit}.values())
        env = origins[0].environment
        self._agree(origins)
        for plan in fit:
            notes.lost |= plan.lost
            given.sentence(plan.sentence)
        self._judge(fit)
        for origin in origins:
            self._row0(origin)
        self._name(origins[0])
        self._scale = Scale.over(reduce(or_, (plan.extent for plan in fit if plan.extent)), given, notes)
        turns = any("quat" in name for name in self._signals)
        said = {name: text for name, text in env.conventions.items() if name != "quaternion" or turns}
        told = given.told(said, ["action", *(["quaternion"] if turns else [])], notes)
        worlds = {origin.environment.name for origin in origins}
        title = given.scene or (worlds.pop() if len(worlds) == 1 else "") or path.stem
        # a number alone is a vector of one: encoders lay vectors side by side
        self._shapes = shapes = {name: shape or (1,) for name, shape in (*self._layout.cameras, *self._layout.signals)}
        spec = Spec(
            scene=legal(title, longest=LONGEST_SCENE),
            cameras={self._cameras[name]: (shape[0], shape[1], 3) for name, shape in self._layout.cameras},
            signals={mine: shapes[name] for name, mine in self._signals.items()},
            action=given.axes(env.axes, self._layout.axes, notes),
            control_hz=given.rate(env.control_hz, notes),
            controller={**env.controller, **self._scale.to_json()},
            conventions={"image": "RGB uint8, row 0 on top", **told, **self._meaning()},
            privileged={mine: shapes[name] for name, mine in self._objects.items()},
            versions={"robosuite": env.version} if env.version else {},
            maps={
                mine: (shapes[one][0], shapes[one][1])
                for one, mine in ((self._picture[name], mine) for name, mine in self._depths.items())
            },
        )
        given.settle()
        return Header("robomimic", spec)

    def _agree(self, origins: list[Origin]) -> None:
        """Files that were driven differently make no one data set."""
        kinds = {
            "control rate": lambda origin: origin.environment.control_hz,
            "controller": lambda origin: origin.environment.controller,
            "conventions": lambda origin: origin.environment.conventions,
            "kind (LIBERO's or not)": lambda origin: origin.libero,
        }
        for what, of in kinds.items():
            other = next((origin for origin in origins if of(origin) != of(origins[0])), None)
            if other is not None:
                raise UserError(
                    f"the files disagree about their {what}: {of(origins[0])} in {origins[0].path.name}, {of(other)} "
                    f"in {other.path.name}; convert them one by one"
                )
        observed = self._files.observed(origins[0])
        why = "--observed" if self._given.observed else f"{'LIBERO' if origins[0].libero else 'robomimic'}'s layout"
        self._notes.read["observations"] = f"obs[t] is seen {observed} actions[t] ({why})"

    def _judge(self, fit: list[Plan]) -> None:
        """Ask once and early whether the episodes succeeded, where their rewards leave it open."""
        won = sum(bool(plan.found) for plan in fit)
        known = all(plan.found is not None for plan in fit) and won > 0
        told = self._given.judged(True if known else None)
        if self._given.outcome:
            self._notes.read["outcome"] = f"{told} (--outcome)"
        else:
            self._notes.read["outcome"] = f"success of {won} in {len(fit)}: those with a reward of 1"

    def _row0(self, origin: Origin) -> str:
        """Where row 0 of the file's pictures is."""
        if not self._layout.cameras:
            return "top"
        said = row0(origin.plain)
        if said is None and origin.environment.simulated and not origin.libero:
            said = "top"  # robomimic's EnvRobosuite.get_observation turns what robosuite rendered
        chosen = self._given.row0 or said
        if chosen is None:
            self._given.ask("where row 0 of its pictures is: give --row0 top or bottom")
            return "top"
        why = "--row0" if self._given.row0 else "the layout's convention"
        self._notes.read["row 0 of pictures"] = f"at the {chosen} ({why}); here on top"
        return chosen

    def _name(self, origin: Origin) -> None:
        """Foreign name → ours, of cameras, signals and what says where the objects are."""
        pictures = [name for name, _ in self._layout.cameras]
        others = [name for name, _ in self._layout.signals]
        known: dict[str, str] = LIBERO if origin.libero else {}
        if origin.environment.simulated and not origin.libero and not any(n.startswith("robot1_") for n in others):
            known = ROBOSUITE
        short = {
            name: legal(name.removesuffix("_image").removesuffix("_rgb"), longest=LONGEST_CAMERA) for name in pictures
        }
        self._cameras = legal_names(pictures, short)
        self._objects = {name: mine for name, mine in OBJECTS.items() if name in others}
        self._signals = legal_names([name for name in others if name not in OBJECTS], known)
        self._picture = dict(self._layout.depths)  # the name of a depth map → that of its camera's pictures
        self._depths = {name: map_name(self._cameras[one], "depth") for name, one in self._picture.items()}
        for names in (self._cameras, self._signals, self._objects, self._depths):
            self._notes.names |= {mine: name for name, mine in names.items()}

    def _meaning(self) -> dict[str, str]:
        """What depth is here, where there is any."""
        for name in self._depths:
            self._notes.read[name] = "metres along the optical axis (robomimic's convention for depth)"
            self._notes.changed[name] = "is in whole millimetres, and 0 where it is no distance or more than 65.535 m"
        return {"depth": MEANING["depth"]} if self._depths else {}

    # -- an episode ----------------------------------------------------------------------------------------------------

    def _read(self, plan: Plan, demo: Demo) -> Take:
        raw = {name: demo.instants(name) for name in (*self._signals, *self._objects)}
        with np.errstate(over="ignore"):
            ours = {
                name: array.reshape(len(array), *self._shapes[name]).astype(np.float32) for name, array in raw.items()
            }
        theirs, sentence = demo.kept(demo.actions), self._given.sentence(plan.sentence)
        actions, outcome = self._scale.ours(theirs), self._given.judged(plan.found)
        episode = foreign_episode(
            plan.name,
            theirs,
            scene=self.header.spec.scene,
            sentence=sentence,
            outcome=outcome,
            actions=actions,
            images={mine: self._pictures(plan, demo, name) for name, mine in self._cameras.items()},
            signals={mine: ours[name] for name, mine in self._signals.items()},
            privileged={mine: ours[name] for name, mine in self._objects.items()},
            states=self._states(demo),
            rewards=self._rewards(demo, outcome == "success"),
            maps={mine: millimetres(self._turned(plan, demo, name)[..., 0]) for name, mine in self._depths.items()},
        )
        return Take(plan.name, episode, extras=self._extras(plan, demo, raw))

    def _pictures(self, plan: Plan, demo: Demo, name: str) -> np.ndarray:
        if demo.other_next(name) is not None:
            self._notes.lost[f"next_obs/{name}"] = "it is not obs one step on, and has no place; its last row is kept"
        return self._turned(plan, demo, name)

    def _turned(self, plan: Plan, demo: Demo, name: str) -> np.ndarray:
        """(T+1, h, w, …) with row 0 on top."""
        frames = demo.instants(name)
        return frames[:, ::-1].copy() if self._row0(plan.origin) == "bottom" else frames

    def _states(self, demo: Demo) -> np.ndarray:
        states = demo.states
        if states.shape[1] and (demo.followed or demo.observed == "after"):
            self._notes.made["states after the last action"] = "the file has none: the last ones stand twice"
        return states

    def _rewards(self, demo: Demo, won: bool) -> np.ndarray:
        rewards = demo.acted("rewards")
        if rewards is not None:
            return rewards.astype(np.float32).reshape(demo.steps)
        self._notes.made["rewards"] = "the source has none: 1 at the end of a success, else 0"
        return np.append(np.zeros(demo.steps - 1), float(won)).astype(np.float32)

    def _extras(self, plan: Plan, demo: Demo, raw: Mapping[str, np.ndarray]) -> Extras:
        """What it takes to give the demo back as it was."""
        arrays = _rows_kept(demo, whole=demo.followed and self._scale.trivial)
        arrays |= originals({f"obs/{name}": array for name, array in raw.items()})
        arrays |= {f"next_obs/{name}": array for name in raw if (array := demo.other_next(name)) is not None}
        arrays |= {f"attrs/{name}": array for name, array in demo.attributes.items()} | demo.others()
        texts, file_texts = keep_texts(demo.plain, "attrs"), keep_texts(plan.origin.plain, "file")
        self._tell(demo, arrays)
        about = {
            "format": "robomimic",
            "demo": plan.demo,
            "file": plan.origin.path.name,
            "attrs": texts.short,
            "file_attrs": file_texts.short,
            "filters": plan.origin.filters.get(plan.demo, []),
            "observed": demo.observed,
            "next_obs": demo.followed,
            "row0": self._row0(plan.origin),
            "names": {
                "cameras": {mine: name for name, mine in self._cameras.items()},
                "signals": {mine: name for name, mine in self._signals.items()},
                "privileged": {mine: name for name, mine in self._objects.items()},
            },
        }
        return Extras(about, {**arrays, **texts.long, **file_texts.long})

    def _tell(self, demo: Demo, kept: Iterable[str]) -> None:
        """What has no field of ours, for the report."""
        self._notes.lost |= demo.lost
        aside = [name for name in kept if name.split("/")[0] not in ("obs", "actions", "rewards", "states")]
        self._notes.kept_aside |= {name: "as it was, among the extras of each episode" for name in aside}
        if not demo.followed:
            which = "last" if demo.observed == "before" else "first"
            self._notes.kept_aside[f"the {which} action"] = "it has an observation on one side only; among the extras"


def _rows_kept(demo: Demo, *, whole: bool) -> dict[str, np.ndarray]:
    """The demo's arrays of N rows that our fields do not give back exactly."""
    rowed = {name: array for name in ("actions", "rewards") if (array := demo.rowed(name)) is not None}
    kept = originals(rowed) if whole else rowed
    states, dones = demo.rowed("states"), demo.rowed("dones")
    if dones is not None:
        kept["dones"] = dones
    if states is not None and (demo.observed == "after" or states.dtype != np.float64 or states.ndim != 2):
        kept["states"] = states
    return kept
