"""Places that cannot be written, also for the tests of a root user, whom the system refuses nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def refuse_writes(monkeypatch: pytest.MonkeyPatch, is_refused: Callable[[Path], bool]) -> None:
    """Let os.access say of some paths that they cannot be written."""
    real = os.access

    def access(path: Path, mode: int, *, effective_ids: bool) -> bool:
        return not is_refused(Path(path)) and real(path, mode, effective_ids=effective_ids)

    monkeypatch.setattr(os, "access", access)
