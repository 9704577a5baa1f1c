"""safetensors files: what the library saved is listed, and what it refuses is a typed problem, and nothing else is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save, save_file

from core.base.facts import Contents, Format, Role
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.spec import Reading, Unit
from core.runs.group import group
from core.runs.walk import look
from core.stores.local import LocalStore

TREE: dict[str, NDArray[Any]] = {
    "dense.kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "dense.bias": np.zeros(4, dtype=np.float64),
    "table": np.array([[1, 2]], dtype=np.int64),
    "flags": np.array([True, False, True]),
    "half": np.ones((2, 0), dtype=np.float16),
    "scalar": np.array(7, dtype=np.uint8),
}


def read(root: Path) -> dict[str, Reading]:
    """Every checkpoint of a folder, by its name, as a scan reads it."""
    store, found = LocalStore(str(root)), {}
    for one in group(look(store, "")).checkpoints:
        files = {file.name: file for file in one.files}
        reading = read_unit(store, Unit("", one.name, one.name, one.format, files), BundleCache())
        assert reading is not None
        found[one.name] = reading
    return found


def test_every_tensor_is_listed_as_the_library_saved_it(tmp_path: Path) -> None:
    save_file(TREE, tmp_path / "model.safetensors", metadata={"format": "np"})
    (reading,) = read(tmp_path).values()
    listed = {one.name: (one.dtype, one.shape, one.bytes, one.role) for one in reading.variables}
    assert listed == {name: (str(v.dtype), v.shape, v.nbytes, Role.OTHER) for name, v in TREE.items()}
    data = (tmp_path / "model.safetensors").read_bytes()
    for one in reading.variables:
        assert one.offset is not None
        assert data[one.offset : one.offset + one.bytes] == TREE[one.name].tobytes()
    facts = reading.facts
    assert (reading.format, facts.problem, facts.variables) == (Format.SAFETENSORS, None, len(TREE))
    assert (facts.contents, facts.step, facts.has_optimizer) == (Contents.UNKNOWN, None, False)


def opens(path: Path) -> bool:
    """Whether the library opens a file and reads every tensor of it."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - the library's own method
                file.get_tensor(name)
    except Exception:  # noqa: BLE001 - whatever it says
        return False
    return True


@pytest.fixture(scope="module")
def whole() -> bytes:
    return save({name: TREE[name] for name in ("dense.bias", "table", "scalar")})


def test_a_file_cut_anywhere_is_said_to_be_cut_and_never_opens(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "m.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        problem = read(tmp_path)["m.safetensors"].facts.problem
        assert problem is not None
        assert problem.kind == ("truncated" if length else "empty")
        assert not opens(path)


def test_what_a_flipped_byte_does_is_what_the_library_says(tmp_path: Path, whole: bytes) -> None:
    path, refused = tmp_path / "m.safetensors", 0
    for place in range(len(whole)):
        for bit in (0x01, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            problem = read(tmp_path)["m.safetensors"].facts.problem
            assert (problem is None) == opens(path), (place, bit, problem)
            assert problem is None or problem.kind in ("truncated", "corrupt")
            refused += problem is not None
    assert refused > 100


def entry(dtype: object = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HOSTILE = {
    "no object": [1],
    "an entry that is none": {"a": 3},
    "an unknown dtype": {"a": entry("F5")},
    "a shape below zero": {"a": entry(shape=[-1])},
    "a huge shape": {"a": entry(shape=[1 << 62, 1 << 62])},
    "a truth value for a length": {"a": entry(shape=[True])},
    "places that cross": {"a": entry(), "b": entry(offsets=[2, 6])},
    "a hole": {"a": entry(), "b": entry(offsets=[8, 12])},
    "values out of the file": {"a": entry(shape=[1 << 40], offsets=[0, 1 << 42])},
    "an end before its start": {"a": entry(shape=[0], offsets=[4, 0])},
    "metadata that are no texts": {"__metadata__": {"a": 1}, "a": entry()},
    "no tensor and values": {},
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_lies_is_a_problem_of_its_file(tmp_path: Path, header: object) -> None:
    text, path = json.dumps(header).encode(), tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    facts = read(tmp_path)["m.safetensors"].facts
    assert facts.problem is not None
    assert facts.problem.kind in ("corrupt", "truncated")
    assert not opens(path)


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 200_000_000, 99_000_000])
def test_a_header_said_to_be_huge_costs_nothing(tmp_path: Path, length: int) -> None:
    (tmp_path / "m.safetensors").write_bytes(length.to_bytes(8, "little") + b'{"a":1}')
    problem = read(tmp_path)["m.safetensors"].facts.problem
    assert problem is not None
    assert problem.kind in ("corrupt", "truncated")


def test_a_nested_header_is_refused(tmp_path: Path) -> None:
    text = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    problem = read(tmp_path)["m.safetensors"].facts.problem
    assert problem is not None
    assert problem.kind == "corrupt"


def sharded(folder: Path, *kept: int) -> None:
    """A model in two files, as Transformers saves it; only some of them."""
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    parts: tuple[dict[str, NDArray[Any]], ...] = ({"a": TREE["table"]}, {"b": TREE["dense.bias"]})
    for number in kept:
        save_file(parts[number - 1], folder / names[number - 1])
    index = {"metadata": {"total_size": 48}, "weight_map": {"a": names[0], "b": names[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_a_model_in_several_files_is_one_checkpoint(tmp_path: Path) -> None:
    sharded(tmp_path, 1, 2)
    (reading,) = read(tmp_path).values()
    assert [(one.name, one.shard, one.bytes) for one in reading.variables] == [("a", 0, 16), ("b", 1, 32)]
    assert all(shard.actual == shard.expected is not None for shard in reading.facts.shards)


def test_a_file_that_the_index_names_and_that_is_gone_is_missing(tmp_path: Path) -> None:
    sharded(tmp_path, 2)
    (reading,) = read(tmp_path).values()
    assert [(shard.name, shard.actual) for shard in reading.facts.shards] == [
        ("model-00001-of-00002.safetensors", None),
        ("model-00002-of-00002.safetensors", (tmp_path / "model-00002-of-00002.safetensors").stat().st_size),
    ]
