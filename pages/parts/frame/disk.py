"""How much of the disk a run takes: the one number of it, that of the last audit, for every page."""

import threading

from core.services.disk_space import Amount, Usage
from pages.parts.frame import format as fmt
from pages.parts.frame import service

_lock = threading.Lock()
_of: Usage | None = None
_by_run: dict[tuple[str, str | None], Amount] = {}


def on_disk(root: str, run: str) -> str:
    """The bytes on disk of all files of a run; a dash where the disk was not added up since the run came."""
    amount = _amounts().get((root, run))
    return fmt.NONE if amount is None else fmt.size(amount.allocated)


def _amounts() -> dict[tuple[str, str | None], Amount]:
    """Those of the last audit, by run; made once for each audit."""
    global _of, _by_run
    audited = service.current().survey.audited
    if audited is None:
        return {}
    with _lock:
        if _of is not audited.usage:
            _of, _by_run = audited.usage, dict(audited.usage.by_run)
        return _by_run
