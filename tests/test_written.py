"""Folders that programs filled for tests are written once, and a half written one is never read."""

import os
import time
from pathlib import Path

import pytest

from tests.support import written
from tests.support.quick import is_quick

PROGRAM = """
import os, sys
with open(sys.argv[1] + "/" + sys.argv[2], "w") as file:
    file.write("{}")
with open(sys.argv[1] + "/checkpoint", "w") as state:
    state.write("all in " + sys.argv[1])
with open({!r}, "a") as runs:
    runs.write("x")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs with a cache of its own."""
    monkeypatch.setattr(written, "_HERE", tmp_path)
    monkeypatch.setattr(written, "_CACHE", tmp_path / "cache")
    return tmp_path


def write(programs: Path, text: str) -> Path:
    """A program that writes a text; the file in which it counts its runs."""
    counter = programs / "runs.txt"
    (programs / "write_it.py").write_text(PROGRAM.format(text, str(counter)))
    return counter


def asked(*kinds: str) -> Path:
    """What another process of tests would be given."""
    written.written_folder.cache_clear()
    return written.written_folder(*(("write_it.py", kind) for kind in kinds))


def test_a_program_runs_once_for_its_source_and_each_process_has_a_copy(programs: Path) -> None:
    counter = write(programs, "old")
    first = asked("a", "b")
    (first / "a").write_text("changed by a test")
    for path in (programs / "cache").rglob("*"):
        os.utime(path, (1000, 1000))
    second = asked("a", "b")
    assert {path.name: path.read_text() for path in second.iterdir()} == {
        "a": "old",
        "b": "old",
        "checkpoint": f"all in {second}",
    }
    assert counter.read_text() == "xx"
    assert time.time() - (second / "a").stat().st_mtime < 600
    write(programs, "new")
    assert (asked("a", "b") / "a").read_text() == "new"
    assert counter.read_text() == "xxxx"
    assert len([path for path in (programs / "cache").iterdir() if path.is_dir()]) == 1  # the old one went


def test_what_a_killed_run_left_is_written_again(programs: Path) -> None:
    write(programs, "whole")
    left = programs / "cache/write_it-unfinished"
    left.mkdir(parents=True)
    (left / "a").write_text("ha")
    (left / "more").write_text("")
    assert sorted(os.listdir(asked("a"))) == ["a", "checkpoint"]
    assert (asked("a") / "a").read_text() == "whole"


def test_a_program_that_fails_leaves_nothing_that_is_taken_for_its_files(programs: Path) -> None:
    (programs / "write_it.py").write_text("import sys; open(sys.argv[1] + '/a', 'w'); sys.exit('no disk')")
    for _ in range(2):
        with pytest.raises(AssertionError, match="no disk"):
            asked("a")


def test_a_program_that_imports_code_of_the_checkout_is_refused(programs: Path) -> None:
    (programs / "write_it.py").write_text("from core.formats import zips\n")
    with pytest.raises(ValueError, match=r"write_it\.py imports code of this checkout"):
        asked("a")


@pytest.mark.parametrize(
    ("source", "quick"),
    [
        ("import json\nfrom core import errors\n", True),
        ("def test_it():\n    import tensorflow as tf\n", False),
        ("from playwright.sync_api import Page\n", False),
        ("import pytest\ntf = pytest.importorskip('tensorflow')\n", False),
        ("from tests.support import trees\n", True),
        ("from tests.support import keras_files\n", False),  # which starts programs
        ("from tests.support.bundle_files import put\n", False),
    ],
)
def test_what_a_file_imports_tells_whether_it_is_quick(tmp_path: Path, source: str, quick: bool) -> None:
    (tmp_path / "test_it.py").write_text(source)
    assert is_quick(tmp_path / "test_it.py") is quick
