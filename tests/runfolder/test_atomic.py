"""Atomic writes: what is replaced, what is kept, what an error leaves behind."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waypoint_resume import atomic
from waypoint_resume.access import folder_access
from waypoint_resume.atomic import append_line, link_aside, make_folder, remove_stale, write_atomic

AS_ROOT = os.geteuid() == 0
OTHER_GROUP = 54321


def mode(path: Path) -> int:
    """A path's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_writes_a_new_file_and_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, b"one")
    first = path.stat().st_ino
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_ino != first
    assert os.listdir(tmp_path) == ["a.json"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(data=st.binary(max_size=200_000))
def test_what_is_written_is_what_is_read(tmp_path: Path, data: bytes) -> None:
    write_atomic(tmp_path / "a", data, fsync=False)
    assert (tmp_path / "a").read_bytes() == data


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], ids=oct)
@pytest.mark.parametrize("access", [0o2775, 0o775, 0o755, 0o750, 0o700], ids=oct)
def test_a_new_file_and_folder_have_their_parents_access_whatever_the_umask(
    tmp_path: Path, access: int, umask: int
) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from waypoint_resume.atomic import append_line, make_folder, write_atomic\n"
        f"os.umask({umask}); y = Path(sys.argv[1]) / 'x' / 'y'\n"
        "make_folder(y); write_atomic(y / 'a', b'1'); append_line(y / 'log', b'1')"
    )
    tmp_path.chmod(access)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert mode(tmp_path / "x" / "y" / "a") == mode(tmp_path / "x" / "y" / "log") == access & 0o666
    assert mode(tmp_path / "x") == mode(tmp_path / "x" / "y") == access


@pytest.mark.parametrize(
    ("parent", "group", "expected"),
    [
        (0o1777, 7, 0o755),
        (0o1777, 8, 0o755),
        (0o3775, 7, 0o2775),
        (0o2770, 8, 0o700),
        (0o2775, 8, 0o755),
        (0o777, 7, 0o777),
        (0o555, 7, 0o755),
    ],
    ids=["tmp", "tmp-other-group", "sticky-group", "closed-other-group", "other-group", "open", "read-only"],
)
def test_access_is_what_the_parent_grants(parent: int, group: int, expected: int) -> None:
    found = os.stat_result((stat.S_IFDIR | parent, 1, 1, 2, 0, 7, 0, 0, 0, 0))
    assert oct(folder_access(found, group)) == oct(expected)


def test_what_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_atomic(path, b"new")
    assert mode(path) == 0o640


@pytest.mark.skipif(not AS_ROOT, reason="only root may give files away")
def test_owner_and_group_are_kept_and_new_ones_take_the_folders_group(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 1234, 4321)
    os.chown(tmp_path, -1, OTHER_GROUP)
    write_atomic(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)
    write_atomic(tmp_path / "b", b"new")
    make_folder(tmp_path / "x" / "y")
    append_line(tmp_path / "log", b"one")
    for made in ("b", "x", "x/y", "log"):
        assert ((tmp_path / made).stat().st_uid, (tmp_path / made).stat().st_gid) == (0, OTHER_GROUP)


def test_the_umask_of_the_process_is_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("another thread would make files with this umask"))
    write_atomic(tmp_path / "a", b"1")
    make_folder(tmp_path / "b")
    assert (tmp_path / "a").exists()


@pytest.mark.parametrize("failing", ["fsync", "replace", "fchmod"])
def test_an_error_leaves_the_old_file_and_no_temp_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "a").symlink_to("target")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "target").read_bytes() == b"old"
    assert not (tmp_path / "a").is_symlink()


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("x" * 255), b"1")
    assert os.listdir(tmp_path) == ["x" * 255]


def test_only_the_targets_own_stale_files_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"1")
    start = atomic._temp_start(path)
    for name in (f"{start}00ff.waypoint-tmp", f"{start}other", "b.waypoint-tmp"):
        (tmp_path / name).write_bytes(b"")
    assert remove_stale(path) == 1
    assert sorted(os.listdir(tmp_path)) == sorted(["a", f"{start}other", "b.waypoint-tmp"])


def test_a_folder_that_exists_stays_and_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0o700)
    make_folder(tmp_path / "x")
    assert mode(tmp_path / "x") == 0o700
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "link")


def test_link_aside_keeps_the_file_through_a_rename(tmp_path: Path) -> None:
    path, kept = tmp_path / "a", tmp_path / "kept"
    path.write_bytes(b"old")
    inode = path.stat().st_ino
    link_aside(path, kept)
    link_aside(path, kept)  # a writer that was killed before its rename comes again
    write_atomic(path, b"new")
    assert kept.read_bytes() == b"old"
    assert kept.stat().st_ino == inode


def test_link_aside_never_writes_over_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "kept").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        link_aside(tmp_path / "a", tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"old"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK], ids=errno.errorcode.__getitem__)
def test_without_hard_links_a_copy_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(number, "no links here")

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "link", no_links)
    link_aside(tmp_path / "a", tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert (tmp_path / "kept").stat().st_ino != (tmp_path / "a").stat().st_ino


def test_lines_are_appended_and_a_torn_one_is_closed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append_line(log, b"one")
    append_line(log, b"two")
    log.write_bytes(log.read_bytes() + b'{"cut')
    append_line(log, b"three")
    assert log.read_bytes() == b'one\ntwo\n{"cut\nthree\n'


def test_a_file_system_without_fsync_of_folders_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def files_only(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        real(handle)

    monkeypatch.setattr(os, "fsync", files_only)
    write_atomic(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"
