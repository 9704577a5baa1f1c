"""What tests of several kinds of jobs start from."""

from pathlib import Path

import pytest


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder."""
    (tmp_path / "runs/a").mkdir(parents=True)
    return tmp_path / "runs/a"
