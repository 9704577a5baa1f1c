"""Where a run's decisions lie, the guards that keep every path inside the run, and who may write there: one at a time,
each with a line in the log. The job's side has the same (`waypoint_resume`); here are the errors of the core.

Decisions are `resume_manifest.json` and the folder `.waypoint` beside it. They lie in the run's folder, or, where
that cannot be written, in the run's folder within `decisions_dir`: `<decisions_dir>/<root id>/<run>/`.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from core.base.errors import BusyError, CoreError, PlaceError
from waypoint_resume import places
from waypoint_resume.clock import moment_text
from waypoint_resume.files import NotPlainError, open_plain, read_plain
from waypoint_resume.lock import LockHeldError, NoLocksError, holding_lock, log_action
from waypoint_resume.names import to_text
from waypoint_resume.rules import place

WAIT = 10.0  # seconds
_BLOCK = 1 << 20


def absolute_folder(root_path: str, run: str) -> Path:
    """The absolute folder of a run; '.' is the root. PlaceError where a link or `..` leads to another one."""
    _checked(run)
    root = os.path.realpath(root_path)
    folder = root if run == "." else os.path.join(root, run)
    if os.path.realpath(folder) != folder:
        raise PlaceError(f"The run {to_text(run)!r} lies behind a link: {to_text(os.path.realpath(folder))}")
    if not os.path.isdir(folder):
        raise PlaceError(f"The run's folder {to_text(folder)} does not exist.")
    return Path(folder)


def decisions_folder(decisions_dir: Path, root: str, run: str) -> Path:
    """Where the decisions about a run lie when its own folder is read-only; `root` is the root's id."""
    _checked(run)
    _checked(root)
    return decisions_dir / root / run


def inside(folder: Path, path: str) -> Path:
    """A path below a run's folder. PlaceError where a link leads out of it."""
    _checked(path)
    real = os.path.realpath(folder / path)
    if real != str(folder) and not real.startswith(f"{folder}{os.sep}"):
        raise PlaceError(f"{to_text(path)!r} is a link that leads out of its run, to {to_text(real)}")
    return Path(real)


def relative_to_run(path: str, run: str) -> str:
    """A path relative to the root as one relative to the run; '.' for the run's folder itself."""
    if run == ".":
        return path or "."
    if path == run:
        return "."
    if not path.startswith(f"{run}/"):
        raise PlaceError(f"{to_text(path)!r} does not lie in the run {to_text(run)!r}")
    return path.removeprefix(f"{run}/")


def read_small(path: Path, limit: int) -> bytes:
    """A regular file's bytes. PlaceError for a link, a folder, a pipe, or a file longer than `limit`."""
    try:
        return read_plain(path, limit)
    except NotPlainError as error:
        raise PlaceError(str(error)) from error


def blocks(path: Path, limit: int) -> Iterator[bytes]:
    """A regular file's bytes in blocks, never more than `limit` in all. PlaceError for anything else."""
    try:
        handle = open_plain(path)
    except NotPlainError as error:
        raise PlaceError(str(error)) from error
    with os.fdopen(handle, "rb") as file:
        while limit > 0 and (block := file.read(min(_BLOCK, limit))):
            limit -= len(block)
            yield block


@contextlib.contextmanager
def locked(home: Path, *, wait: float = WAIT) -> Iterator[Path]:
    """Hold the decisions of one run; gives the folder `.waypoint`, which is made where it is missing.

    BusyError after `wait` seconds, naming the holder; PlaceError where a link stands there.
    """
    with contextlib.ExitStack() as held:
        hidden_folder(home)
        try:
            hidden = held.enter_context(holding_lock(home, wait=wait))
        except LockHeldError as error:
            raise BusyError(f"{str(error).removesuffix('.')}; try again.") from None
        except NoLocksError as error:
            raise CoreError(f"{to_text(str(error)).removesuffix('.')}: nothing was written.") from error
        yield hidden


def hidden_folder(home: Path, *names: str) -> Path:
    """`.waypoint` of a home, or a folder in it, made where it is missing. PlaceError where a link stands there."""
    try:
        return places.hidden_folder(home, *names)
    except NotADirectoryError as error:
        raise PlaceError(f"{to_text(str(error.filename))} is no plain folder.") from error


def log(home: Path, *, actor: str, event: str, now: datetime, about: Mapping[str, object]) -> None:
    """Append who did what, and when."""
    hidden_folder(home)
    log_action(home, actor=actor, event=event, at=moment_text(now), about=about)


def _checked(path: str) -> None:
    try:
        place(to_text(path))
    except ValueError as error:
        raise PlaceError(f"{to_text(path)!r}: {error}") from None
