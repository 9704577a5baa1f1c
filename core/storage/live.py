"""Whether a run lives, told by its folder at this moment: a job's lease, or a file that was written of late."""

import os
from dataclasses import dataclass

from core.fs.local import LocalStorage
from core.index.unsettled import is_young
from core.mend.records import Site
from core.scan.walk import OWN_FILES, SKIPPED
from waypoint_resume.atomic import is_temp
from waypoint_resume.heartbeat import is_leased
from waypoint_resume.names import join

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The run that is acted on. `live_window` is in seconds, of `core.index.rollup.turning_points`; `inner` are the
    runs inside this one, relative to it, whose life is their own.
    """

    site: Site
    live_window: float
    inner: frozenset[str] = frozenset()

    def is_live(self) -> bool:
        """Look at the disk now. What cannot be looked at counts as living."""
        now_ns = LocalStorage(str(self.site.folder)).now_ns()
        return self.has_job(now_ns) or self._changed("", now_ns, int(self.live_window * _SECOND_NS))

    def has_job(self, now_ns: int | None = None) -> bool:
        """Whether a job holds the run's lease; `now_ns` is the time of the disk's clock."""
        site = self.site
        now_ns = LocalStorage(str(site.folder)).now_ns() if now_ns is None else now_ns
        homes = [site.folder] if site.decisions is None else [site.folder, site.decisions]
        return any(is_leased(home, now_ns) for home in homes)

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
