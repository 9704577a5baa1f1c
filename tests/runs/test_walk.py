"""Listing one folder: links, odd names, what is skipped, what is absorbed, what cannot be looked at."""

import os
import socket
from pathlib import Path

import pytest

from core.base.facts import Format
from core.base.files import Listing
from core.runs.walk import folder_formats, look, signature
from core.stores.local import LocalStore
from core.stores.store import Members
from tests.support.trees import START_NS, write
from waypoint_resume.names import to_text


def looked(root: Path, folder: str = "") -> Listing:
    return look(LocalStore(str(root)), folder)


def names(listing: Listing) -> list[str]:
    return [file.name for file in listing.files]


@pytest.mark.parametrize("name", [".git", ".venv", "node_modules", "site-packages", ".waypoint"])
def test_a_folder_of_this_name_is_skipped(name: str, tmp_path: Path) -> None:
    write(tmp_path, {f"{name}/ckpt-1.index": b"x", "kept/ckpt-1.index": b"x"})
    assert looked(tmp_path).subfolders == ("kept",)


def test_a_listing_says_size_time_inode_and_blocks(tmp_path: Path) -> None:
    write(tmp_path, {"a.h5": b"12345"})
    (file,) = looked(tmp_path).files
    found = os.stat(tmp_path / "a.h5")
    assert file == ("a.h5", 5, START_NS, found.st_ino, found.st_dev, 1, found.st_blocks * 512)


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"root/exp/a.h5": b"x", "outside/b.h5": b"x"})
    (tmp_path / "root" / "inside").symlink_to(tmp_path / "root" / "exp")
    (tmp_path / "root" / "away").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "exp" / "up").symlink_to("..")
    assert looked(tmp_path / "root").subfolders == ("exp",)
    assert looked(tmp_path / "root", "exp") == looked(tmp_path / "root", "exp")
    assert (looked(tmp_path / "root", "exp").subfolders, names(looked(tmp_path / "root", "exp"))) == ((), ["a.h5"])


def test_a_link_to_a_file_counts_only_inside_the_root(tmp_path: Path) -> None:
    write(tmp_path, {"root/exp/a.h5": b"12345", "outside.h5": b"secret", "root-2/c.h5": b"x"})
    for name, target in {
        "in.h5": "exp/a.h5",
        "out.h5": "../outside.h5",
        "absolute.h5": str(tmp_path / "outside.h5"),
        "next.h5": "../root-2/c.h5",
        "broken.h5": "nothing",
        "chain.h5": "out.h5",
    }.items():
        (tmp_path / "root" / name).symlink_to(target)
    listing = looked(tmp_path / "root")
    assert [(file.name, file.size) for file in listing.files] == [("in.h5", 5)]
    assert listing.problems == ()


def test_a_link_that_leads_to_itself_is_no_file_and_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    (tmp_path / "one.h5").symlink_to("two.h5")
    (tmp_path / "two.h5").symlink_to("one.h5")
    write(tmp_path, {"a.h5": b"x"})
    assert names(looked(tmp_path)) == ["a.h5"]


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, {"real/exp/a.h5": b"x"})
    (tmp_path / "root").symlink_to("real")
    (tmp_path / "real" / "b.h5").symlink_to("exp/a.h5")
    assert (looked(tmp_path / "root").subfolders, names(looked(tmp_path / "root"))) == (("exp",), ["b.h5"])


def test_pipes_and_sockets_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.h5")
        assert (names(looked(tmp_path)), looked(tmp_path).problems) == ([], ())


def test_opening_a_pipe_that_took_a_files_place_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.h5")
    with pytest.raises(OSError, match="Illegal seek"):
        LocalStore(str(tmp_path)).read("a.h5", 10)
    with pytest.raises(FileNotFoundError, match="not a regular file"):
        LocalStore(str(tmp_path)).stat("a.h5")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"caf\xe9", "caf\\xe9"),
        (b"new\nline", "new\\x0aline"),
        (b"\\xff", "\\x5cxff"),
        ("日本".encode(), "日本"),
        (b"<b>[red]", "<b>[red]"),
        (b"a\x7f\x1b[31m", "a\\x7f\\x1b[31m"),
    ],
    ids=["latin-1", "newline", "backslash", "japanese", "markup", "control"],
)
def test_a_name_of_any_bytes_is_listed(name: bytes, text: str, tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"x")
    (subfolder,) = looked(tmp_path).subfolders
    assert (os.fsencode(subfolder), to_text(subfolder)) == (name, text)
    assert [os.fsencode(file) for file in names(looked(tmp_path, subfolder))] == [name]


class Shy(LocalStore):
    """A store in which some folders cannot be listed."""

    refused: tuple[str, ...] = ()
    error: type[OSError] = PermissionError

    def members(self, folder: str) -> Members:
        """Refuse, or list."""
        if folder in self.refused:
            raise self.error(13, "Permission denied", folder)
        return super().members(folder)


def test_an_unreadable_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    store = Shy(str(tmp_path))
    store.refused = ("exp",)
    write(tmp_path, {"exp/a.h5": b"x"})
    assert look(store, "").subfolders == ("exp",)
    with pytest.raises(PermissionError):
        look(store, "exp")


def test_an_unreadable_absorbed_folder_is_a_problem_with_a_printable_path(tmp_path: Path) -> None:
    folder = os.fsdecode(b"caf\xe9")
    store = Shy(str(tmp_path))
    store.refused = (f"{folder}/variables",)
    write(tmp_path, {f"{folder}/saved_model.pb": b"x", f"{folder}/variables/variables.index": b"x"})
    listing = look(store, folder)
    assert names(listing) == ["saved_model.pb"]
    assert [(item.path, item.problem) for item in listing.problems] == [("caf\\xe9/variables", "Permission denied")]


def test_an_absorbed_folder_that_vanishes_is_no_problem(tmp_path: Path) -> None:
    store = Shy(str(tmp_path))
    store.refused, store.error = ("variables",), FileNotFoundError
    write(tmp_path, {"saved_model.pb": b"x", "variables/variables.index": b"x"})
    assert (names(look(store, "")), look(store, "").problems) == (["saved_model.pb"], ())


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        looked(tmp_path, "gone")


def test_a_file_that_vanishes_while_its_folder_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.h5": b"x"})
    (tmp_path / "link.h5").symlink_to("a.h5")
    inside = LocalStore._leads_out

    def gone(store: LocalStore, folder: str, name: str) -> str | None:
        (tmp_path / "link.h5").unlink()
        return inside(store, folder, "a.h5")

    monkeypatch.setattr(LocalStore, "_leads_out", gone)
    assert (names(looked(tmp_path)), looked(tmp_path).problems) == (["a.h5"], ())


def test_a_saved_model_absorbs_its_own_folders_only(tmp_path: Path) -> None:
    write(
        tmp_path, {"saved_model.pb": b"x", "variables/v.index": b"x", "assets/deep/words.txt": b"x", "runs/a.h5": b"x"}
    )
    listing = looked(tmp_path)
    assert names(listing) == ["assets/deep/words.txt", "saved_model.pb", "variables/v.index"]
    assert listing.subfolders == ("runs",)
    assert {name for name, _ in listing.folder_times} == {"", "assets", "assets/deep", "variables"}


@pytest.mark.parametrize(
    ("folder", "mark"),
    [("300", "_CHECKPOINT_METADATA"), ("300.orbax-checkpoint-tmp-1769850000", "other")],
    ids=["finished", "temporary"],
)
def test_an_orbax_step_absorbs_all_below_it(folder: str, mark: str, tmp_path: Path) -> None:
    write(tmp_path, {f"{folder}/{mark}": b"{}", f"{folder}/pytree/d/1": b"x", f"{folder}/pytree/_METADATA": b"x"})
    listing = looked(tmp_path, folder)
    assert names(listing) == [mark, "pytree/_METADATA", "pytree/d/1"]
    assert listing.subfolders == ()
    assert folder_formats(listing) == {Format.ORBAX}


def test_absorbing_ends_at_some_depth(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 80)
    write(tmp_path, {"_CHECKPOINT_METADATA": b"{}", f"{deep}/file": b"x"})
    listing = looked(tmp_path)
    assert names(listing) == ["_CHECKPOINT_METADATA"]
    assert listing.problems[0].problem == "more than 64 folders deep: not read further"


@pytest.mark.parametrize(
    ("folder", "files", "absorbed"),
    [
        ("ckpt-5_temp", ("part-00000-of-00001.data-00000-of-00001", "part-00000-of-00001.index"), True),
        ("ckpt-5_temp", ("part-00000-of-00001.data-00000-of-00001.tempstate123",), True),
        ("m.ckpt_temp_0123456789abcdef0123456789abcdef", ("part-00000-of-00002.index",), True),
        ("high_temp", ("ckpt-1.index", "ckpt-1.data-00000-of-00001"), False),
        ("high_temp", ("ckpts/ckpt-1.index",), False),
        ("high_temp", ("part-00000-of-00001.index", "ckpt-1.index"), False),
        ("_temp", ("part-00000-of-00001.index",), True),
        ("ckpt_temp_2", ("part-00000-of-00001.index",), False),
    ],
    ids=["save", "tempstate", "older", "bundle-in-it", "run-in-it", "both-in-it", "of-a-nameless-one", "no-uuid"],
)
def test_a_temp_folder_is_told_by_what_it_holds(
    folder: str, files: tuple[str, ...], absorbed: bool, tmp_path: Path
) -> None:
    write(tmp_path, {f"{folder}/{name}": b"x" for name in files})
    listing = looked(tmp_path)
    assert names(listing) == ([f"{folder}/{name}" for name in sorted(files)] if absorbed else [])
    assert listing.subfolders == (() if absorbed else (folder,))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"resume_manifest.json": b"{}"}, True),
        ({".waypoint/x": b""}, True),
        ({".guild/opref": b""}, True),
        ({"meta.yaml": b"name: x\nrun_id: 5f3c\n"}, True),
        ({"meta.yaml": b"run_uuid: 5f3c"}, True),
        ({"meta.yaml": b"experiment_id: '0'\nname: Default\n"}, False),
        ({"meta.yaml": b"run_id:\nname: x"}, False),
        ({"meta.yaml": b"\xff\xfe"}, False),
        ({"meta.yml": b"run_id: 5"}, False),
        ({"a/resume_manifest.json": b"{}"}, False),
        ({}, False),
    ],
    ids=[
        *("manifest", "waypoint", "guild", "mlflow", "mlflow-uuid", "mlflow-experiment", "empty-id", "no-text"),
        *("other-name", "below", "nothing"),
    ],
)
def test_markers(files: dict[str, bytes], expected: bool, tmp_path: Path) -> None:
    write(tmp_path, files)
    assert looked(tmp_path).is_run_marker is expected


def test_the_signature_changes_with_name_size_time_and_inode_alone(tmp_path: Path) -> None:
    write(tmp_path, {"a.h5": b"12345", "b.h5": b"x"})
    seen = [signature(looked(tmp_path))]
    assert signature(looked(tmp_path)) == seen[0]
    os.utime(tmp_path, ns=(START_NS, START_NS))
    os.chmod(tmp_path / "a.h5", 0o600)
    assert signature(looked(tmp_path)) == seen[0]
    write(tmp_path, {"a.h5": b"123456"})
    seen.append(signature(looked(tmp_path)))
    os.utime(tmp_path / "a.h5", ns=(START_NS + 1, START_NS + 1))
    seen.append(signature(looked(tmp_path)))
    os.rename(tmp_path / "b.h5", tmp_path / "c.h5")
    seen.append(signature(looked(tmp_path)))
    write(tmp_path, {"new": b"x"})
    os.replace(tmp_path / "new", tmp_path / "c.h5")
    seen.append(signature(looked(tmp_path)))
    assert len(set(seen)) == 5


def test_the_clock_is_that_of_the_files_and_leaves_nothing(tmp_path: Path) -> None:
    before = os.stat(tmp_path).st_mtime_ns
    now = LocalStore(str(tmp_path)).now_ns()
    write(tmp_path / "later", {"x": b""}, at_ns=now)
    (tmp_path / "later" / "y").write_bytes(b"")
    assert 0 <= os.stat(tmp_path / "later" / "y").st_mtime_ns - now < 60_000_000_000
    assert os.listdir(tmp_path) == ["later"]
    assert before <= now
