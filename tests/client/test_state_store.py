"""What is kept beside checkpoints: exact values, found by content, pruned with their checkpoint, never trusted."""

import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from waypoint_resume.identity import identity_of
from waypoint_resume.state_store import StateStore
from waypoint_resume.values import UnkeptError, decode, encode

VALUES: dict[str, Any] = {
    "nan and infinities": [math.nan, math.inf, -math.inf, 0.1 + 0.2, -0.0],
    "whole numbers": [2**70, -1, True, None],
    "nested": {"a": (1, [2, {"$array": 3}]), "b": {1: "one", "two": 2}},
    "bytes": b"\x00\xff",
    "scalars": [np.float32(0.1), np.int64(3)],
    "small": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "bfloat16": np.array([1.5, math.nan], dtype=ml_dtypes.bfloat16),
    "long": np.arange(10_000, dtype=np.float64),
    "weights": [np.full((100, 100), math.nan, np.float32), np.zeros((3,), np.float16)],
    "random": random.Random(1).getstate(),
}


def same(one: Any, other: Any) -> bool:  # noqa: ANN401
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if hasattr(one, "dtype"):
        is_alike = (type(one), one.dtype, one.shape) == (type(other), other.dtype, other.shape)
        return is_alike and one.tobytes() == other.tobytes()
    return type(one) is type(other) and repr(one) == repr(other)


def checkpoint(run: Path, name: str, content: bytes) -> Any:  # noqa: ANN401
    (run / name).write_bytes(content)
    return identity_of(run, name)


def test_values_come_back_exactly_and_arrays_are_stored_once(tmp_path: Path) -> None:
    store = StateStore(tmp_path, tmp_path)
    first, second = checkpoint(tmp_path, "a.keras", b"1"), checkpoint(tmp_path, "b.keras", b"2")
    assert store.keep(first, VALUES) == []
    store.keep(second, VALUES)
    for one in (first, second):
        found = StateStore(tmp_path, tmp_path).find(one)
        assert found.problem is None
        assert same(found.state, VALUES)
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".json", ".json", ".npz", ".npz"]


def test_what_is_no_data_is_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    store, one = StateStore(tmp_path, tmp_path), checkpoint(tmp_path, "a", b"1")
    told = store.keep(one, {"good": 1, "bad": {"x": object()}, "objects": np.array([object()])})
    assert told == ["bad: a builtins.object", "objects: an array of object"]
    assert store.find(one).state == {"good": 1}


def test_a_copy_of_the_checkpoint_finds_its_state(tmp_path: Path) -> None:
    store, one = StateStore(tmp_path, tmp_path), checkpoint(tmp_path, "a", b"1")
    store.keep(one, {"x": 1})
    shutil.copyfile(tmp_path / "a", tmp_path / "copy")
    assert store.find(identity_of(tmp_path, "copy")).state == {"x": 1}
    assert store.find(checkpoint(tmp_path, "other", b"2")).state is None


@pytest.mark.parametrize("place", [None, ".waypoint/quarantine/b/files", ".waypoint/rewound/b/files", ".waypoint/kept"])
def test_the_state_goes_with_its_checkpoint_unless_that_can_come_back(tmp_path: Path, place: str | None) -> None:
    first = StateStore(tmp_path, tmp_path)
    old, new = checkpoint(tmp_path, "a", b"1"), checkpoint(tmp_path, "b", b"2")
    first.keep(old, {"x": np.zeros(9_000)})
    first.keep(new, {"x": np.ones(9_000)})
    store = StateStore(tmp_path, tmp_path)  # of a later start
    assert store.prune() == []
    if place is None:
        (tmp_path / "a").unlink()
    else:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / "a").rename(tmp_path / place / "a")
    assert store.prune() == ([old.digest] if place is None else [])
    assert store.has(old.digest) is (place is not None)
    assert len(list(store.folder.glob("*.npz"))) == (1 if place is None else 2)
    assert store.find(new).state is not None


@pytest.mark.parametrize("is_later_start", [False, True], ids=["same job", "later start"])
def test_what_two_savers_wrote_alike_keeps_its_state_until_both_are_gone(tmp_path: Path, is_later_start: bool) -> None:
    store = StateStore(tmp_path, tmp_path)
    epoch, best = checkpoint(tmp_path, "e-1.keras", b"same"), checkpoint(tmp_path, "best.keras", b"same")
    store.keep(epoch, {"epoch": 1})
    store.keep(best, {"epoch": 1})
    if is_later_start:
        store = StateStore(tmp_path, tmp_path)
    store.keep(checkpoint(tmp_path, "best.keras", b"better"), {"epoch": 2})  # written over in place
    assert store.prune() == []
    assert store.find(epoch).state == {"epoch": 1}
    (tmp_path / "e-1.keras").unlink()
    assert store.prune() == [epoch.digest]


def test_what_somebody_moved_away_while_no_job_ran_keeps_its_state(tmp_path: Path) -> None:
    one = checkpoint(tmp_path, "a", b"1")
    StateStore(tmp_path, tmp_path).keep(one, {"x": 1})
    (tmp_path / "a").rename(tmp_path.parent / f"{tmp_path.name}-a")
    store = StateStore(tmp_path, tmp_path)
    assert store.prune() == []
    assert store.has(one.digest)


def broken(path: Path, how: str) -> None:
    record = json.loads(path.read_text())
    arrays = path.with_name(f"{record['state']['x']['$array']['$arrays']['file']}.npz")
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif how == "pickle":
        np.savez(arrays, allow_pickle=True, a=np.array([{"x": 1}], dtype=object))
    elif how == "compressed":
        np.savez_compressed(arrays, np.zeros(80_000, np.uint8))
    elif how == "shorter":
        np.savez(arrays, np.zeros(8, np.uint8))
    elif how == "link":
        arrays.rename(arrays.with_suffix(".old"))
        arrays.symlink_to(arrays.with_suffix(".old"))
    elif how == "pipe":
        path.unlink()
        path.symlink_to("/dev/zero")
    else:
        record |= {"version": {"version": 2}, "identity": {"identity": {"digest": 1}}, "state": {"state": []}}[how]
        path.write_text(json.dumps(record))


HOWS = ["cut", "pickle", "compressed", "shorter", "link", "pipe", "version", "identity", "state"]


@pytest.mark.parametrize("how", HOWS)
def test_a_broken_state_is_told_by_name_and_never_raised(tmp_path: Path, how: str) -> None:
    store, one = StateStore(tmp_path, tmp_path), checkpoint(tmp_path, "a", b"1")
    store.keep(one, {"x": np.zeros(10_000)})
    path = store.folder / f"{one.digest}.json"
    broken(path, how)
    found = StateStore(tmp_path, tmp_path).find(one)
    assert found.state is None
    assert found.problem is not None
    assert str(path) in found.problem
    assert StateStore(tmp_path, tmp_path).prune() == []


@pytest.mark.parametrize(
    "value",
    [
        {"$pickle": "x"},
        {"$float": "1"},
        {"$array": {"dtype": "object", "shape": [1], "bytes": ""}},
        {"$array": {"dtype": "float64", "shape": [-1], "bytes": ""}},
        {"$array": {"dtype": "float64", "shape": [2], "bytes": "AAAA"}},
        {"$arrays": {"file": "../x", "arrays": []}},
    ],
    ids=["kind", "float", "object", "negative", "size", "path"],
)
def test_what_encode_never_writes_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(UnkeptError):
        decode(value, StateStore(tmp_path, tmp_path)._read_arrays)
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(UnkeptError):
        encode(deep, {})
