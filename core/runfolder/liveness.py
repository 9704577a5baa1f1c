"""Whether a run lives, told by its folder at this moment: a job's lease, or a file that was written of late, unless the
job that wrote it is known to have ended. What the catalog says follows from the same ages (`core.base.ages`).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.ages import is_young
from core.runs.walk import OWN_FILES, SKIPPED
from waypoint_resume.atomic import is_temp
from waypoint_resume.heartbeat import ended_ns, is_leased
from waypoint_resume.names import join

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


def has_job(homes: Sequence[Path], now_ns: int) -> bool:
    """Whether a job holds the lease of a run; `now_ns` is the time of the disk's clock."""
    return any(is_leased(home, now_ns) for home in homes)


def is_live(folder: Path, homes: Sequence[Path], liveness: Liveness, now_ns: int) -> bool:
    """Look at the disk now. What cannot be looked at counts as living."""
    if has_job(homes, now_ns) or liveness.has_word:
        return has_job(homes, now_ns)
    window_ns = int(liveness.live_window * _SECOND_NS)
    ended = ended_ns(homes, lambda: now_ns)
    if ended is not None and ended > now_ns - window_ns:
        window_ns = max(now_ns - ended, 0)
    return _has_changed(folder, "", liveness.inner, now_ns, window_ns)


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
