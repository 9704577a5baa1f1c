"""One writer at a time for the decisions about a run, and the log of what each did, as the job's side has them too
(`waypoint_resume.lock`), with the errors of the core.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from core.base.errors import BusyError, CoreError, PlaceError
from waypoint_resume import places
from waypoint_resume.clock import moment_text
from waypoint_resume.lock import LockHeldError, NoLocksError, holding_lock, log_action
from waypoint_resume.names import to_text

WAIT = 10.0  # seconds


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
