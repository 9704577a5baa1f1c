"""A checkpoint is known by what it holds: wherever it lies, whatever its name and time."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from waypoint_resume import identity
from waypoint_resume.identity import identity_of, identity_problems, is_unchanged


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "ckpt-1.index").write_bytes(b"index of 1")
    (tmp_path / "ckpt-1.data-00000-of-00001").write_bytes(b"tensors")
    (tmp_path / "ckpt-10.index").write_bytes(b"index of 10")
    (tmp_path / "step" / "d").mkdir(parents=True)
    (tmp_path / "step" / "d" / "x").write_bytes(b"array")
    (tmp_path / "step" / "meta").write_bytes(b"{}")
    return tmp_path


@pytest.mark.parametrize("name", ["a", "ckpt-1", "step"])
def test_a_copy_under_another_name_and_time_is_the_same_checkpoint(run: Path, name: str) -> None:
    other = run / "other"
    other.mkdir()
    for path, part in identity.checkpoint_files(run, name):
        target = other / f"moved{part if name == 'ckpt-1' else '/' + part if part else ''}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / path, target)
        os.utime(target, (1, 1))
    assert identity_of(run, "other/moved").digest == identity_of(run, name).digest
    assert len({identity_of(run, one).digest for one in ("a", "ckpt-1", "step")}) == 3


def test_written_over_in_place_it_is_another_one(run: Path) -> None:
    before = identity_of(run, "a")
    assert is_unchanged(run, before.record())
    assert identity_problems(before.record()) == []
    (run / "a").write_bytes(b"later")
    os.utime(run / "a", ns=(before.files[0].mtime_ns, before.files[0].mtime_ns))
    assert identity_of(run, "a").digest != before.digest
    os.utime(run / "a", ns=(1, 1))
    assert not is_unchanged(run, before.record())


def test_the_files_of_a_bundle_are_its_own(run: Path) -> None:
    found = identity_of(run, "ckpt-1").files
    assert [(file.path, file.part) for file in found] == [
        ("ckpt-1.data-00000-of-00001", ".data-00000-of-00001"),
        ("ckpt-1.index", ".index"),
    ]
    with pytest.raises(FileNotFoundError):
        identity_of(run, "ckpt-2")


def test_long_files_are_known_by_a_part_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "WHOLE", 1 << 20)
    values = np.random.default_rng(0).bytes(3 << 20)
    (tmp_path / "w.h5").write_bytes(values)
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("model.weights.h5", values)
    first = {name: identity_of(tmp_path, name).digest for name in ("w.h5", "m.keras")}
    assert {name: identity_of(tmp_path, name).digest for name in first} == first
    changed = bytes(byte ^ 1 for byte in values)
    (tmp_path / "w.h5").write_bytes(changed)
    one = bytearray(values)
    one[100_000] ^= 1  # in the middle of the member: only the directory's checksum tells
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("model.weights.h5", bytes(one))
    assert all(identity_of(tmp_path, name).digest != first[name] for name in first)


@pytest.mark.parametrize(
    "record",
    [None, {}, {"digest": "x", "files": []}, {"digest": "0" * 32, "files": [{"path": "../a"}]}],
    ids=["null", "empty", "digest", "path"],
)
def test_a_record_that_is_none_is_told(record: object) -> None:
    assert identity_problems(record) != []
