"""A kill at any instant of handing over leaves the old manifest or the new one, and a fork whole or not at all."""

from pathlib import Path

import pytest

from tests.support.kills import ends_of


@pytest.mark.soak
def test_a_kill_while_a_manifest_or_a_fork_is_written_loses_nothing(tmp_path: Path, more: int) -> None:
    rounds, stride = (20, 3) if more == 1 else (100, 1)
    ends = ends_of("kill_resume", tmp_path, rounds, stride)
    for action, calls in {"continue": 12, "rewind": 24, "fork": 45, "fork of a file": 39}.items():
        assert ends[f"{action}: kills"] > calls / stride, ends
        assert min(ends[f"{action}: old"], ends[f"{action}: new"]) > 0, ends
