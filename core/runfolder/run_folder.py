"""A run's folder: the one thing that is asked where a run and the decisions about it lie, who holds it, and whether it
lives: by a job's lease, or a file that was written of late, unless the job that wrote it is known to have ended. What
the catalog says of its life follows from the same ages (`core.base.ages`).
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.ages import is_young
from core.base.errors import PlaceError, ReadOnlyError
from core.base.records import Root
from core.formats.state_file import NAME, OTHER_MOST, is_one
from core.runfolder.places import absolute_folder, decisions_folder, inside, locked, read_small, relative_to_run
from core.runs.walk import OWN_FILES, SKIPPED
from core.stores.local import LocalStore
from waypoint_resume.atomic import is_temp
from waypoint_resume.heartbeat import Heartbeat, ended_ns, heartbeat, is_leased
from waypoint_resume.layout import decided_before
from waypoint_resume.names import join, to_text
from waypoint_resume.places import not_writable, takes_decisions

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """By what a run is told to be live. `live_window` is in seconds, of `core.base.ages.turning_points`; `inner` are
    the runs inside this one, relative to it, whose life is their own. `has_word`: somebody said that its job has ended,
    so that only a lease makes it live.
    """

    live_window: float
    inner: frozenset[str] = frozenset()
    has_word: bool = False


# Where nobody said when a run ends to live: whatever was written within a century makes it live.
CAREFUL = Liveness(live_window=100 * 366 * 86_400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """A run that is read or acted on: `run` is its path relative to the root, `folder` where it lies, `decisions` where
    its decisions lie if that is read-only (None where no such place is set), `liveness` by what it is told to be live.
    """

    root_path: str
    run: str
    folder: Path
    decisions: Path | None = None
    liveness: Liveness = CAREFUL

    @classmethod
    def of(cls, root: Root, run: str, decisions_dir: Path | None) -> "RunFolder":
        """The place of a run. PlaceError where a link leads out of it, or nothing is there."""
        return cls.unchecked(root.path, root.id, run, decisions_dir).checked()

    @classmethod
    def unchecked(cls, root_path: str, root: str, run: str, decisions_dir: Path | None) -> "RunFolder":
        """The same without a look at the disk, for a pass that has just walked there; `root` is the root's id."""
        apart = None if decisions_dir is None else decisions_folder(decisions_dir, root, run)
        return cls(root_path=root_path, run=run, folder=Path(root_path, run), decisions=apart)

    @classmethod
    def alone(cls, folder: Path, decisions: Path | None = None) -> "RunFolder":
        """A run that is known by its folder alone: a root of its own."""
        return cls(root_path=str(folder), run=".", folder=folder, decisions=decisions)

    def checked(self) -> "RunFolder":
        """This place, once more looked at. PlaceError where a link leads out of it, or nothing is there."""
        return replace(self, folder=absolute_folder(self.root_path, self.run))

    @property
    def homes(self) -> tuple[Path, ...]:
        """Where decisions about the run, and a job's lease, may lie."""
        return (self.folder,) if self.decisions is None else (self.folder, self.decisions)

    @property
    def former_homes(self) -> tuple[Path, ...]:
        """Folders below the run that counted as runs before a job named this one, with decisions of their own."""
        return tuple(decided_before(self.folder))

    def home_for_writing(self) -> Path:
        """The home that takes new decisions: the run's own folder if it can be written. ReadOnlyError where neither
        can.
        """
        if takes_decisions(self.folder):
            return self.folder
        if self.decisions is None:
            raise ReadOnlyError(not_writable(self.folder))
        return self.decisions

    @contextlib.contextmanager
    def locked(self) -> Iterator[Path]:
        """Hold the decisions about the run; gives the home that takes new ones. ReadOnlyError, BusyError."""
        home = self.home_for_writing()
        with locked(home):
            yield home

    def now_ns(self) -> int:
        """The time of the disk's clock, in nanoseconds since 1970."""
        return LocalStore(str(self.folder)).now_ns()

    def heartbeat(self) -> Heartbeat | None:
        """The youngest lease of the run; None where no job left one."""
        return heartbeat(self.homes, self.now_ns)

    def has_job(self, now_ns: int | None = None) -> bool:
        """Whether a job holds the run's lease; `now_ns` is the time of the disk's clock."""
        now_ns = self.now_ns() if now_ns is None else now_ns
        return any(is_leased(home, now_ns) for home in self.homes)

    def ended_ns(self, now_ns: int) -> int | None:
        """Until when the jobs of the run wrote that are known to have ended; None where one may live."""
        return ended_ns(self.homes, lambda: now_ns)

    def is_live(self) -> bool:
        """Whether the run lives, by its lease and its files now. What cannot be looked at counts as living."""
        now_ns = self.now_ns()
        if (has_job := self.has_job(now_ns)) or self.liveness.has_word:
            return has_job
        window_ns = int(self.liveness.live_window * _SECOND_NS)
        ended = self.ended_ns(now_ns)
        if ended is not None and ended > now_ns - window_ns:
            window_ns = max(now_ns - ended, 0)
        return _has_changed(self.folder, "", self.liveness.inner, now_ns, window_ns)

    def from_root(self, path: str) -> str:
        """A path relative to the run as one relative to the root."""
        return path if self.run == "." else join(self.run, path)

    def within(self, path: str) -> str:
        """A path relative to the root as one relative to the run; '.' for the run's folder itself."""
        return relative_to_run(path, self.run)

    def state_file(self, path: str) -> Path:
        """A state file's place, by its path relative to the run. PlaceError where any part of it is a link."""
        place = self.folder / path
        if inside(self.folder, path) != place:
            raise PlaceError(f"{to_text(path)!r} lies behind a link: nothing is written there.")
        if place.name != NAME and not _holds_state(place):
            raise PlaceError(f"{to_text(path)!r} is no state file: it is not named {NAME!r}, and names no latest.")
        return place


def _holds_state(place: Path) -> bool:
    try:
        data = read_small(place, OTHER_MOST)
    except FileNotFoundError:
        return False
    return is_one(data)


def _has_changed(run: Path, folder: str, inner: frozenset[str], now_ns: int, window_ns: int) -> bool:
    below: list[str] = []
    try:
        with os.scandir(run / folder) as entries:
            for entry in entries:
                path = join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED and path not in inner:
                        below.append(path)
                elif entry.name not in OWN_FILES and not is_temp(entry.name) and _is_young(entry, now_ns, window_ns):
                    return True
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return any(_has_changed(run, path, inner, now_ns, window_ns) for path in below)


def _is_young(entry: "os.DirEntry[str]", now_ns: int, window_ns: int) -> bool:
    try:
        return is_young(entry.stat(follow_symlinks=False).st_mtime_ns, now_ns, window_ns)
    except FileNotFoundError:
        return False
