"""The distance of two checkpoints, held against NumPy on the values that the frameworks themselves read."""

import functools
import json
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from core.base.facts import Role
from core.base.records import Checkpoint
from core.distance.measure import VariableDistance
from core.distance.run import Distances, measure
from core.distance.stored import stretches
from core.distance.sums import Sums, decoder
from core.verify.run import Progress
from tests.support import builders
from tests.support.bundle_files import put
from tests.support.keras_files import checkpoints
from tests.support.written import written_folder

PAIRS = (
    ("keras/a.keras", "keras/b.keras"),
    ("h5/a.weights.h5", "h5/b.weights.h5"),
    ("whole/a.h5", "whole/b.h5"),
    ("folder/a", "folder/b"),
    ("pieces/a.weights.json", "pieces/b.weights.json"),
    ("bundle/a", "bundle/b"),
    ("cut/a", "cut/b"),
    ("ocdbt/1", "ocdbt/2"),
    ("plain/1", "plain/2"),
    ("zarr3/1", "zarr3/2"),
)


@functools.cache
def written() -> tuple[Path, dict[str, Checkpoint], dict[str, Any]]:
    """The folder, its checkpoints, and what NumPy says of the pairs."""
    folder = written_folder(("write_pairs.py",))
    return folder, checkpoints(folder), json.loads((folder / "expected-pairs.json").read_text())


def found_in(folder: Path, left: str, right: str) -> Distances:
    """The distance of two checkpoints of a folder."""
    found = checkpoints(folder)
    return measure((str(folder), found[left]), (str(folder), found[right]))


def by_name(found: Distances) -> dict[str, VariableDistance]:
    assert found.problem is None
    return {one.name: one for one in found.variables}


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=[left.partition("/")[0] for left, _ in PAIRS])
def test_every_format_gives_what_numpy_gives(left: str, right: str) -> None:
    folder, there, expected = written()
    seen: list[Progress] = []
    found = measure((str(folder), there[left]), (str(folder), there[right]), watch=seen.append)
    told, wanted = by_name(found), expected[f"{left} {right}"]
    assert set(told) == set(wanted)
    assert found.only == (0, 0)
    assert any(one.difference for one in found.variables)
    for name, (relative, cosine, largest, count) in wanted.items():
        one = told[name]
        assert (one.count, one.non_finite) == (count, 0), name
        assert one.largest == pytest.approx(largest, rel=1e-12), name
        assert one.cosine == (None if cosine is None else pytest.approx(cosine, abs=1e-12)), name
        if relative is None:
            assert one.relative == (math.inf if largest else 0.0), name
        else:
            assert one.relative == pytest.approx(relative, rel=1e-9, abs=1e-15), name
    assert {Role.WEIGHT, Role.OPTIMIZER} & {one.role for one in found.variables} or "1" in left
    assert seen[-1].bytes_total > 0


def test_a_large_variable_is_read_in_parts_also_where_both_are_kept_in_other_ones(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    one, other = (random.normal(size=(1_500, 700)).astype("float32") for _ in range(2))
    kept: list[tuple[npt.NDArray[Any], dict[str, Any]]] = [
        (one, {"chunks": (200, 300), "compression": "gzip", "shuffle": True}),
        (other.astype(">f8"), {}),
    ]
    for name, (values, how) in zip("ab", kept, strict=True):
        with h5py.File(tmp_path / f"{name}.weights.h5", "w") as file:
            file.create_dataset("layers/dense/vars/0", data=values, **how)
    (found,) = found_in(tmp_path, "a.weights.h5", "b.weights.h5").variables
    a, b = one.astype("float64"), other.astype("float64")
    assert found.relative == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(a), rel=1e-9)
    assert found.cosine == pytest.approx(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-9)
    assert found.largest == np.abs(a - b).max()


def test_what_is_not_compared_is_told_with_why(tmp_path: Path) -> None:
    for name, extent in (("a", 3), ("b", 4)):
        tensors = [
            builders.floats("same", 2),
            builders.floats("grown", extent),
            builders.floats(f"only_{name}", 1),
            builders.text("words", b"abc"),
        ]
        put(tmp_path, builders.bundle(tensors, name))
    found = found_in(tmp_path, "a", "b")
    assert [one.name for one in found.variables] == ["same"]
    assert found.only == (1, 1)
    why = dict(found.skipped)
    assert "shape" in why["grown"]
    assert "no numbers" in why["words"]
    assert found.skipped_count == 2


def test_what_is_damaged_or_away_is_the_answer(tmp_path: Path) -> None:
    for name in "ab":
        put(tmp_path, builders.bundle([builders.floats("first", 2), builders.floats("last", 3)], name))
    there = checkpoints(tmp_path)
    shard = tmp_path / "b.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-4])
    found = found_in(tmp_path, "a", "b")
    assert [one.name for one in found.variables] == ["first"]
    assert "b.data-00000-of-00001 ends before it does" in dict(found.skipped)["last"]
    shard.unlink()
    gone = measure((str(tmp_path), there["a"]), (str(tmp_path), there["b"]))
    assert gone.problem == "b.data-00000-of-00001 is gone since the last look at the disk."


def test_it_can_be_given_up(tmp_path: Path) -> None:
    for name in "ab":
        put(tmp_path, builders.bundle([builders.floats("w", 2)], name))
    there = checkpoints(tmp_path)
    pair = [(str(tmp_path), there[name]) for name in "ab"]
    assert measure(pair[0], pair[1], cancelled=lambda: True).problem == "It was cancelled."


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    sums = Sums()
    sums.add(np.array([1.0, np.nan, -np.inf, 4.0]), np.array([2.0, 1.0, -np.inf, np.inf]))
    sums.add(np.array([3.0]), np.array([3.0]))
    assert sums.row() == [2, 1.0, math.sqrt(10.0), math.sqrt(13.0), 11.0, 1.0, 3]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i8", "u2", "c8", "?"])
def test_stored_bytes_are_the_numbers_that_numpy_reads(kind: str, order: str) -> None:
    values = np.array([0, 1, 5, 100]).astype(f"{order}{kind}")
    raw = values.reshape(-1).view(np.uint8)
    assert decoder(values.dtype.name, big_endian=order == ">")(raw).tolist() == values.astype(complex).real.tolist()


def test_the_stretches_of_a_block_cover_it_in_order() -> None:
    array = np.arange(4 * 5 * 6)
    for start, extents in (
        ((1, 0, 0), (2, 5, 6)),
        ((1, 2, 0), (2, 2, 6)),
        ((3, 1, 2), (1, 3, 4)),
        ((0, 0, 5), (4, 5, 1)),
    ):
        block = array.reshape(4, 5, 6)[tuple(slice(at, at + side) for at, side in zip(start, extents, strict=True))]
        parts = [array[first : first + count] for first, count in stretches((4, 5, 6), (start, extents))]
        assert np.concatenate(parts).tolist() == block.ravel().tolist()
    assert list(stretches((), ((), ()))) == [(0, 1)]
