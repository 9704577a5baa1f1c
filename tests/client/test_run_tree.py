"""A start lists each folder of a run once, and walks it as os.walk does."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from waypoint_resume.afresh import require_nothing_lost
from waypoint_resume.run_tree import RunTree

SHARD = "data-00000-of-00001"


def a_run(run: Path) -> Path:
    """A run of 1,000 files in 50 folders, with links, and what is not walked."""
    for number in range(1000):
        folder = run / f"data/{number % 50}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.bin").write_bytes(b"x")
    (run / "link").symlink_to(run / "data/7")
    (run / "ckpt-1_temp").mkdir()
    (run / f"ckpt-1_temp/part-00000-of-00001.{SHARD}").write_bytes(b"x")
    (run / "other/.waypoint").mkdir(parents=True)
    (run / "other/.waypoint/run.json").write_text("{}")
    (run / ".git/objects").mkdir(parents=True)
    return run


def test_each_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, listed, scandir, listdir = a_run(tmp_path), Counter[str](), os.scandir, os.listdir

    def counted(own: Any) -> Any:  # noqa: ANN401 - either function
        def count(path: Any) -> Any:  # noqa: ANN401
            listed[os.fspath(path)] += 1
            return own(path)

        return count

    monkeypatch.setattr(os, "scandir", counted(scandir))
    monkeypatch.setattr(os, "listdir", counted(listdir))
    told: list[str] = []
    require_nothing_lost(RunTree(run), [], told)
    assert [text.partition(" is passed over")[0] for text in told] == ["ckpt-1_temp"]
    walked = {str(run / "data"), str(run / "link"), *(str(run / f"data/{number}") for number in range(50))}
    assert {path: count for path, count in listed.items() if path in walked} == dict.fromkeys(walked, 1)


def test_the_walk_is_that_of_os_without_what_belongs_to_others(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    skipped = {run / "ckpt-1_temp", run / "other", run / ".git"}
    expected = {}
    for folder, folders, files in os.walk(run):
        folders[:] = [name for name in folders if Path(folder, name) not in skipped]
        expected[Path(folder)] = (set(folders), set(files))
    tree = RunTree(run)
    assert {here: (set(folders), set(files)) for here, folders, files in tree.walk()} == expected
    pruned = []
    for here, folders, _ in tree.walk():
        pruned.append(here)
        folders[:] = [name for name in folders if name != "data"]
    assert set(pruned) == {run}  # the link is named and not walked
    assert list(tree.temp_saves(run)) == [run / "ckpt-1_temp"]
