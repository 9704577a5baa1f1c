"""HDF5 files that lack what Keras asks for by name, or have it in another file: Keras itself tells what it restores."""

import json
from pathlib import Path

import pytest

from core.verify.results import Outcome
from core.verify.run import verify
from tests.support import keras_files
from tests.support.written import written_folder

UNFOLLOWED = ("external.", "external_link.", "inner_link.")


@pytest.fixture(scope="module")
def folder() -> Path:
    return written_folder(("write_broken_h5.py",))


def test_restorable_is_what_keras_restores(folder: Path) -> None:
    restored = json.loads((folder / "restored.json").read_text())
    found = keras_files.checkpoints(folder)
    assert {path: item.restorable for path, item in found.items()} == restored
    assert sum(restored.values()) == 3  # two that are whole, and one whose weights have a second name
    for path, item in found.items():
        rules = {one.rule for one in item.findings}
        expected = "not-told" if path.startswith(UNFOLLOWED) else "unreadable-file"
        assert rules == (set() if restored[path] else {expected}), path


def test_verified_is_only_what_keras_restores(folder: Path) -> None:
    restored = json.loads((folder / "restored.json").read_text())
    for path, item in keras_files.checkpoints(folder).items():
        outcome = verify(str(folder), item).outcome
        expected = Outcome.NOT_TOLD if path.startswith(UNFOLLOWED) else Outcome.DAMAGED
        assert outcome is (Outcome.VERIFIED if restored[path] else expected), path
