"""A kill at any instant of a quarantine, its undoing or its purge loses nothing and doubles nothing."""

from pathlib import Path

import pytest

from tests.support.kills import ends_of


@pytest.mark.soak
def test_after_a_kill_every_file_is_in_its_place_or_in_quarantine(tmp_path: Path, more: int) -> None:
    stride = 3 if more == 1 else 1
    ends = ends_of("kill_quarantine", tmp_path, 20 * more, stride)
    assert ends["quarantine: kills"] > 150 / stride
    assert ends["undo: kills"] > 100 / stride
    assert ends["purge: kills"] > 36 / stride
    # Both ends were met, so that kills came before and after the point from which there is no way back.
    assert min(ends["quarantine: undone"], ends["undo: done"], ends["undo: undone"], ends["purge: purged"]) > 0
