"""The file of accepted findings: what is no text is refused, and becomes no text."""

import json
from pathlib import Path

import pytest

from core.base.errors import CoreError
from core.runfolder import accepted
from core.runfolder.run_folder import RunFolder
from waypoint_resume.places import HIDDEN

WHOLE = {"rule": "no-state", "path": ".", "identity": "1", "note": "", "by": "ann", "at": "2026-01-31T09:30:00Z"}


@pytest.mark.parametrize("value", [None, 1, ["ann"]])
def test_what_is_no_text_is_refused_by_name(value: object, tmp_path: Path) -> None:
    place = tmp_path / HIDDEN / accepted.NAME
    place.parent.mkdir()
    place.write_text(json.dumps({"version": accepted.VERSION, "accepted": [WHOLE]}), "utf-8")
    assert [item.by for item in accepted.read(RunFolder.alone(tmp_path))] == ["ann"]
    place.write_text(json.dumps({"version": accepted.VERSION, "accepted": [{**WHOLE, "by": value}]}), "utf-8")
    with pytest.raises(CoreError, match="by of an accepted finding is"):
        accepted.read(RunFolder.alone(tmp_path))
