"""Reading variables of which each worker holds a part, in one worker alone.

Under MultiWorkerMirroredStrategy BatchNormalization's means and the sums of metrics are made when they are read, by all
workers together: the chief, which compares a checkpoint with its model before the others know of it, would wait for
ever.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def reading_alone() -> Iterator[None]:
    """Within this, whatever reads such a variable gets this worker's own part, and waits for nobody."""
    values: Any = sys.modules.get("tensorflow.python.distribute.values")
    kind = getattr(values, "SyncOnReadVariable", None)
    former = getattr(kind, "_get_cross_replica", None)
    if kind is None or former is None:
        yield
        return
    kind._get_cross_replica = lambda self: self.values[0]  # noqa: SLF001 - no public name
    try:
        yield
    finally:
        kind._get_cross_replica = former  # noqa: SLF001
