"""What a training job needs to obey a manifest: the code for its script, and the wheel that this imports."""

from core.resume.client_wheel import client_wheel, is_older, wheel_name
from core.resume.restoring import api
from core.resume.snippet import framework, snippet
from waypoint_resume.version import __version__ as client_version

__all__ = ["api", "client_version", "client_wheel", "framework", "is_older", "snippet", "wheel_name"]
