"""A rewind carried out: what is newer than the pick is set aside, undoable."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import make_folder, make_like, remove_stale, sync_folder, write_atomic
from waypoint_resume.checkpoints import Found, find_checkpoints
from waypoint_resume.claim import Decision
from waypoint_resume.clock import disk_now, moment_text
from waypoint_resume.decision import governing
from waypoint_resume.errors import ResumeError, RunIsBusy, os_errors_as_resume_errors
from waypoint_resume.files import LONG, is_file_within, names_in_folder, read_file, read_record, write_record
from waypoint_resume.journal import JOURNAL, JOURNAL_SPEC, PLAN_SPEC, REWOUND
from waypoint_resume.lock import decisions_lock, log_action
from waypoint_resume.names import folders_above, from_text, to_text
from waypoint_resume.places import HIDDEN, decision_homes, hidden_folder
from waypoint_resume.spec import one_of, problems_of
from waypoint_resume.state_files import STATE_FILE, state_without
from waypoint_resume.version import __version__

_STATE_LATER_NS = 1000  # so that a look at the folder sees the change, and the run does not look live
_BACKUP_FILES = ("latest.weights.h5", "training_metadata.json")


class Rewind:
    """One rewind: a batch in `.waypoint/rewound/<manifest id>`, whose journal has the form of core/storage/journal.py.

    Under the run's lock, in this order: the journal, the state files, the files, the journal's last stage. A kill at
    any instant leaves a journal by which the next start goes on, or Waypoint's undo goes back.
    """

    def __init__(self, decision: Decision) -> None:
        assert decision.manifest is not None
        assert decision.claim is not None
        self.run, self.manifest, self.claim = decision.run, decision.manifest, decision.claim
        self.batch = self.run / HIDDEN / REWOUND / str(self.manifest["id"])
        self.picked = {from_text(file["path"]) for file in self.manifest["checkpoint"]["files"]}

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
                self._rewrite(state, "old", "new", state["mtime_ns"] + _STATE_LATER_NS)
            self._take(journal)
        except OSError as error:
            is_back = self._take_back(journal)
            where = "everything is in its place again" if is_back else f"undo brings back what lies in {self.batch}"
            raise ResumeError(
                f"{error.filename or self.run}: {error.strerror}. What is newer than "
                f"{self.manifest['checkpoint']['path']} could not be set aside; {where}, and "
                "nothing was loaded. Hand the checkpoint over as a fork, or let the job write there."
            ) from error
        return self._keep({**journal, "stage": "done"})

    def _journal(self) -> dict[str, Any] | None:
        path = self.batch / JOURNAL
        if (self.batch.parent / f"{self.batch.name}.purged.json").exists():
            return {"stage": "purged", "items": []}
        found = read_record(path, LONG)
        problems = sorted(problems_of(found, {**JOURNAL_SPEC, "id": one_of(self.manifest["id"])})) if found else []
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
        items = [item for item in self._items() if item["files"]]
        states = self._states(items)
        manifest = self.manifest
        journal = {
            "version": 1,
            "id": manifest["id"],
            "kind": "rewind",
            "by": manifest["created_by"],
            "at": moment_text(time.time()),
            "note": manifest["note"],
            "stage": "moving",
            "items": items,
            "folders": self._folders(items),
            "states": states,
            "undo": None,
            "purge": None,
        }
        moved = [item["path"] for item in items]
        about = {"batch": manifest["id"], "job": self.claim["job"], "client": __version__, "items": moved}
        log_action(self.run, actor=journal["by"], event="rewind", at=journal["at"], about=about)
        hidden_folder(self.run, REWOUND, self.batch.name)
        return self._keep(journal)

    def _keep(self, journal: dict[str, Any]) -> dict[str, Any]:
        write_record(self.batch / JOURNAL, journal)
        return journal

    def _items(self) -> Iterator[dict[str, Any]]:
        """What the plan names and is still there, and what was saved after the plan: this job has saved nothing yet."""
        plan = self._plan()
        planned = set()
        for item in plan["items"]:
            files = [from_text(name) for name in item["files"]]
            planned.update(files)
            yield self._item(item["kind"], item["path"], item["format"], item["reason"], files)
        stays, inner = ({from_text(name) for name in plan[key]} for key in ("stays", "inner"))
        for found in find_checkpoints(self.run):
            if found.path in stays or any(folder in inner for folder in (*folders_above(found.path), found.path)):
                continue
            files = [name for name in self._files_of(found) if name not in planned]
            newest_ns = max((os.lstat(self.run / name).st_mtime_ns for name in files), default=0)
            if plan["since_ns"] < newest_ns and self.picked.isdisjoint(files):
                reason = f"saved after {self.manifest['checkpoint']['path']} was picked"
                yield self._item("checkpoint", to_text(found.path), found.format, reason, files)

    def _plan(self) -> dict[str, Any]:
        """What the dashboard said would be set aside; ResumeError where it is missing or broken."""
        name = Path(HIDDEN, REWOUND, f"{self.manifest['id']}.plan.json")
        for path in (home / name for home in decision_homes(self.run)):
            plan = read_record(path, LONG)
            if plan is None:
                continue
            spec = {**PLAN_SPEC, "manifest": one_of(self.manifest["id"])}
            if problems := sorted(problems_of(plan, spec)):
                raise ResumeError("\n  ".join([f"{path} cannot be followed; nothing was moved or loaded:", *problems]))
            return plan
        raise ResumeError(
            f"The manifest {self.manifest['id']} rewinds, but {self.run / name}, which says what is to be set aside, "
            "is not there. Nothing was moved or loaded. Hand the checkpoint over again."
        )

    def _item(self, kind: str, path: str, form: str | None, reason: str, files: Sequence[str]) -> dict[str, Any]:
        own = [self._file(name) for name in files if name not in self.picked and is_file_within(self.run, name)]
        return {"kind": kind, "path": path, "format": form, "reason": reason, "files": own, "elsewhere": None}

    def _file(self, name: str) -> dict[str, Any]:
        found = os.lstat(self.run / name)
        return {
            "path": to_text(name),
            "size": found.st_size,
            "allocated": found.st_blocks * 512,
            "mtime_ns": found.st_mtime_ns,
            "mode": found.st_mode & 0o7777,
            "inode": found.st_ino,
            "device": found.st_dev,
            "links": found.st_nlink,
        }

    def _files_of(self, found: Found) -> list[str]:
        """A checkpoint's files relative to the run, the one that makes it whole first."""
        path = self.run / found.path
        if found.format in ("saved-model", "orbax"):
            below = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
            marks = ("saved_model.pb", "_CHECKPOINT_METADATA")
            files = sorted(below, key=lambda file: (file.name not in marks, str(file)))
        elif found.format == "tf-bundle":
            own = re.compile(re.escape(path.name) + r"\.(index|meta|data-\d{5}-of-\d{5})")
            files = [path.parent / name for name in names_in_folder(path.parent) if own.fullmatch(name)]
            files.sort(key=lambda file: (file.suffix != ".index", file.name))
        elif path.name.startswith(_BACKUP_FILES[0]):
            files = [
                path.parent / name for name in sorted(names_in_folder(path.parent)) if name.startswith(_BACKUP_FILES)
            ]
        else:
            files = [path]
        return [file.relative_to(self.run).as_posix() for file in files]

    # -- folders and files

    def _folders(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The folders on the way to the files, and those that hold nothing else and go with a checkpoint."""
        files = {from_text(file["path"]) for item in items for file in item["files"]}
        going: set[str] = set()
        for item in items:
            top = self.run / from_text(item["path"])
            for folder, below, names in os.walk(top, topdown=False) if top.is_dir() and item["path"] != "." else ():
                here = Path(folder).relative_to(self.run).as_posix()
                inside = [f"{here}/{name}" for name in names]
                if files.issuperset(inside) and going.issuperset(f"{here}/{name}" for name in below):
                    going.add(here)
        found = []
        for name in sorted({parent for file in files for parent in folders_above(file)} | going):
            facts = os.lstat(self.run / name)
            found.append(
                {
                    "path": to_text(name),
                    "mode": facts.st_mode & 0o7777,
                    "uid": facts.st_uid,
                    "gid": facts.st_gid,
                    "mtime_ns": facts.st_mtime_ns,
                    "goes": name in going,
                }
            )
        return found

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
                self._rewrite(state, "new", "old", state["mtime_ns"])
        if not stays:
            self._keep({**journal, "stage": "undone", "undo": {"by": journal["by"], "at": moment_text(time.time())}})
        return not stays

    # -- state files

    def _states(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the state files say now and must say then. One that names only what goes, goes with it."""
        gone = {from_text(item["path"]): item for item in items if item["format"] == "tf-bundle"}
        picked = from_text(self.manifest["checkpoint"]["path"])
        is_bundle = self.manifest["checkpoint"]["format"] == "tf-bundle"
        folders = {name.rpartition("/")[0] for name in (*gone, *((picked,) if is_bundle else ()))}
        states = []
        for folder in sorted(folders):
            path = f"{folder}/{STATE_FILE}" if folder else STATE_FILE
            old = read_file(self.run / path) if is_file_within(self.run, path) else None
            if old is None:
                continue
            latest = picked.rpartition("/")[2] if is_bundle and picked.rpartition("/")[0] == folder else None
            new = state_without(old, self.run / folder, {str(self.run / name) for name in gone}, latest)
            if new is None:
                own = [item for name, item in gone.items() if name.rpartition("/")[0] == folder]
                own[-1]["files"].append(self._file(path))
            elif new != old:
                with contextlib.suppress(UnicodeDecodeError):  # TensorFlow cannot read it either: it stays
                    texts = {"old": old.decode(), "new": new.decode()}
                    states.append({**texts, "path": to_text(path), "mtime_ns": os.lstat(self.run / path).st_mtime_ns})
        return states

    def _rewrite(self, state: Mapping[str, Any], old: str, new: str, mtime_ns: int) -> None:
        """Write one of a state file's contents in the place of the other; what somebody wrote since stays."""
        path = self.run / from_text(state["path"])
        if is_file_within(self.run, from_text(state["path"])) and read_file(path) == state[old].encode():
            remove_stale(path)
            write_atomic(path, state[new].encode(), mtime_ns=mtime_ns)


def follow_rewind(manager: Any) -> None:  # noqa: ANN401 - TensorFlow has no types
    """Let a CheckpointManager that was made before the rewind forget what is set aside: it read the former state file,
    and its next save would list and rotate what is gone.
    """
    import tensorflow as tf

    fresh = tf.train.get_checkpoint_state(manager.directory)
    manager._latest_checkpoint = fresh.model_checkpoint_path if fresh else None  # noqa: SLF001
    listed = set(fresh.all_model_checkpoint_paths) if fresh else set()
    for name in [name for name in manager._maybe_delete if name not in listed]:  # noqa: SLF001
        del manager._maybe_delete[name]  # noqa: SLF001


def set_aside(decision: Decision) -> tuple[str, ...]:
    """Carry out a rewind, once for each manifest: what is newer than the pick moves out of the way, undoable.

    Returns the paths that moved, relative to the run. Imports no TensorFlow. ResumeError: nothing was moved.
    """
    if decision.claim is None or decision.manifest is None or decision.manifest["mode"] != "rewind":
        return ()
    if decision.claim.get("rewound_at"):
        return ()
    with os_errors_as_resume_errors(decision.run), decisions_lock(decision.home):
        if (read_record(decision.claim_path()) or {}).get("uuid") != decision.claim["uuid"]:
            raise RunIsBusy(f"Another job took the manifest {decision.manifest['id']} over: nothing was moved.")
        standing, _ = governing(decision_homes(decision.run))
        if standing is None or standing["id"] != decision.manifest["id"]:
            raise ResumeError(f"The manifest {decision.manifest['id']} was replaced meanwhile: start the job again.")
        journal = Rewind(decision).carry_out()
    decision.note(rewound_at=moment_text(disk_now(decision.home / HIDDEN)))
    return tuple(item["path"] for item in journal["items"])
