"""The client's logger, `waypoint.resume`."""

from __future__ import annotations

import logging

LOG = logging.getLogger("waypoint.resume")
