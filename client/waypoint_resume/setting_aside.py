"""Files of a run set aside by its job, journal first, undoable: for a rewind, or from a fresh start's way."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.aside_states import file_record, rewrite_state, state_changes
from waypoint_resume.atomic import make_folder, make_like, sync_folder
from waypoint_resume.clock import moment_text
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import LONG, is_file_within, read_record, write_record
from waypoint_resume.journal import JOURNAL, JOURNAL_SPEC, REWOUND
from waypoint_resume.journal_folders import folders_on_the_way
from waypoint_resume.lock import log_action
from waypoint_resume.names import folders_above, from_text
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.rules import one_of
from waypoint_resume.spec import problems_of
from waypoint_resume.version import __version__

_OWN = {"kind": one_of("rewind")}
_STATE_LATER_NS = 1000  # so that a look at the folder sees the change, and the run does not look live


@dataclass
class Reason:
    """Why files are set aside: the batch's id, who wants it, for which job, and what must stay in its place: the pick
    with its format, and its files.
    """

    id: str
    by: str
    note: str
    job: str
    pick: str | None = None
    format: str | None = None
    files: frozenset[str] = frozenset()


class SettingAside:
    """A batch in `.waypoint/rewound/<id>`, whose journal has the form of core/acts/journal.py.

    Under the run's lock, in this order: the journal, the state files, the files, the journal's last stage. A kill at
    any instant leaves a journal by which the next start goes on, or Waypoint's undo goes back.
    """

    def __init__(self, run: Path, reason: Reason) -> None:
        self.run, self.reason, self.batch = run, reason, run / HIDDEN / REWOUND / reason.id

    def items(self) -> Iterator[dict[str, Any]]:
        """What goes, in the journal's form."""
        raise NotImplementedError

    def carry_out(self) -> dict[str, Any]:
        """Begin or complete it; the journal as it stands then. ResumeError, and then everything is in its place."""
        self._check_place()
        journal = self._journal()
        if journal is None or journal["stage"] == "undone":
            journal = self._begin()
        if journal["stage"] != "moving":
            return journal
        try:
            for state in journal["states"]:
                rewrite_state(self.run, state, "old", "new", state["mtime_ns"] + _STATE_LATER_NS)
            self._take(journal)
        except OSError as error:
            is_back = self._take_back(journal)
            where = "everything is in its place again" if is_back else f"undo brings back what lies in {self.batch}"
            raise ResumeError(
                f"{error.filename or self.run}: {error.strerror}. What is in the way could not be "
                f"set aside; {where}, and nothing was loaded. Let the job write there, or fork the checkpoint."
            ) from error
        return self._keep({**journal, "stage": "done"})

    def _journal(self) -> dict[str, Any] | None:
        path = self.batch / JOURNAL
        if (self.batch.parent / f"{self.batch.name}.purged.json").exists():
            return {"stage": "purged", "items": []}
        found = read_record(path, LONG)
        problems = sorted(problems_of(found, {**JOURNAL_SPEC, **_OWN, "id": one_of(self.reason.id)})) if found else []
        if found == {} or problems:
            raise ResumeError(
                "\n  ".join([f"{path} cannot be understood, nothing was moved or loaded. Move it away:", *problems])
            )
        return found

    def _check_place(self) -> None:
        """No link on the way: files must never leave the run."""
        for place in (self.run / HIDDEN, self.batch.parent, self.batch, self.batch / "files"):
            if place.is_symlink():
                raise ResumeError(f"{place} is a link: nothing is set aside through it. Nothing was loaded.")

    def _begin(self) -> dict[str, Any]:
        items = [item for item in self.items() if item["files"]]
        states = state_changes(self.run, items, self.reason.pick, self.reason.format)
        own = [(from_text(item["path"]), [from_text(file["path"]) for file in item["files"]]) for item in items]
        journal = {
            "version": 1,
            "id": self.reason.id,
            "kind": "rewind",
            "by": self.reason.by,
            "at": moment_text(time.time()),
            "note": self.reason.note,
            "stage": "moving",
            "items": items,
            "folders": folders_on_the_way(self.run, own),
            "states": states,
            "undo": None,
            "purge": None,
        }
        moved = [item["path"] for item in items]
        about = {"batch": self.reason.id, "job": self.reason.job, "client": __version__, "items": moved}
        log_action(self.run, actor=self.reason.by, event="rewind", at=str(journal["at"]), about=about)
        hidden_folder(self.run, REWOUND, self.batch.name)
        return self._keep(journal)

    def _keep(self, journal: dict[str, Any]) -> dict[str, Any]:
        write_record(self.batch / JOURNAL, journal)
        return journal

    def item_of(self, kind: str, path: str, form: str | None, reason: str, files: Sequence[str]) -> dict[str, Any]:
        """An item of the journal; of the files those that are there, and must not stay in their place."""
        own = [
            file_record(self.run, name)
            for name in files
            if name not in self.reason.files and is_file_within(self.run, name)
        ]
        return {"kind": kind, "path": path, "format": form, "reason": reason, "files": own, "elsewhere": None}

    def _take(self, journal: Mapping[str, Any]) -> None:
        """Rename every file that has not gone yet, then remove the folders that go."""
        target = self.batch / "files"
        make_folder(target)
        former = {from_text(folder["path"]): folder for folder in journal["folders"]}
        touched = {target}
        for file in (file for item in journal["items"] for file in item["files"]):
            name = from_text(file["path"])
            if not is_file_within(self.run, name):
                continue  # a former start moved it, or somebody took it away meanwhile
            source, goal, found = self.run / name, target / name, os.lstat(self.run / name)
            if any((target / parent).is_symlink() for parent in folders_above(name)):
                raise OSError(errno.ELOOP, "a link stands on the way", str(goal))
            if os.path.lexists(goal):
                if os.path.samestat(found, os.lstat(goal)):
                    os.unlink(source)  # two names of one file, from an undo that was killed
                continue  # what stands in its place was saved since: nothing is ever replaced
            if (found.st_size, found.st_mtime_ns) != (file["size"], file["mtime_ns"]):
                continue  # saved again since the journal was written
            for parent in folders_above(name):
                if not (target / parent).is_dir():
                    make_like(target / parent, mode=former[parent]["mode"], group=former[parent]["gid"])
                touched |= {self.run / parent, target / parent}
            os.rename(source, goal)
        for folder in reversed(journal["folders"]):
            if folder["goes"]:
                with contextlib.suppress(OSError):  # something came meanwhile
                    os.rmdir(self.run / from_text(folder["path"]))
        for place in (*touched, self.run):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                sync_folder(place)

    def _take_back(self, journal: Mapping[str, Any]) -> bool:
        """Put everything in its place again; what cannot be put back stays in the batch, for Waypoint's undo."""
        stays = False
        for file in (file for item in reversed(journal["items"]) for file in reversed(item["files"])):
            name = from_text(file["path"])
            try:
                if is_file_within(self.batch / "files", name) and not os.path.lexists(self.run / name):
                    make_folder((self.run / name).parent)
                    os.rename(self.batch / "files" / name, self.run / name)
            except OSError:
                stays = True
        for state in journal["states"]:
            with contextlib.suppress(OSError):
                rewrite_state(self.run, state, "new", "old", state["mtime_ns"])
        if not stays:
            self._keep({**journal, "stage": "undone", "undo": {"by": journal["by"], "at": moment_text(time.time())}})
        return not stays
