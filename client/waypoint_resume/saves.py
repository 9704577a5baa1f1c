"""Which checkpoints were saved since the last look, and whether a callback may have saved at a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.callback_memory import is_of_keras
from waypoint_resume.checkpoints import Found, find_checkpoints

_COUNTERS = ("_batches_seen_since_last_saving", "_batches_count")  # 0 in the batch in which the callback saves
_WATCHED = 8  # files written over in place that are looked at after each batch, the newest


class SaveWatch:
    """Tells what is saved into a run, by the time of each checkpoint's last file."""

    def __init__(self, run: Path, callbacks: Sequence[Any]) -> None:
        self.run, self._seen = run, {item.path: item.saved for item in find_checkpoints(run)}
        own = [item for item in callbacks if not is_of_keras(item)]
        self._has_others = any(_has_batch_hook(item) for item in own)
        self._callbacks = [item for item in callbacks if any(hasattr(item, name) for name in _COUNTERS)]
        self._touched = self._times()

    def new(self) -> list[Found]:
        """The checkpoints that came, or were written anew, since the last call; the newest last."""
        found = list(find_checkpoints(self.run))
        fresh = [item for item in found if self._seen.get(item.path) != item.saved]
        self._seen = {item.path: item.saved for item in found}
        self._touched = self._times()
        return sorted(fresh, key=lambda item: item.saved)

    def may_have_saved(self) -> bool:
        """Whether something may have been saved in the batch that has just ended, without listing the run."""
        if any(_saved_at_batch(item) for item in self._callbacks):
            return True
        return self._has_others and self._times() != self._touched

    def _times(self) -> list[int]:
        """The times of the folders in which checkpoints lie, and of the newest that may be written over in place."""
        if not self._has_others:
            return []
        newest = sorted(self._seen, key=lambda path: self._seen[path])[-_WATCHED:]
        places = {self.run, *((self.run / path).parent for path in self._seen), *(self.run / path for path in newest)}
        return [_time(place) for place in sorted(places)]


def _saved_at_batch(callback: Any) -> bool:  # noqa: ANN401
    is_by_batch = type(getattr(callback, "save_freq", None)) is int
    return is_by_batch and any(getattr(callback, name, None) == 0 for name in _COUNTERS)


def _has_batch_hook(callback: object) -> bool:
    """Whether a callback does something of its own when a batch ends."""
    for name in ("on_train_batch_end", "on_batch_end"):
        hook = getattr(type(callback), name, None)
        if hook is not None and getattr(hook, "__module__", "").partition(".")[0] not in ("keras", "tf_keras"):
            return True
    return False


def _time(place: Path) -> int:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:
        return 0
