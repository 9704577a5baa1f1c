"""A run's folder: where it and its decisions lie, and what makes it live where nobody said for how long."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import PlaceError, ReadOnlyError
from core.base.records import Root
from core.runfolder import run_folder
from core.runfolder.run_folder import Liveness, RunFolder

OLD_NS = 10**18  # 2001


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root with the run exp/a, in which one old file lies."""
    folder = tmp_path / "root/exp/a"
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text("1\n")
    os.utime(folder / "log.csv", ns=(OLD_NS, OLD_NS))
    return Root(id="r00t", path=str(tmp_path / "root"))


def test_what_was_ever_written_makes_a_run_live_where_nobody_said_for_how_long(root: Root) -> None:
    place = RunFolder.of(root, "exp/a", None)
    assert place.is_live()
    assert not replace(place, liveness=Liveness(live_window=3600.0)).is_live()


def test_paths_lead_from_the_root_and_back(root: Root) -> None:
    place, whole = RunFolder.of(root, "exp/a", None), RunFolder.of(root, ".", None)
    assert [place.from_root("ckpt-1"), whole.from_root("ckpt-1")] == ["exp/a/ckpt-1", "ckpt-1"]
    assert [place.within("exp/a/ckpt-1"), place.within("exp/a"), whole.within("exp/a")] == ["ckpt-1", ".", "exp/a"]


def test_the_other_home_takes_decisions_only_where_the_run_cannot(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = RunFolder.of(root, "exp/a", tmp_path / "apart")
    assert place.homes == (place.folder, tmp_path / "apart/r00t/exp/a")
    assert place.home_for_writing() == place.folder
    monkeypatch.setattr(run_folder, "takes_decisions", lambda home: home != place.folder)
    assert place.home_for_writing() == tmp_path / "apart/r00t/exp/a"
    with pytest.raises(ReadOnlyError):
        RunFolder.of(root, "exp/a", None).home_for_writing()


def test_a_run_that_became_a_link_is_told_when_it_is_checked_again(root: Root, tmp_path: Path) -> None:
    place = RunFolder.unchecked(root.path, root.id, "exp/a", None)
    assert place.checked().folder == place.folder
    place.folder.rename(tmp_path / "away")
    place.folder.symlink_to(tmp_path / "away")
    with pytest.raises(PlaceError, match="behind a link"):
        place.checked()
