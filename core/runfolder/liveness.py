"""Whether a run lives, told by its folder at this moment: a job's lease, or a file that was written of late, unless the
job that wrote it is known to have ended.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from core.base.ages import is_young
from core.runfolder.run_folder import RunFolder
from core.runs.walk import OWN_FILES, SKIPPED
from core.stores.local import LocalStore
from waypoint_resume.atomic import is_temp
from waypoint_resume.heartbeat import ended_ns, is_leased
from waypoint_resume.names import join

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The run that is acted on. `live_window` is in seconds, of `core.indexing.rollup.turning_points`; `inner` are the
    runs inside this one, relative to it, whose life is their own. `has_word`: somebody said that its job has ended, so
    that only a lease makes it live.
    """

    site: RunFolder
    live_window: float
    inner: frozenset[str] = frozenset()
    has_word: bool = False

    def is_live(self) -> bool:
        """Look at the disk now. What cannot be looked at counts as living."""
        now_ns = LocalStore(str(self.site.folder)).now_ns()
        if self.has_job(now_ns) or self.has_word:
            return self.has_job(now_ns)
        window_ns = int(self.live_window * _SECOND_NS)
        ended = ended_ns(self.homes, lambda: now_ns)
        if ended is not None and ended > now_ns - window_ns:
            window_ns = max(now_ns - ended, 0)
        return self._changed("", now_ns, window_ns)

    def has_job(self, now_ns: int | None = None) -> bool:
        """Whether a job holds the run's lease; `now_ns` is the time of the disk's clock."""
        now_ns = LocalStore(str(self.site.folder)).now_ns() if now_ns is None else now_ns
        return any(is_leased(home, now_ns) for home in self.homes)

    @property
    def homes(self) -> list[Path]:
        """Where a lease of the run may lie."""
        site = self.site
        return [site.folder] if site.decisions is None else [site.folder, site.decisions]

    def _changed(self, folder: str, now_ns: int, window_ns: int) -> bool:
        below: list[str] = []
        try:
            with os.scandir(self.site.folder / folder) as entries:
                for entry in entries:
                    path = join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in SKIPPED and path not in self.inner:
                            below.append(path)
                    elif (
                        entry.name not in OWN_FILES and not is_temp(entry.name) and _is_young(entry, now_ns, window_ns)
                    ):
                        return True
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return any(self._changed(path, now_ns, window_ns) for path in below)


def _is_young(entry: "os.DirEntry[str]", now_ns: int, window_ns: int) -> bool:
    try:
        return is_young(entry.stat(follow_symlinks=False).st_mtime_ns, now_ns, window_ns)
    except FileNotFoundError:
        return False
