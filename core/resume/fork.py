"""A fork: a new run beside the old one, with a copy of one checkpoint and a manifest that hands it over.

The old run keeps every byte; only its log says that it was forked. The new one appears whole or not at all: it is made
in a temp folder (`core.resume.copies`). The shards of bundles are shared by hard links, everything else is copied. The
old run's lock is held only to begin with, for a job of it that starts meanwhile waits for it.
"""

import contextlib
import errno
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from core.base.errors import BusyError, CoreError, ReadOnlyError
from core.base.records import Checkpoint
from core.base.sizes import size_text
from core.formats.registry import spec_of
from core.formats.state_file import NAME as STATE_NAME
from core.mend.on_disk import Entry
from core.mend.propose import state_text
from core.resume.content import listed_files, require_unchanged
from core.resume.copies import copy_files, new_run, require_name
from core.resume.errors import NoRoomError
from core.resume.manifest import Check, Manifest, Mode, Scalar, to_json
from core.resume.propose import Proposal
from core.resume.write import manifest_of, require_accepted
from core.runfolder.places import locked, log, relative_to_run
from core.runfolder.run_folder import RunFolder
from core.runs.state_files import is_nameable
from waypoint_resume.atomic import write_atomic
from waypoint_resume.names import from_text, join, to_text
from waypoint_resume.places import MANIFEST
from waypoint_resume.state_copy import copy_ended_fits, copy_state

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def fork(  # noqa: PLR0913 - all that is handed over has a name
    run_folder: RunFolder,
    checkpoint: Checkpoint,
    proposal: Proposal,
    *,
    name: str,
    actor: str,
    note: str,
    accepted: Sequence[str],
    now: datetime,
    overrides: Mapping[str, Scalar] | None = None,
    watch: Callable[[int], None] = lambda _done: None,
) -> tuple[Manifest, Path]:
    """Make the run `name` beside the checkpoint's run; gives its manifest and where that lies. `watch` is told how many
    bytes are done of the checkpoint's.

    Raises as `write_manifest` does, and RunNameError, NameTakenError, NoRoomError.
    """
    if proposal.mode is not Mode.FORK:
        raise ValueError("the proposal is not about a fork")
    require_accepted(checkpoint, proposal, accepted)
    require_name(name)
    folder = run_folder.folder
    require_unchanged(folder, checkpoint)
    files = listed_files(folder, checkpoint)
    _require_room(folder.parent, checkpoint)
    home = run_folder.home_for_writing()
    run = join(posixpath.dirname(checkpoint.run), name)
    manifest = manifest_of(checkpoint, proposal, files, run=run, actor=actor, note=note, now=now, overrides=overrides)
    about = {"manifest": manifest.id, "checkpoint": manifest.checkpoint.path, "to": manifest.run}
    try:
        with new_run(folder.parent, name, _logged(home, "fork", actor=actor, now=now, about=about)) as temp:
            manifest = _fill(temp, folder, checkpoint, manifest, watch)
            if is_nameable(checkpoint):
                _write_state(temp, checkpoint)
            path = relative_to_run(checkpoint.path, checkpoint.run)
            for place in run_folder.homes:
                if copy_state(place, temp, path):
                    copy_ended_fits(place, temp, path)
                    break
            origin = {"manifest": manifest.id, "from": to_text(checkpoint.run), "checkpoint": about["checkpoint"]}
            log(temp, actor=manifest.created_by, event="forked", now=now, about=origin)
            write_atomic(temp / MANIFEST, to_json(manifest).encode())
    except BusyError:
        raise
    except (OSError, CoreError) as error:
        failed = {**about, "error": str(error)}
        with contextlib.suppress(OSError, BusyError), _logged(home, "fork failed", actor=actor, now=now, about=failed):
            pass  # a full disk takes no line either
        raise _clear(error, folder.parent) from error
    return manifest, folder.parent / name / MANIFEST


@contextlib.contextmanager
def _logged(home: Path, event: str, *, actor: str, now: datetime, about: Mapping[str, object]) -> Iterator[None]:
    """Hold the lock of the old run, with a line in its log."""
    with locked(home):
        log(home, actor=actor, event=event, now=now, about=about)
        yield


def _fill(
    temp: Path, folder: Path, checkpoint: Checkpoint, manifest: Manifest, watch: Callable[[int], None]
) -> Manifest:
    """Bring the files over; the manifest with one more check. ChangedError where a file was written meanwhile."""
    names = [from_text(file.path) for file in manifest.checkpoint.files]
    copied = copy_files(folder, temp, names, links=_may_link(checkpoint), watch=watch)
    require_unchanged(folder, checkpoint)
    detail = (
        f"{to_text(checkpoint.run)}, {manifest.checkpoint.path}: {copied.linked:,} files linked, "
        f"{copied.copied:,} copied ({size_text(copied.bytes)})"
    )
    check = Check(name="forked from", ok=True, detail=detail)
    return manifest.model_copy(update={"checks": (*manifest.checks, check)})


def _may_link(checkpoint: Checkpoint) -> Callable[[str], bool]:
    """A SavedModel's variables are a bundle too, but whoever exports again may write in place: they are copied."""
    return spec_of(checkpoint.format).may_link


def _write_state(temp: Path, checkpoint: Checkpoint) -> None:
    """A state file that lists the pick alone, without a time, so that no rotation deletes it. It bears the time of the
    checkpoint's files: nothing trained here yet.
    """
    name = posixpath.basename(checkpoint.path)
    try:
        name.encode()
    except UnicodeEncodeError:
        return  # no state file can name it
    path = relative_to_run(join(checkpoint.folder, STATE_NAME), checkpoint.run)
    newest = max(file.mtime_ns for file in checkpoint.files)
    write_atomic(temp / path, state_text("", name, [Entry(name, name)], 0.0), mtime_ns=newest)


def _require_room(parent: Path, checkpoint: Checkpoint) -> None:
    """NoRoomError if what is surely copied does not fit; where links fail the disk itself will tell."""
    may_link = _may_link(checkpoint)
    needed = sum(file.size for file in checkpoint.files if not may_link(file.name))
    found = os.statvfs(parent)
    free = found.f_bavail * found.f_frsize
    if needed > free:
        raise NoRoomError(
            f"The copy needs {size_text(needed)}, and {to_text(str(parent))} has {size_text(free)} left. "
            "Nothing was written: make room, or rewind instead."
        )


def _clear(error: OSError | CoreError, parent: Path) -> Exception:
    """An error of the system as one that says what it means for a fork."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return NoRoomError(f"{to_text(str(parent))} was full before the copy was whole; it was removed. Make room.")
    if isinstance(error, OSError) and error.errno in _READ_ONLY:
        return ReadOnlyError(f"{to_text(str(parent))} cannot be written ({error.strerror}): no run can lie there.")
    return error
