"""What jobs kept of what was handed over to them, and bringing one of it back under a free name, undoable.

A job keeps a copy before it trains (`waypoint_resume.kept`), for it saves over its own files. What is brought back lies
beside the original's place, `best-kept.keras` for `best.keras`; the copy itself stays where it is.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from core.base.errors import CoreError, NotFoundError
from core.formats.file_groups import is_shard
from core.resume.copies import copy_files, free_name
from core.runfolder.places import hidden_folder, locked, log
from core.runfolder.run_folder import RunFolder
from waypoint_resume.atomic import sync_folder, write_atomic
from waypoint_resume.files import read_record
from waypoint_resume.kept import FILES, KEPT, Kept, kept_in
from waypoint_resume.names import from_text, to_text

BACK = "back.json"
_ENDINGS = (".weights.h5", ".weights.json", ".keras", ".h5", ".hdf5")


def kept_checkpoints(run_folder: RunFolder) -> tuple[Kept, ...]:
    """What is kept of a run, the newest manifest first."""
    return tuple(
        sorted((item for home in run_folder.homes for item in kept_in(home)), key=lambda item: item.manifest)[::-1]
    )


def is_back(item: Kept) -> bool:
    """Whether it was brought back, and not taken away again."""
    return (item.folder / BACK).exists()


def bring_back(run_folder: RunFolder, manifest_id: str, *, actor: str, now: datetime) -> str:
    """Put a copy of what is kept for a manifest into the run, under a free name, which is returned as text, relative to
    the run. NotFoundError, CoreError where it was brought back already, BusyError, OSError.
    """
    item = _find(run_folder, manifest_id)
    home, run = item.folder.parents[2], run_folder.folder
    with locked(home):
        if is_back(item):
            raise CoreError(f"What is kept for {manifest_id} was brought back already: undo that first.")
        names = dict(_new_names(run, item))
        path = _renamed(item.path, _free(run, item))
        about = {"manifest": manifest_id, "checkpoint": to_text(path)}
        log(home, actor=actor, event="bring back kept", now=now, about=about)
        stage = hidden_folder(home, KEPT, f".{manifest_id}.waypoint-tmp")
        copy_files(item.folder / FILES, stage, names, links=is_shard)
        back = {"path": to_text(path), "files": [to_text(name) for name in names.values()]}
        write_atomic(item.folder / BACK, json.dumps(back, indent=2).encode() + b"\n")
        for old, new in sorted(names.items(), key=lambda pair: pair[0].endswith(".index")):  # whole when that is there
            (run / new).parent.mkdir(parents=True, exist_ok=True)
            os.link(stage / old, run / new)  # never over something
            (stage / old).unlink()
        for folder, _, _ in os.walk(stage, topdown=False):
            os.rmdir(folder)
        sync_folder((run / path).parent)
    return to_text(path)


def take_away(run_folder: RunFolder, manifest_id: str, *, actor: str, now: datetime) -> None:
    """Undo `bring_back`: what it made goes, if it still is what is kept. NotFoundError; CoreError where it is not."""
    item = _find(run_folder, manifest_id)
    home, run = item.folder.parents[2], run_folder.folder
    with locked(home):
        back = read_record(item.folder / BACK)
        if back is None:
            raise NotFoundError(f"What is kept for {manifest_id} was not brought back.")
        made = [run / from_text(name) for name in back.get("files", ())]
        kept = [item.folder / FILES / name for name in item.files]
        changed = [new for new, old in zip(made, kept, strict=True) if new.exists() and not _is_same(new, old)]
        if changed:
            raise CoreError(f"{to_text(str(changed[0]))} was written since: it stays, and so does what is kept.")
        log(home, actor=actor, event="take kept away", now=now, about={"manifest": manifest_id})
        for path in made:
            path.unlink(missing_ok=True)
            if path.parent != run and not any(path.parent.iterdir()):
                path.parent.rmdir()
        (item.folder / BACK).unlink()


def _find(run_folder: RunFolder, manifest_id: str) -> Kept:
    for item in kept_checkpoints(run_folder):
        if item.manifest == manifest_id or item.manifest.endswith(manifest_id):
            return item
    raise NotFoundError(f"Nothing is kept for a manifest {to_text(manifest_id)!r} in this run.")


def _is_same(new: Path, old: Path) -> bool:
    if os.path.samefile(new, old):
        return True
    return new.stat().st_size == old.stat().st_size and new.read_bytes() == old.read_bytes()


def _free(run: Path, item: Kept) -> str:
    """The ending for its name with which nothing is there yet."""

    def is_taken(ending: str) -> bool:
        moved = _renamed(item.path, ending)
        place = run / moved
        if not place.parent.is_dir():
            return False
        return any(name == place.name or name.startswith(f"{place.name}.") for name in os.listdir(place.parent))

    return free_name("kept", "", is_taken)


def _new_names(run: Path, item: Kept) -> Iterator[tuple[str, str]]:
    """Each kept file and the name under which it comes back."""
    new = _renamed(item.path, _free(run, item))
    for name in item.files:
        if name == item.path or name.startswith((f"{item.path}/", f"{item.path}.")):
            yield name, new + name[len(item.path) :]
        else:  # beside it, or of a folder that is the run's own
            parent, _, last = name.rpartition("/")
            yield name, f"{parent}/{new.rpartition('/')[2]}-{last}".lstrip("/")


def _renamed(path: str, ending: str) -> str:
    found = next((one for one in _ENDINGS if path.endswith(one)), "")
    stem = path.removesuffix(found) if path != "." else "run"
    return f"{stem}-{ending}{found}"
