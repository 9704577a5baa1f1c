"""Kills the undoing of rewinds at each call to the file system in turn: one that is half-done and goes back to its
places, and one whose names are taken and comes back as a new run.

Afterwards every file must be in its place or in the batch, the new run whole or not there at all, and the next undo
must end well. Prints how often each was killed, as JSON. Argument: an empty folder.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from core.acts.undo import OnConflict
from core.resume.propose import propose
from core.resume.write import write_manifest
from tests.support.kill_quarantine import acting, no_sync, was_killed
from tests.support.quarantine_cases import Case, FileFacts, bundle_files, state_text, tree, tree_of
from tests.support.resume_cases import NOW, a_checkpoint, a_run, on_disk
from tests.support.rewound_cases import REWOUND, bundle, rewind
from tests.support.trees import START_NS, write
from waypoint_resume.atomic import is_temp
from waypoint_resume.governing import governing

NEWER = {f"ckpts/ckpt-{step}": bundle(f"ckpts/ckpt-{step}") for step in (2, 3)}
STATE = "ckpts/checkpoint"
MOVED = 3  # of four files


def drawn(root: Path) -> Case:
    """A fresh run."""
    shutil.rmtree(root, ignore_errors=True)
    case = Case(root=root)
    for step in (1, 2, 3):
        write(case.folder / "ckpts", bundle_files(f"ckpt-{step}"), START_NS)
    write(case.folder, {STATE: state_text(3, 1, 2, 3)}, START_NS)
    return case


def held(case: Case, batch: str) -> dict[str, FileFacts]:
    """The files of a batch."""
    return tree_of(case.folder / REWOUND / batch / "files")


def claimed(case: Case, batch: str) -> None:
    """The manifest of a rewind, and the claim of the job that was killed in it."""
    pick = on_disk(case.root, a_checkpoint(9))
    manifest = case.folder / "resume_manifest.json"
    proposal = propose(pick, (pick,), a_run(), NOW)
    accepted = [caution.id for caution in proposal.warnings]
    made, _ = write_manifest(case.run_folder, pick, proposal, actor="ada", note="", accepted=accepted, now=NOW)
    manifest.write_text(manifest.read_text().replace(made.id, batch))
    claims = case.folder / ".waypoint/claims"
    claims.mkdir()
    (claims / f"{batch}.claim").write_text(json.dumps({"manifest": batch, "uuid": "c1"}))


def taken_back(root: Path, at: int) -> bool:
    """A half-done rewind is undone and killed, then undone again; whether it was killed. A job that starts in between
    must not go back to the pick once something is back in its place.
    """
    case = drawn(root)
    whole = tree(case.folder)
    batch = rewind(case.folder, NEWER, {STATE: state_text(1, 1).decode()}, stop_after=MOVED)
    moved = len(held(case, batch))
    claimed(case, batch)
    before = {**tree(case.folder), **held(case, batch), STATE: whole[STATE]}
    killed = was_killed(acting(lambda: case.undo(batch), at))
    here, aside = tree(case.folder), held(case, batch)
    assert len(aside) == moved or governing([case.folder]) == (None, None)
    assert {name for name in {**here, **aside} if not is_temp(Path(name).name)} == before.keys()
    assert all({**here, **aside}[name] == before[name] for files in NEWER.values() for name in files)
    if stage(case, batch) != "undone":
        assert case.undo(batch).problems == ()
    assert (tree(case.folder), held(case, batch)) == (before, {})
    return killed


def bring_back_as_run(root: Path, at: int) -> bool:
    """The same for one that comes back as a new run."""
    case = drawn(root)
    old = tree(case.folder)
    batch = rewind(case.folder, NEWER, {STATE: state_text(1, 1).decode()})
    write(case.folder / "ckpts", bundle_files("ckpt-2", size=7), START_NS)
    before, aside = tree(case.folder), held(case, batch)
    whole = {name: old[name] for files in NEWER.values() for name in files}
    killed = was_killed(acting(lambda: case.undo(batch, OnConflict.RENAME), at))
    assert (tree(case.folder), held(case, batch)) == (before, aside)
    for folder in new_runs(case):
        found = tree(folder)
        assert found.pop(STATE).content == state_text(3, 2, 3)
        assert found == whole
    if not new_runs(case):
        case.undo(batch, OnConflict.RENAME)
    assert [path.name for path in case.folder.parent.iterdir() if path.name != "a"] == [f"a-rewound-{batch[-8:]}"]
    return killed


def new_runs(case: Case) -> list[Path]:
    """What a look at the disk takes for runs beside the run."""
    return [path for path in case.folder.parent.iterdir() if path.name != "a" and not path.name.startswith(".")]


def stage(case: Case, batch: str) -> str:
    """How far the journal says it is."""
    return str(json.loads((case.folder / REWOUND / batch / "journal.json").read_text())["stage"])


def main() -> None:
    """See above."""
    os.fsync = no_sync
    kills = {}
    for act in (taken_back, bring_back_as_run):
        at = 1
        while act(Path(sys.argv[1]) / "root", at):
            at += 1
        kills[act.__name__] = at - 1
    sys.stdout.write(json.dumps(kills))


if __name__ == "__main__":
    main()
