"""Writing a mended state file, and taking that back.

In this order, under the run's lock: everything is looked at again, the old file and the record are kept, the log gets
its line, the new file is renamed over the old one. A kill at any instant leaves the old one or the new one, whole, and
what is needed to go back. The file's time stays (a microsecond later), so that a mend does not make a run look live.
"""

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from core.base.errors import NotFoundError, ReadOnlyError
from core.base.files import change_of
from core.base.names import printable
from core.mend import records
from core.mend.errors import LiveRunError, StateChangedError
from core.mend.on_disk import on_disk, read
from core.mend.propose import MendProposal
from core.mend.records import Mend, MendState, Record
from core.runfolder.places import log
from core.runfolder.run_folder import RunFolder
from core.stores.local import plain_file
from waypoint_resume.atomic import remove_stale, sync_folder, write_atomic
from waypoint_resume.clock import moment_text
from waypoint_resume.ids import uuid7
from waypoint_resume.names import from_text, to_text

_LATER_NS = 1000


def apply(
    run_folder: RunFolder, proposal: MendProposal, *, actor: str, now: datetime, is_live: bool, confirm: str = ""
) -> Mend:
    """Write a proposal. `confirm` is the run's name, which a live run needs.

    Raises LiveRunError, StateChangedError (look again, and propose anew), ReadOnlyError, BusyError, PlaceError.
    """
    _require_quiet(run_folder, is_live=is_live, confirm=confirm)
    state = run_folder.within(proposal.state)
    target = run_folder.state_file(state)
    latest = run_folder.within(proposal.latest) if proposal.is_picked else None
    with _writing(run_folder, target, f"--latest {_quoted(latest)} --apply" if latest else "--apply") as home:
        mtime_ns = _require_unchanged(run_folder, proposal, target)
        new = records.digest(proposal.new)
        assert new is not None
        record = Record(
            id=str(uuid7()),
            actor=printable(actor),
            at=now,
            state=to_text(state),
            old=records.digest(proposal.old),
            new=new,
            mode=None if proposal.old is None else os.lstat(target).st_mode & 0o7777,
            mtime_ns=None if proposal.old is None else mtime_ns,
            why=proposal.why,
        )
        folder = records.keep(home, record, proposal.old)
        about = {"mend": record.id, "state": record.state, "why": record.why}
        with _logged(home, actor=actor, event="mend state file", now=now, about=about):
            _put(target, proposal.new, mtime_ns + _LATER_NS)
    return Mend(record=record, folder=folder, state=MendState.IN_EFFECT)


def undo(run_folder: RunFolder, mend_id: str, *, actor: str, now: datetime, is_live: bool, confirm: str = "") -> Mend:
    """Put the state file back that a mend replaced, or remove it where there was none before.

    Raises NotFoundError for an unknown id, StateChangedError where the state file is not what the mend wrote, and what
    `apply` raises.
    """
    found = _find(run_folder, mend_id)
    _require_quiet(run_folder, is_live=is_live, confirm=confirm)
    target = run_folder.state_file(from_text(found.record.state))
    with _writing(run_folder, target, f"--undo {found.record.id}") as home:
        mend = _find(run_folder, mend_id)
        _require_in_effect(mend)
        old = records.kept(mend)
        about = {"mend": mend.record.id, "state": mend.record.state}
        with _logged(home, actor=actor, event="undo mend", now=now, about=about):
            if old is None:
                target.unlink()
                sync_folder(target.parent)
            else:
                _put(target, old, mend.record.mtime_ns)
            told = {"id": mend.record.id, "actor": printable(actor), "at": moment_text(now)}
            write_atomic(mend.folder / records.UNDONE, json.dumps(told, indent=2).encode() + b"\n")
    return Mend(record=mend.record, folder=mend.folder, state=MendState.UNDONE)


def _require_quiet(run_folder: RunFolder, *, is_live: bool, confirm: str) -> None:
    if is_live and confirm != to_text(run_folder.run):
        raise LiveRunError(run_folder.run)


def _require_unchanged(run_folder: RunFolder, proposal: MendProposal, target: Path) -> int:
    """Look at all that the proposal was made from; gives the time that the new file follows, ns."""
    if read(target) != proposal.old:
        raise StateChangedError(
            f"{to_text(proposal.state)} changed since the proposal was made. Nothing was written; look at it again."
        )
    named = {proposal.latest, *proposal.listed}
    gone = sorted(named - on_disk(run_folder.root_path, named))
    chosen = proposal.chosen
    for file in () if chosen is None else chosen.files:
        place = os.path.join(run_folder.root_path, chosen.folder, file.name) if chosen else ""
        if change_of(file, plain_file(os.path.realpath(place))) is not None:
            gone.append(file.name)
    if gone:
        raise StateChangedError(
            f"Changed or gone since the proposal was made: {', '.join(map(to_text, gone))}. Nothing was written; look "
            "at it again."
        )
    if proposal.old is not None:
        return os.lstat(target).st_mtime_ns
    return max((file.mtime_ns for file in chosen.files), default=0) if chosen else 0


def _require_in_effect(mend: Mend) -> None:
    name, state = mend.record.id, to_text(mend.record.state)
    if mend.state is MendState.UNDONE:
        raise StateChangedError(f"Mend {name} is undone already.")
    if mend.state is MendState.NEVER:
        raise StateChangedError(
            f"Mend {name} never came to be: {state} is what it was before. There is nothing to undo."
        )
    if mend.state is MendState.REPLACED:
        raise StateChangedError(
            f"{state} is not what mend {name} wrote: a job or a later mend wrote it since. Nothing was written; the "
            f"file that the mend replaced is {to_text(str(mend.folder / 'checkpoint'))}."
        )


def _find(run_folder: RunFolder, mend_id: str) -> Mend:
    for mend in records.history(run_folder):
        if mend.record.id == mend_id:
            return mend
    raise NotFoundError(f"Run {to_text(run_folder.run)} has no mend {to_text(mend_id)!r}.")


@contextlib.contextmanager
def _writing(run_folder: RunFolder, target: Path, arguments: str) -> Iterator[Path]:
    """Hold the run's decisions; ReadOnlyError, with what another person can run, where this one may not write."""
    command = f"python -m core mend {_quoted(run_folder.run)} --root {_quoted(run_folder.root_path)} {arguments}"
    help_ = f"Somebody who may write it can run: {command}"
    if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise ReadOnlyError(f"{to_text(str(target.parent))} cannot be written. {help_}")
    try:
        with run_folder.locked() as home:
            yield home
    except PermissionError as error:
        place = to_text(os.fsdecode(error.filename or target))
        raise ReadOnlyError(f"{place} cannot be written: {error.strerror}. {help_}") from error


@contextlib.contextmanager
def _logged(home: Path, *, actor: str, event: str, now: datetime, about: Mapping[str, object]) -> Iterator[None]:
    """A line in the log before the action, and one more should it fail."""
    log(home, actor=actor, event=event, now=now, about=about)
    try:
        yield
    except OSError as error:
        log(home, actor=actor, event=f"{event} failed", now=now, about={**about, "error": str(error)})
        raise


def _put(target: Path, data: bytes, mtime_ns: int | None) -> None:
    remove_stale(target)
    write_atomic(target, data, mtime_ns=mtime_ns)


def _quoted(name: str) -> str:
    return shlex.quote(to_text(name))
