"""Files that are read whole: as long as they are not too long."""

from __future__ import annotations

from core.metrics.problems import Problems
from core.metrics.records import ProblemKind
from core.stores.store import Store


def read_whole(store: Store, path: str, limit: int, problems: Problems) -> bytes | None:
    """A file's bytes, None with a problem where there are more than `limit`. OSError."""
    content = store.read(path, limit + 1)
    if len(content) <= limit:
        return content
    problems.add(ProblemKind.TOO_LARGE, f"it has more than {limit:,} bytes", limit)
    return None
