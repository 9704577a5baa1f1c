"""Kills a quarantine, its undoing and its purge: at each call to the file system in turn, and at random times.

A forked child acts and dies by SIGKILL. Then the recovery runs and dies at a random call, and at last runs to its end:
every file must be in its place or in quarantine, none lost, none doubled, and the batch in a stage that is an end.
Prints how often each end was found, as JSON. Arguments: an empty folder, the number of random kills, how many calls
lie between two kills, a seed.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.acts.batches import batches
from core.acts.journal import Stage
from core.acts.purge import purge
from core.acts.recovery import needs_recovery, recover
from tests.support.quarantine_cases import Case, FileFacts, bundle_files, folders, in_quarantine, state_text, tree
from tests.support.resume_cases import NOW
from tests.support.trees import START_NS, write

CALLS = (
    *("rename", "replace", "link", "unlink", "mkdir", "rmdir", "open", "close", "fsync"),
    *("chmod", "chown", "utime", "pwrite", "ftruncate", "write"),
)
ACTIONS = ("quarantine", "undo", "purge")
Act = Callable[[], object]


def acting(act: Act, at: int | None = None) -> int:
    """A child that acts, and dies before its nth call to the file system; its process."""
    child = os.fork()
    if child:
        return child
    left = at or 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as the calls have them
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return call

    if at is not None:
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - a fork must end here, whatever happened
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


def no_sync(fd: object) -> None:
    """In the place of fsync: a kill takes nothing from the kernel, and this is ten times as fast."""


def was_killed(child: int) -> bool:
    """Whether it died by the signal; it must not have failed."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0


class Scene:
    """A run, what it was at first, and which files a plan takes of it."""

    def __init__(self, base: Path) -> None:
        self.case = Case(root=base / "root")
        self.folder = self.case.folder
        self.draw()
        self.before = tree(self.folder)
        self.folders = folders(self.folder)
        self.state = self.before["ckpts/checkpoint"]
        self.goes = {file.path for item in self.case.plan().items for file in item.files}
        self.purged = 0
        assert len(self.goes) == 11, self.goes

    def draw(self) -> None:
        """Make what is not there (any more)."""
        for number in (1, 2, 3):
            at_ns = START_NS + number * 1_000_000_000
            write(self.folder / "ckpts", bundle_files(f"ckpt-{number}", shards=2), at_ns)
            if number > 1:
                write(self.folder / f"export/{number}", {"saved_model.pb": b"graph"}, at_ns)
                write(self.folder / f"export/{number}/variables", bundle_files("variables"), at_ns)
                (self.folder / f"export/{number}/assets").mkdir(exist_ok=True)
        write(self.folder / "ckpts", {"checkpoint": state_text(3, 1, 2, 3), "ckpt-9.data-00000-of-00002": b"orphan"})
        write(self.folder / "ckpts/ckpt-8_temp", {"part-00000-of-00001.data-00000-of-00001": b"temp"})

    def recover(self) -> None:
        """End what was left half-done."""
        recover(self.case.run_folder, actor="ada", now=NOW)

    def newest(self) -> tuple[str, Stage]:
        """The newest batch and its stage."""
        found = batches(self.folder).batches
        return (found[0].id, found[0].stage) if found else ("", Stage.UNDONE)

    def quarantine(self) -> Act:
        """An action, ready to go."""
        plan = self.case.plan()
        return lambda: self.case.go(plan)

    def undo(self) -> Act:
        """An action, ready to go."""
        assert self.case.go().left_out == ()
        batch, _ = self.newest()
        return lambda: self.case.undo(batch)

    def purge(self) -> Act:
        """An action, ready to go."""
        assert self.case.go().left_out == ()
        batch, _ = self.newest()
        return lambda: purge(self.case.run_folder, batch, confirm=batch, actor="ada", now=NOW)

    def check(self, action: str) -> Stage:
        """Everything is somewhere, once; gives how it ended."""
        found = batches(self.folder)
        assert found.problems == (), found
        assert not needs_recovery(self.folder)
        batch, stage = self.newest()
        stage = stage if batch else Stage.UNDONE
        here, held = tree(self.folder), in_quarantine(self.folder)
        gone = self.goes if stage is not Stage.UNDONE else set()
        expected = {name: facts for name, facts in self.before.items() if name not in gone}
        if gone:
            expected["ckpts/checkpoint"] = self.rewritten(here["ckpts/checkpoint"])
        assert here == expected, (action, stage, sorted(here.keys() ^ expected.keys()))
        assert held == {name: self.before[name] for name in gone if stage is Stage.DONE}, (action, stage, sorted(held))
        assert stage is not Stage.UNDONE or folders(self.folder) == self.folders
        for path in (self.folder / ".waypoint/quarantine").glob("*/files"):
            assert stage is Stage.DONE, path
        for path in self.folder.rglob("*.data-*"):
            assert path.stat().st_nlink == 1, path
        return stage

    def rewritten(self, found: FileFacts) -> FileFacts:
        """The state file that names what stays."""
        assert found.content.decode().split("\n")[1] == 'all_model_checkpoint_paths: "ckpt-3"', found
        return FileFacts(found.content, self.state.mode, self.state.mtime_ns + 1000)

    def reset(self, stage: Stage) -> None:
        """Everything in its place again, as at first."""
        if stage is Stage.DONE:
            self.case.undo(self.newest()[0])
        elif stage is Stage.PURGED:
            self.draw()
        assert tree(self.folder) == self.before
        shutil.rmtree(self.folder / ".waypoint", ignore_errors=True)


def after_kill(scene: Scene, action: str, chance: random.Random) -> str:
    """Recover, killed once on the way; see that all is well; and begin anew."""
    was_killed(acting(scene.recover, chance.randrange(1, 60)))
    scene.recover()
    stage = scene.check(action)
    scene.reset(stage)
    return f"{action}: {stage.value}"


def main() -> None:
    """See above."""
    base, rounds, stride, chance = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    os.fsync = no_sync
    scene = Scene(base)
    ends: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for action in ACTIONS:
        at, killed = chance.randrange(stride), True
        while killed:
            at += stride
            act = getattr(scene, action)()
            began = time.monotonic()
            killed = was_killed(acting(act, at))
            seconds[action] = time.monotonic() - began
            ends[f"{action}: kills"] += killed
            ends[after_kill(scene, action, chance)] += 1
    while ends["random kills"] < rounds:
        action = ACTIONS[ends["random kills"] % 3]
        child = acting(getattr(scene, action)())
        time.sleep(chance.uniform(0, seconds[action]))
        os.kill(child, signal.SIGKILL)
        ends["random kills"] += was_killed(child)
        ends[after_kill(scene, action, chance)] += 1
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main()
