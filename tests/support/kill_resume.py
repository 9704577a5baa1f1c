"""Kills the writing of a manifest that continues, of one that rewinds, and a fork: at each call to the file system in
turn, and at random times; for test_resume_killed.

A forked child acts and dies by SIGKILL. Afterwards the old manifest or the new one stands whole, one that rewinds has
its plan, the fork is there whole or not at all, and every file of the run is what it was; what a killed fork left is
gone after the next one. Prints how often each end was found, as JSON. Arguments: an empty folder, the number of random
kills, how many calls lie between two kills, a seed.
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
from dataclasses import replace
from pathlib import Path

from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint
from core.resume.fork import fork
from core.resume.history import ManifestState, read_manifests
from core.resume.manifest import Mode, parse
from core.resume.propose import propose
from core.resume.rewind import read_plan
from core.resume.write import write_manifest
from core.runfolder.run_folder import RunFolder
from tests.support.kill_quarantine import acting, no_sync, was_killed
from tests.support.quarantine_cases import tree
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk, run_folder_of
from waypoint_resume.atomic import is_temp

MANIFEST = "resume_manifest.json"
ACTIONS = ("continue", "rewind", "fork", "fork of a file")
Act = Callable[[], object]


class Scene:
    """A run with three bundles, a Keras file and a manifest."""

    def __init__(self, root: Path) -> None:
        self.root, self.run, self.new = root, root / "exp/a", root / "exp/b"
        self.bundles = [on_disk(root, a_checkpoint(number)) for number in (5, 6, 7)]
        file = FileStat(name="m.keras", size=3 << 20, mtime_ns=1)
        keras = a_checkpoint()._replace(format=Format.KERAS, path="exp/a/ckpts/m.keras", files=(file,), series="keras")
        self.keras = on_disk(root, keras)
        self.files = self.of_the_run()
        self.write("continue")()
        self.former = self.manifest()

    def of_the_run(self) -> dict[str, object]:
        """Every file of the run but the manifest, and what a killed writer left of one."""
        return {name: facts for name, facts in tree(self.run).items() if name != MANIFEST and not is_temp(name)}

    def manifest(self) -> str:
        """The id of the manifest in place, which must be whole."""
        return parse((self.run / MANIFEST).read_bytes()).id

    def write(self, action: str) -> Act:
        """An action, ready to go."""
        pick = {"continue": self.bundles[2], "rewind": self.bundles[0], "fork": self.bundles[0]}.get(action, self.keras)
        mode = Mode(action.partition(" ")[0])
        proposal = replace(propose(pick, (*self.bundles, self.keras), a_run(), NOW, mode), warnings=())
        place = run_folder_of(self.root, pick)
        if mode is Mode.FORK:
            return lambda: fork(place, pick, proposal, name="b", actor="ada", note="", accepted=(), now=NOW)
        return lambda: write_manifest(place, pick, proposal, actor="ada", note="", accepted=(), now=NOW)

    def check(self, action: str) -> str:
        """All is well; gives how it ended."""
        assert self.of_the_run() == self.files
        found = read_manifests(RunFolder.alone(self.run))
        assert found.problems == (), found.problems
        standing = found.entries[0]
        assert (standing.state, standing.manifest.id) == (ManifestState.PENDING, self.manifest())
        assert self.former in {entry.manifest.id for entry in found.entries}
        for entry in found.entries:
            if entry.manifest.mode is Mode.REWIND:
                plan = read_plan(self.run, entry.manifest.id)
                assert [item.path for item in plan.items[:2]] == ["ckpts/ckpt-6", "ckpts/ckpt-7"]
        if action.startswith("fork"):
            assert standing.manifest.id == self.former
            return self.check_fork(self.bundles[0] if action == "fork" else self.keras)
        end = "old" if standing.manifest.id == self.former else "new"
        self.former = standing.manifest.id
        return end

    def check_fork(self, pick: Checkpoint) -> str:
        """Whole, or not there; and the next one removes what is left."""
        end = "new" if self.new.exists() else "old"
        if self.new.exists():
            self.require_whole(pick)
            shutil.rmtree(self.new)
        self.write("fork" if pick.format is Format.TF_BUNDLE else "fork of a file")()
        self.require_whole(pick)
        assert sorted(os.listdir(self.new.parent)) == ["a", "b"]
        shutil.rmtree(self.new)
        assert self.of_the_run() == self.files
        return end

    def require_whole(self, pick: Checkpoint) -> None:
        """The new run has the pick's files, its state file and a manifest that it can be restored by."""
        files = tree(self.new)
        manifest = parse(files.pop(MANIFEST).content)
        assert (manifest.run, manifest.mode) == ("exp/b", Mode.FORK)
        if pick.format is Format.TF_BUNDLE:
            assert b'"ckpt-5"' in files.pop("ckpts/checkpoint").content
        assert files == {file.path: self.files[file.path] for file in manifest.checkpoint.files}
        assert read_manifests(RunFolder.alone(self.new)).entries[0].state is ManifestState.PENDING


def main() -> None:
    """See above."""
    base, rounds, stride, chance = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    os.fsync = no_sync
    scene = Scene(base / "root")
    ends: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for action in ACTIONS:
        at, killed = chance.randrange(stride), True
        while killed:
            at += stride
            began = time.monotonic()
            killed = was_killed(acting(scene.write(action), at))
            seconds[action] = time.monotonic() - began
            ends[f"{action}: kills"] += killed
            ends[f"{action}: {scene.check(action)}"] += 1
    while ends["random kills"] < rounds:
        action = ACTIONS[ends["random kills"] % len(ACTIONS)]
        child = acting(scene.write(action))
        time.sleep(chance.uniform(0, seconds[action]))
        os.kill(child, signal.SIGKILL)
        ends["random kills"] += was_killed(child)
        ends[f"{action}: {scene.check(action)}"] += 1
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    main()
