"""The client's logger, `waypoint.resume`."""

from __future__ import annotations

import logging

LOG = logging.getLogger("waypoint.resume")


def speak() -> None:
    """Let the logger be heard: from INFO on, on stderr, unless the job has set either."""
    if LOG.level == logging.NOTSET:
        LOG.setLevel(logging.INFO)
        if not LOG.hasHandlers():
            LOG.addHandler(logging.StreamHandler())
