"""What is kept about a checkpoint brought over to another run that got a copy of the checkpoint: its state, and what
the fits ended with that a script called before the one that saved it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from waypoint_resume.atomic import make_folder, replacing, write_atomic
from waypoint_resume.ended_record import FITS, RECORD, ended_in
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import open_plain, read_file
from waypoint_resume.fit_mark import mark_in
from waypoint_resume.identity import identity_of
from waypoint_resume.places import HIDDEN
from waypoint_resume.state_store import LONGEST, STATE, StateStore
from waypoint_resume.values import files_of


def copy_state(home: Path, target: Path, path: str) -> bool:
    """Bring what `home` keeps for the checkpoint at a path relative to the run `target` into that run; whether there is
    such a state. One that cannot be read is none; OSError where it cannot be written.
    """
    try:
        identity = identity_of(target, path)
    except OSError:
        return False
    source, folder = home / HIDDEN / STATE, target / HIDDEN / STATE
    name = f"{identity.digest}.json"
    try:
        data = read_file(source / name, LONGEST)
        record = None if data is None else json.loads(data)
        arrays = files_of(record["state"]) if isinstance(record, dict) else set()
        handles = {f"{one}.npz": open_plain(source / f"{os.path.basename(one)}.npz") for one in sorted(arrays)}
    except (OSError, ValueError, KeyError, ResumeError, RecursionError):
        return False
    if not isinstance(record, dict) or data is None:
        return False
    record["identity"] = identity.record()
    make_folder(folder)
    for one, handle in handles.items():
        with os.fdopen(handle, "rb") as old, replacing(folder / os.path.basename(one)) as new:
            shutil.copyfileobj(old, new, 1 << 20)
    write_atomic(folder / name, json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return True


def copy_ended_fits(home: Path, target: Path, path: str) -> list[int]:
    """Bring what `home` keeps of the fits before the one that saved the checkpoint at a path relative to the run
    `target` into that run; their numbers. It needs the checkpoint's state there. OSError where it cannot be written.
    """
    try:
        mark = mark_in(StateStore(target, target).find(identity_of(target, path)).state)
    except OSError:
        return []
    copied = []
    for number in range(mark.number if mark is not None else 0):
        source, folder = home / HIDDEN / FITS / str(number), target / HIDDEN / FITS / str(number)
        names = [Path(here, name).relative_to(source) for here, _, files in os.walk(source) for name in files]
        for name in sorted(names, key=lambda item: item.name == RECORD):  # the record last: it makes the copy count
            make_folder((folder / name).parent)
            with os.fdopen(open_plain(source / name), "rb") as old, replacing(folder / name) as new:
                shutil.copyfileobj(old, new, 1 << 20)
        ended = ended_in(target, target, number)
        if ended is not None:
            copy_state(home, target, ended.path)
            copied.append(number)
    return copied
