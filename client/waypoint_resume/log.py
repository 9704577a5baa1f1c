"""The client's logger, `waypoint.resume`."""

from __future__ import annotations

import logging
from typing import Any

LOG = logging.getLogger("waypoint.resume")


class _Alone(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr as long as nobody else does: a job that sets its logging up later hears each message once."""

    def filter(self, record: logging.LogRecord) -> Any:  # noqa: ANN401 - a bool, or a record since Python 3.12
        is_heard = any(item is not self for item in LOG.handlers) or (LOG.propagate and logging.getLogger().handlers)
        return False if is_heard else super().filter(record)


def speak() -> None:
    """Let the logger be heard: from INFO on, on stderr, unless the job has set either."""
    if LOG.level == logging.NOTSET:
        LOG.setLevel(logging.INFO)
        if not LOG.hasHandlers():
            LOG.addHandler(_Alone())
