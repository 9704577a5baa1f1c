"""Kills a job while it rewinds its run: at each call to the file system in turn, and at random times.

A forked child claims, rewinds and dies by SIGKILL. Every file must then be in its place or set aside, once, and the
journal whole; the next start, which dies at a random call too, and the one after it end the rewind alone. Prints how
often each stage was found, as JSON. Arguments: an empty folder, the number of random kills, how many calls lie between
two kills, a seed.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from core.acts.journal import Journal
from tests.support.kill_quarantine import acting, no_sync, was_killed
from tests.support.quarantine_cases import FileFacts, state_text, tree, tree_of
from tests.support.rewind_cases import BACKUP, hand_over, to_be_rewound
from waypoint_resume.atomic import is_temp
from waypoint_resume.decision import decide
from waypoint_resume.rewind import set_aside

STATE = "ckpts/checkpoint"
MANIFEST = "resume_manifest.json"
STATES = (state_text(3, 1, 2, 3), state_text(1, 1))


def files_of(folder: Path) -> dict[str, FileFacts]:
    """What was trained: all files but Waypoint's own."""
    return {name: facts for name, facts in tree(folder).items() if name != MANIFEST}


class Scene:
    """The run, what it was at first, and what goes of it."""

    def __init__(self, base: Path) -> None:
        self.case = to_be_rewound(base / "root")
        self.folder = self.case.folder
        self.before = files_of(self.folder)
        self.goes = {name for name in self.before if any(mark in name for mark in ("-2.", "-3.", "/2/", "/3/"))}
        self.goes |= set(BACKUP)
        self.batch = Path()
        assert len(self.goes) == 27, sorted(self.goes)

    def begin(self) -> None:
        """Everything in its place, and a new manifest."""
        if self.batch.name:
            for name in self.goes:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                if (self.batch / "files" / name).exists():
                    (self.batch / "files" / name).rename(self.folder / name)
            (self.folder / STATE).write_bytes(STATES[0])
            os.utime(self.folder / STATE, ns=(self.before[STATE].mtime_ns,) * 2)
            for number in (2, 3):
                (self.folder / f"orbax/{number}/empty").mkdir(exist_ok=True)
        assert files_of(self.folder) == self.before
        shutil.rmtree(self.folder / ".waypoint")
        self.batch = self.folder / ".waypoint/rewound" / hand_over(self.case)

    def rewind(self) -> None:
        """What a job does at its start."""
        set_aside(decide(self.folder))

    def check(self) -> str:
        """Every file is somewhere, once, as it was; gives the stage."""
        here, held = self.left_in_place(), tree_of(self.batch / "files")
        assert here.pop(STATE).content in STATES
        expected = {name: facts for name, facts in self.before.items() if name != STATE}
        assert not here.keys() & held.keys()
        found = {**here, **held}
        assert found == expected, sorted(name for name in found | expected if found.get(name) != expected.get(name))
        if not (self.batch / "journal.json").exists():
            assert not held
            return "not begun"
        stage = Journal.model_validate_json((self.batch / "journal.json").read_bytes()).stage.value
        assert stage == "moving" or held.keys() == self.goes
        return stage

    def left_in_place(self) -> dict[str, FileFacts]:
        """The files of the run, but for what a state file's killed write left."""
        return {name: facts for name, facts in files_of(self.folder).items() if not is_temp(Path(name).name)}

    def check_done(self) -> None:
        """The rewind is whole."""
        assert self.check() == "done"
        assert self.left_in_place() == files_of(self.folder)
        state = self.before[STATE]
        assert tree(self.folder)[STATE] == FileFacts(STATES[1], state.mode, state.mtime_ns + 1000)
        assert not (self.folder / "export/2").exists()


def after_kill(scene: Scene, chance: random.Random) -> str:
    """See that all is well, let the next two starts end it, and begin anew."""
    stage = scene.check()
    was_killed(acting(scene.rewind, chance.randrange(1, 120)))
    scene.check()
    assert not was_killed(acting(scene.rewind))
    scene.check_done()
    scene.begin()
    return stage


def main() -> None:
    """See above."""
    base, rounds, stride, chance = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    os.environ["WAYPOINT_JOB"] = "night"
    os.fsync = no_sync
    scene = Scene(base)
    scene.begin()
    ends: Counter[str] = Counter()
    at, killed, seconds = chance.randrange(stride), True, 0.0
    while killed:
        at += stride
        began = time.monotonic()
        killed = was_killed(acting(scene.rewind, at))
        seconds = time.monotonic() - began
        ends["kills"] += killed
        ends[after_kill(scene, chance)] += 1
    while ends["random kills"] < rounds:
        child = acting(scene.rewind)
        time.sleep(chance.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        ends["random kills"] += was_killed(child)
        ends[after_kill(scene, chance)] += 1
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main()
