"""UUIDs of version 7, as the job's side makes them too."""

from waypoint_resume.ids import PATTERN, uuid7

__all__ = ["PATTERN", "uuid7"]
