"""The record of what a fit() ended with, `.waypoint/fits/<number>/fit.json`: read by the job and by the dashboard."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waypoint_resume.files import read_record
from waypoint_resume.fit_mark import FitMark, mark_in
from waypoint_resume.kept import FILES
from waypoint_resume.manifest import FORMATS
from waypoint_resume.names import from_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.rules import count_value, one_of, path_value, text_value, version_value
from waypoint_resume.spec import problems_of

FITS = "fits"
RECORD = "fit.json"
_SPEC: dict[str, Any] = {
    "version": version_value,
    "checkpoint": path_value,
    "format": one_of(*FORMATS),
    "fit": {"number": count_value, "site": text_value, "nth": count_value, "savers": [path_value]},
}


@dataclass(frozen=True)
class EndedFit:
    """What a fit() ended with: a checkpoint's path (relative to the run; absolute where decisions lie elsewhere)."""

    path: str
    format: str
    mark: FitMark


def ended_in(run: Path, home: Path, number: int) -> EndedFit | None:
    """What is kept of a fit() of a run whose decisions lie in a home; None where nothing is, or it cannot be read."""
    folder = home / HIDDEN / FITS / str(number)
    found = read_record(folder / RECORD) or {}
    mark = mark_in(found)
    if mark is None or list(problems_of(found, _SPEC)):
        return None
    place = folder / FILES / from_text(found["checkpoint"])
    inside = place.is_relative_to(run)
    return EndedFit(os.path.relpath(place, run) if inside else str(place), found["format"], mark)
