"""`python -m waypoint_resume`: see `waypoint_resume.cli`."""

from __future__ import annotations

import sys

from waypoint_resume.cli import main

sys.exit(main())
