"""Flax' MessagePack files: what Flax wrote is listed, and no bytes do more than make a typed problem."""

from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest
from flax import serialization

from core.base.facts import Contents, Format, Role
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.spec import Reading, Unit
from core.runs.group import group
from core.runs.walk import look
from core.stores.local import LocalStore

TREE: dict[str, Any] = {
    "step": 300,
    "params": {"Dense_0": {"kernel": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.zeros(4)}},
    "batch_stats": {"mean": np.ones(4, dtype=np.float16)},
    "opt_state": {"0": {"count": np.array(300, dtype=np.int32), "mu": np.ones((3, 4), dtype=np.float32)}, "1": {}},
    "rng": np.array([1, 2], dtype=np.uint32),
    "none": None,
    "names": ["a", "b"],
}


def read(root: Path, name: str, *, is_named: bool = False) -> Reading | None:
    """A file of a folder as a scan reads it; None where nothing takes it for a checkpoint."""
    store = LocalStore(str(root))
    for one in group(look(store, "")).checkpoints:
        if one.name == name:
            files = {file.name: file for file in one.files}
            return read_unit(store, Unit("", name, name, one.format, files), BundleCache(), is_named=is_named)
    return None


def reading(root: Path, name: str = "model.msgpack") -> Reading:
    found = read(root, name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["flax_model.msgpack", "checkpoint_300", "best_checkpoint_300"])
def test_every_array_is_listed_as_flax_saved_it(tmp_path: Path, name: str) -> None:
    data = serialization.to_bytes(TREE)
    (tmp_path / name).write_bytes(data)
    found = reading(tmp_path, name)
    wanted = {
        "params/Dense_0/kernel": (TREE["params"]["Dense_0"]["kernel"], Role.WEIGHT),
        "params/Dense_0/bias": (TREE["params"]["Dense_0"]["bias"], Role.WEIGHT),
        "batch_stats/mean": (TREE["batch_stats"]["mean"], Role.WEIGHT),
        "opt_state/0/count": (TREE["opt_state"]["0"]["count"], Role.OPTIMIZER),
        "opt_state/0/mu": (TREE["opt_state"]["0"]["mu"], Role.OPTIMIZER),
        "rng": (TREE["rng"], Role.OTHER),
    }
    assert {one.name: (one.dtype, one.shape, one.bytes, one.role) for one in found.variables} == {
        key: (str(value.dtype), value.shape, value.nbytes, role) for key, (value, role) in wanted.items()
    }
    for one in found.variables:
        assert one.offset is not None
        assert data[one.offset : one.offset + one.bytes] == wanted[one.name][0].tobytes()
    facts = found.facts
    assert (found.format, facts.problem, facts.parameters) == (Format.FLAX_MSGPACK, None, 20)
    assert facts.contents is Contents.WEIGHTS_AND_OPTIMIZER
    assert facts.step is not None
    assert (facts.step.value, facts.step.source) == (300, "step")


def test_a_step_that_is_an_array_is_read(tmp_path: Path) -> None:
    tree = {"step": np.array(41, dtype=np.int64), "params": {"w": np.zeros(2, dtype=np.float32)}}
    (tmp_path / "model.msgpack").write_bytes(serialization.to_bytes(tree))
    step = reading(tmp_path).facts.step
    assert step is not None
    assert step.value == 41


def test_an_array_in_chunks_is_one_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 100)
    large = np.arange(200, dtype=np.float32).reshape(20, 10)
    (tmp_path / "model.msgpack").write_bytes(serialization.msgpack_serialize({"params": {"w": large}}))
    assert serialization.msgpack_restore((tmp_path / "model.msgpack").read_bytes())["params"]["w"].shape == (20, 10)
    (one,) = reading(tmp_path).variables
    assert (one.name, one.dtype, one.shape, one.bytes) == ("params/w", "float32", (20, 10), 800)


OTHERS = {
    "a tree without arrays": msgpack.packb({"epoch": 3, "names": ["a"]}),
    "a list": msgpack.packb([1, 2]),
    "a pickle": b"\x80\x04\x95\x00",
    "JSON": b'{"a": 1}',
    "a zip": b"PK\x03\x04" + bytes(40),
    "text": b"model_checkpoint_path",
    "a cut tree without arrays": msgpack.packb({"epoch": 3, "names": ["a" * 100]})[:-20],
    "other extensions": msgpack.packb({"when": msgpack.ExtType(5, b"1234")}),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", ["model.msgpack", "checkpoint_12"])
def test_what_flax_did_not_write_is_nobodys(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert read(tmp_path, name) is None


@pytest.fixture(scope="module")
def whole() -> bytes:
    return serialization.to_bytes({"params": {"w": np.ones(3, dtype=np.float32)}, "step": 9})


def test_a_file_cut_anywhere_behind_its_first_array_is_said_to_be_cut(tmp_path: Path, whole: bytes) -> None:
    first = whole.index(b"\xc7")  # the extension
    for length in range(1, len(whole)):
        (tmp_path / "model.msgpack").write_bytes(whole[:length])
        found = read(tmp_path, "model.msgpack")
        if length <= first + 2:
            assert found is None
        else:
            assert found is not None
            assert found.facts.problem is not None
            assert found.facts.problem.kind == "truncated", length


def test_a_flipped_byte_is_found_or_another_tree_or_nobodys(tmp_path: Path, whole: bytes) -> None:
    kinds = set()
    for place in range(len(whole)):
        for bit in (1, 0x10, 0x80):
            data = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
            (tmp_path / "model.msgpack").write_bytes(data)
            found = read(tmp_path, "model.msgpack")
            problem = None if found is None else found.facts.problem
            kinds.add(problem and problem.kind)
            if found is not None and problem is None:
                arrays = [leaf for leaf in _leaves(serialization.msgpack_restore(data)) if isinstance(leaf, np.ndarray)]
                assert sorted(one.bytes for one in found.variables) == sorted(leaf.nbytes for leaf in arrays)
    assert kinds == {None, "truncated", "corrupt", "unsupported"}


def _leaves(tree: object) -> list[object]:
    return [leaf for value in tree.values() for leaf in _leaves(value)] if isinstance(tree, dict) else [tree]


HOSTILE = {
    "a length of four gigabytes": b"\x81\xa1a\xc9\xff\xff\xff\xff\x01",
    "an array of nothing": msgpack.packb({"a": msgpack.ExtType(1, b"\x93")}),
    "a shape that is a text": msgpack.packb({"a": msgpack.ExtType(1, msgpack.packb(["x", "float32", b""]))}),
    "a shape beyond every memory": msgpack.packb(
        {"a": msgpack.ExtType(1, msgpack.packb([[1 << 60, 1 << 60], "float32", b"1234"]))}
    ),
    "a map that never ends": msgpack.packb({"a": msgpack.ExtType(1, msgpack.packb([[1], "float32", b"1234"]))})[:-1]
    + b"\xdf\xff\xff\xff\xff",
    "chunks that are none": msgpack.packb(
        {
            "b": msgpack.ExtType(1, msgpack.packb([[1], "float32", b"1234"])),
            "a": {"__msgpack_chunked_array__": True, "shape": {"0": 4}, "chunks": {"0": 3}},
        }
    ),
    "nested without end": b"\x82\xa1b\xc7\x06\x01\x93\x90\xa0\xc4\x00\x00\xa1a" + b"\x91" * 300_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_a_problem_of_their_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.msgpack").write_bytes(data)
    problem = reading(tmp_path).facts.problem
    assert problem is not None
    assert problem.kind in ("truncated", "corrupt", "too-large")
