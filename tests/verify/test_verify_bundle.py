"""Verifying bundles: every byte of every tensor counts, and numbers that are none are counted."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.facts import Format, Role
from core.formats.bundle_index import IndexCache, parse_slice
from core.formats.sstable import read_table
from core.verify.bundle import BundleScan
from core.verify.finite import Finite
from core.verify.results import Outcome
from core.verify.run import verify
from core.verify.tally import Job, Tally
from core.verify.trial import try_restore
from tests.support import builders
from tests.support.builders import FLOAT, GRAPH_KEY, HALF, KERNEL, SUFFIX, Node, Tensor
from tests.support.bundle_files import put
from tests.support.keras_files import checkpoints
from tests.support.written import written_folder

PREFIXES = ["kinds", "sharded", "tf1"]
# Number in a bundle, and NumPy's type, of each dtype that has infinities.
FLOATS = {
    "float16": (HALF, np.float16),
    "bfloat16": (14, ml_dtypes.bfloat16),
    "float32": (FLOAT, np.float32),
    "float64": (2, np.float64),
    "complex64": (8, np.complex64),
    "complex128": (18, np.complex128),
}


def written() -> Path:
    """The folder that write_verified.py filled."""
    return written_folder(("write_verified.py",))


def expected(prefix: str) -> dict[str, str]:
    """TensorFlow's names and dtypes."""
    found: dict[str, str] = json.loads((written() / "expected.json").read_text())[prefix]
    return found


def scan(folder: Path, prefix: str, roles: dict[str, Role] | None = None) -> dict[str, object]:
    """What a worker tells of a bundle."""
    tally = Tally(lambda _line: None)
    found = IndexCache().read((folder / f"{prefix}.index").read_bytes())
    BundleScan(str(folder), prefix, found, tally).tell(
        Job(str(folder), prefix, Format.TF_BUNDLE, frozenset(), roles or {}), tally
    )
    return tally.result()


def stored(folder: Path, prefix: str) -> Iterator[tuple[str, str, int, int]]:
    """Name, shard's file, offset and size of each tensor and slice."""
    data = (folder / f"{prefix}.index").read_bytes()
    index = IndexCache().read(data).index
    parts = [parse_slice(entry) for entry in read_table(data).entries[1:] if entry.key[0] == 0]
    for entry in [*index.entries.values(), *parts]:
        file = f"{prefix}.data-{entry.shard:05d}-of-{len(index.shard_lengths):05d}"
        yield entry.name, file, entry.offset, entry.size


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_tensorflow_wrote_passes(prefix: str) -> None:
    result = scan(written(), prefix)
    kinds = expected(prefix)
    variants = {name for name, kind in kinds.items() if kind == "variant"}
    assert (result["problems"], result["damage"]) == ([], [])
    assert {name for name, _ in result["unverifiable"]} == variants  # type: ignore[attr-defined]
    assert result["tensors"] == len(kinds) - len(variants)
    assert len(variants) == (prefix == "kinds")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("bit", [0x01, 0x80, 0xFF])
def test_any_flipped_byte_of_a_verifiable_tensor_names_that_tensor(tmp_path: Path, prefix: str, bit: int) -> None:
    for path in written().glob(f"{prefix}.*"):
        shutil.copy(path, tmp_path)
    flipped = 0
    for name, file, offset, size in stored(tmp_path, prefix):
        if expected(prefix)[name] == "variant":
            continue
        for place in range(offset, offset + size, 1 if name != GRAPH_KEY else 7):
            with (tmp_path / file).open("r+b") as shard:
                shard.seek(place)
                before = shard.read(1)
                shard.seek(place)
                shard.write(bytes([before[0] ^ bit]))
                shard.flush()
                result = scan(tmp_path, prefix)
                shard.seek(place)
                shard.write(before)
            assert [(rule, bad) for rule, bad, _, _ in result["problems"]] == [("checksum-mismatch", name)], place  # type: ignore[attr-defined]
            flipped += 1
    assert flipped > 70
    assert scan(tmp_path, prefix)["problems"] == []


def test_the_worker_and_tensorflow_agree_on_a_flipped_byte(tmp_path: Path) -> None:
    for path in written().glob("kinds.*"):
        shutil.copy(path, tmp_path)
    (whole,) = checkpoints(tmp_path).values()
    good = verify(str(tmp_path), whole, restore=True)
    assert (good.outcome, good.problems, good.passed) == (Outcome.VERIFIED, (), True)
    assert good.tensors == len(expected("kinds")) - 1
    assert good.restore is not None
    which = f"{good.tensors} of {good.tensors + 1} tensors; it has no way to read "
    assert good.restore.detail.startswith(f"TensorFlow 2.21.0 read {which}")
    name = f"float16{SUFFIX}"
    file, offset = next((file, offset) for found, file, offset, _ in stored(tmp_path, "kinds") if found == name)
    with (tmp_path / file).open("r+b") as shard:
        shard.seek(offset)
        shard.write(b"\xee")
    bad = verify(str(tmp_path), whole)
    assert (bad.outcome, [problem.name for problem in bad.problems]) == (Outcome.DAMAGED, [name])
    assert not bad.holds_for(whole.files)
    answer = try_restore(str(tmp_path), whole)
    assert not answer.ok
    assert "then: " in answer.detail


@pytest.mark.parametrize("kind", FLOATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_counts_are_exact(kind: str, data: st.DataObject) -> None:
    numbers = st.sampled_from([0.0, -0.0, 1.5, -3e38, 3e38, 1e-45, float("nan"), float("inf"), -float("inf")])
    parts = data.draw(st.lists(numbers, max_size=40).filter(lambda found: len(found) % 2 == 0))
    real = kind.removeprefix("complex64").removeprefix("complex128")
    with np.errstate(over="ignore"):
        if real:
            values = np.array(parts).astype(FLOATS[kind][1])
        else:
            values = np.array(parts).astype(f"float{int(kind[7:]) // 2}").view(FLOATS[kind][1])
    for order in "<>":
        counter = Finite(kind, big_endian=order == ">")
        width = values.itemsize // (1 if real else 2)
        swapped = values.view(f"u{width}").byteswap() if order == ">" else values
        counter.look(np.frombuffer(swapped.tobytes() + b"\0", np.uint8))
        finite = np.isfinite(values) if real else np.isfinite(values.real) & np.isfinite(values.imag)
        assert counter.count == len(values) - int(finite.sum())


def weights(kind: str) -> Tensor:
    """A hundred thousand values, three of which are none."""
    number, dtype = FLOATS[kind]
    values = np.ones(100_000, dtype)
    values[[0, 70_001, 99_999]] = [np.nan, np.inf, -np.inf]
    return Tensor(name=f"model/{kind}{SUFFIX}", dtype=number, shape=values.shape, data=values.tobytes())


def model_of(*tensors: Tensor) -> list[Tensor]:
    """A model of these weights, and a loss beside it that is infinite."""
    keys = [tensor.name for tensor in tensors]
    nodes = [Node(children={"model": 1, "best_loss": 2}), Node(), Node(keys={"best": "best_loss"})]
    nodes[1].children.update({f"w{number}": 3 + number for number in range(len(keys))})
    nodes += [Node(keys={key: "w"}) for key in keys]
    loss = Tensor(name="best", data=np.float32("inf").tobytes())
    return [*tensors, loss, builders.text(GRAPH_KEY, builders.graph(nodes))]


def test_values_that_are_no_numbers_are_told_of_weights_alone(tmp_path: Path) -> None:
    tensors = [weights(kind) for kind in FLOATS]
    put(tmp_path, builders.bundle(model_of(*tensors), "bad"))
    (checkpoint,) = checkpoints(tmp_path).values()
    result = verify(str(tmp_path), checkpoint)
    assert result.outcome is Outcome.DAMAGED
    assert {(item.rule.value, item.name, item.count) for item in result.problems} == {
        ("non-finite", tensor.name, 3) for tensor in tensors
    }
    assert result.tensors == len(tensors) + 2


def test_an_optimizers_state_counts(tmp_path: Path) -> None:
    put(tmp_path, builders.bundle(builders.trained(weights=bytes([255]) * 24), "bad"))
    (checkpoint,) = checkpoints(tmp_path).values()
    found = verify(str(tmp_path), checkpoint).problems
    assert [(item.name, item.count) for item in found] == [(KERNEL, 6), (builders.MOMENTUM, 6)]
    assert found[0].detail == "6 values are NaN or infinite."


def test_slices_of_one_variable_are_one(tmp_path: Path) -> None:
    part = np.array([np.nan, 1], np.float32).tobytes()
    cut = Tensor(name="net/cut", shape=(4,), slices=((0, 2, part, 0), (2, 2, part, 1)))
    put(tmp_path, builders.bundle([cut], "bad", shards=2))
    result = scan(tmp_path, "bad", {"net/cut": Role.WEIGHT})
    assert result["problems"] == [("non-finite", "net/cut", "2 values are NaN or infinite.", 2)]
    assert (result["tensors"], result["problem_count"]) == (1, 1)


def test_a_missing_and_a_short_shard_are_damage_and_the_rest_is_verified(tmp_path: Path) -> None:
    tensors = [builders.floats(f"w{number}", 10, shard=number) for number in range(3)]
    put(tmp_path, builders.bundle(tensors, "bad", shards=3))
    (tmp_path / "bad.data-00001-of-00003").unlink()
    with (tmp_path / "bad.data-00002-of-00003").open("r+b") as shard:
        shard.truncate(20)
    (checkpoint,) = checkpoints(tmp_path).values()
    result = verify(str(tmp_path), checkpoint)
    assert result.outcome is Outcome.DAMAGED
    assert "bad.data-00001-of-00003 is missing. bad.data-00002-of-00003 has 20 of 40 bytes." in result.detail
    assert [item.name for item in result.problems] == ["w2"]
    assert result.unverifiable == (("w1", "bad.data-00001-of-00003 is missing."),)
    assert result.tensors == 2


def test_an_index_whose_tensors_overlap_is_refused(tmp_path: Path) -> None:
    many = [builders.entry_proto(Tensor(name="w"), 0, 0, bytes(1)) for _ in range(3)]
    rows = [(b"t%d" % number, item.SerializeToString()) for number, item in enumerate(many)]
    put(tmp_path, {"bad.index": builders.table([(b"", b"\x08\x01"), *rows]), "bad.data-00000-of-00001": b"\0"})
    (checkpoint,) = checkpoints(tmp_path).values()
    result = verify(str(tmp_path), checkpoint)
    assert (result.outcome, result.detail) == (
        Outcome.DAMAGED,
        "bad: bundle entry: t1 overlaps another tensor.",
    )
