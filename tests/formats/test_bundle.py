"""Bundles: what TensorFlow, Keras and tf-keras saved, and what is said of broken and forged ones."""

import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.base.errors import CorruptError, FormatError, TooLargeError, UnsupportedError
from core.base.facts import Contents, Facts, Role, RoleBytes, Sourced
from core.formats import bundle, bundle_index, dtypes
from core.formats.bundle import BundleCache
from core.formats.bundle_index import GRAPH_KEY, IndexCache, parse_index
from core.formats.sstable import FOOTER_SIZE, read_table
from core.formats.wire.tensor_bundle_pb2 import BundleHeaderProto
from core.stores.local import LocalStore
from tests.support import builders, bundle_files
from tests.support.builders import ITERATIONS, KERNEL, MOMENTUM, SAVES, SUFFIX, Node, Tensor
from tests.support.bundle_files import put, read

PREFIXES = [
    *("adam/ckpt-1", "sgd/ckpt-1", "adamw/ckpt-1", "schedule/ckpt-1", "scaled/w", "plain/w", "nested/w", "rnn/ckpt-1"),
    *("gan/whole", "gan/parts-1", "gan/models", "names/w", "only_optimizer/w", "root_optimizer/ckpt-1", "step/w"),
    *("float_step/w", "global_step/w", "huge_step/w", "module/w", "generator/w", "iterator/w", "table/w", "sharded/w"),
    *("series/ckpt-1", "series/ckpt-2", "series/ckpt-3", "tf1/model.ckpt-4", "tfk_plain/w", "tfk_tracked/w"),
    *(f"tfk_graph_{one}/model.ckpt" for one in ("adam", "ftrl", "adagrad", "momentum")),
    *(
        f"tfk_{kind}/{name}"
        for kind in (
            "adam",
            "schedule",
            "scaled",
            *(f"legacy_{one}" for one in ("adam", "sgd", "momentum", "schedule", "scaled")),
        )
        for name in ("cp.ckpt", "ckpt-1")
    ),
]
each_save = pytest.mark.parametrize("prefix", PREFIXES)


@pytest.fixture(scope="module")
def tf() -> ModuleType:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found: ModuleType = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return found


def sourced(pair: list[Any] | None) -> Sourced | None:
    return None if pair is None else Sourced(*pair)


def test_every_save_is_looked_at() -> None:
    assert sorted(bundle_files.expected()) == sorted(PREFIXES)


@each_save
def test_names_shapes_and_dtypes_are_tensorflows(tf: ModuleType, prefix: str) -> None:
    reader = tf.train.load_checkpoint(str(bundle_files.folder() / prefix))
    _, variables = read(bundle_files.folder(), prefix)
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    shapes.pop(GRAPH_KEY, None)
    assert {variable.name: list(variable.shape or ()) for variable in variables} == shapes
    assert {variable.name: variable.dtype for variable in variables} == {name: types[name].name for name in shapes}


@each_save
def test_contents_and_counters_are_what_was_saved(prefix: str) -> None:
    facts, variables = read(bundle_files.folder(), prefix)
    saved = bundle_files.expected()[prefix]
    has_optimizer = saved["optimizer"] > 0
    assert facts.contents is (Contents.WEIGHTS_AND_OPTIMIZER if has_optimizer else Contents.WEIGHTS_ONLY)
    assert (facts.has_optimizer, facts.contents_reason, facts.problem, facts.mismatch) == (
        has_optimizer,
        None,
        None,
        None,
    )
    assert facts.step == sourced(saved.get("step"))
    assert (facts.step_reason is None) is (facts.step is not None)
    assert facts.epoch == sourced(saved.get("epoch"))
    assert facts.save_counter == (Sourced(saved["saves"], "save_counter") if "saves" in saved else None)
    assert facts.variables == len(variables)


@each_save
def test_bytes_by_role_are_what_models_and_optimizers_say(prefix: str) -> None:
    facts, variables = read(bundle_files.folder(), prefix)
    saved = bundle_files.expected()[prefix]
    assert facts.parameters == saved["parameters"]
    assert facts.role_bytes.weights == saved["weights"]
    assert facts.role_bytes.optimizer == saved["optimizer"]
    if "other" in saved:
        assert facts.role_bytes.other == saved["other"]
    assert sum(variable.bytes for variable in variables) == sum(facts.role_bytes)


@each_save
def test_shards_end_where_the_index_says(prefix: str) -> None:
    facts, _ = read(bundle_files.folder(), prefix)
    names = sorted(path.name for path in (bundle_files.folder() / prefix).parent.glob(f"{Path(prefix).name}.data-*"))
    assert [shard.name for shard in facts.shards] == names
    assert [shard.number for shard in facts.shards] == list(range(len(names)))
    assert all(shard.expected == shard.actual for shard in facts.shards)


@pytest.mark.parametrize("prefix", ["nested/w", "tf1/model.ckpt-4", "sharded/w"])
def test_tensors_lie_where_it_is_said(tf: ModuleType, prefix: str) -> None:
    reader = tf.train.load_checkpoint(str(bundle_files.folder() / prefix))
    facts, variables = read(bundle_files.folder(), prefix)
    found = 0
    for variable in variables:
        if variable.shard is None or variable.offset is None:
            continue
        path = bundle_files.folder() / Path(prefix).parent / facts.shards[variable.shard].name
        stored = path.read_bytes()[variable.offset : variable.offset + variable.bytes]
        assert stored == np.asarray(reader.get_tensor(variable.name)).tobytes()
        found += 1
    assert found >= 5


@pytest.mark.parametrize(
    ("prefix", "name", "size"),
    [("sharded/w", "optimizer/_momentums/", 0), ("tf1/model.ckpt-4", "net/cut", 56)],
    ids=["MaxShardSizePolicy", "partitioned"],
)
def test_sliced_variables_have_the_bytes_of_their_slices(prefix: str, name: str, size: int) -> None:
    _, variables = read(bundle_files.folder(), prefix)
    sliced = [variable for variable in variables if variable.shard is None]
    assert sliced
    for variable in sliced:
        assert variable.bytes == 4 * variable.parameters
        assert variable.offset is None
    if size:
        (found,) = [variable for variable in variables if variable.name == name]
        assert (found.bytes, found.shape, found.role) == (size, (7, 2), Role.WEIGHT)


def test_a_policy_of_100_bytes_gave_several_shards() -> None:
    facts, _ = read(bundle_files.folder(), "sharded/w")
    assert [shard.expected for shard in facts.shards][:-1] == [100] * (len(facts.shards) - 1)
    assert len(facts.shards) >= 4


def test_why_there_is_no_step() -> None:
    reasons = {prefix: read(bundle_files.folder(), prefix)[0].step_reason for prefix in ("float_step/w", "plain/w")}
    assert set(reasons.values()) == {"the file has no counter of steps"}
    reason = read(bundle_files.folder(), "huge_step/w")[0].step_reason
    assert reason is not None
    assert "9,223,372,036,854,775,809" in reason


def test_dtypes_are_tensorflows(tf: ModuleType) -> None:
    from tensorflow.core.framework import types_pb2

    known = {value: name for name, value in types_pb2.DataType.items() if 0 < value < 100}
    assert {number: tf.as_dtype(number).name for number in known} == dtypes.NAMES
    assert {tf.as_dtype(name).name: tf.as_dtype(name).size for name in dtypes.INTEGERS} == dtypes.INTEGERS
    floats = {tf.as_dtype(n).name for n in known if tf.as_dtype(n).is_floating or tf.as_dtype(n).is_complex}
    assert floats <= dtypes.TRAINABLE
    assert dtypes.name_of(99) == "dtype-99"


@pytest.mark.parametrize("content", [b"", b"a", b"x" * 127, b"x" * 128, bytes(range(256)) * 80], ids=len)
def test_checksums_of_strings_are_tensorflows(tf: ModuleType, tmp_path: Path, content: bytes) -> None:
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "theirs"), tensor_names=["s"], shape_and_slices=[""], tensors=[tf.constant(content)]
    )
    put(tmp_path, builders.bundle([builders.text("s", content)], "ours"))
    theirs, ours = (tmp_path / f"{prefix}.data-00000-of-00001" for prefix in ("theirs", "ours"))
    assert theirs.read_bytes() == ours.read_bytes()
    index = parse_index(read_table((tmp_path / "theirs.index").read_bytes()))
    assert index.entries["s"].crc == builders.text("s", content).crc
    assert tf.train.load_checkpoint(str(tmp_path / "ours")).get_tensor("s") == content


def test_tensorflow_reads_what_the_builder_writes(tf: ModuleType, tmp_path: Path) -> None:
    halves = ((0, 2, bytes(range(8)), 0), (2, 1, bytes(range(8, 12)), 1))
    tensors = [*builders.trained(), Tensor(name="cut", shape=(3,), slices=halves)]
    for kind in (builders.RAW, builders.SNAPPY):
        put(tmp_path, builders.bundle(tensors, f"b{kind}", shards=2, block_size=50, kind=kind))
        reader = tf.train.load_checkpoint(str(tmp_path / f"b{kind}"))
        assert reader.get_tensor("cut").tobytes() == bytes(range(12))
        assert reader.get_tensor(ITERATIONS) == 7
        facts, variables = read(tmp_path, f"b{kind}")
        assert facts.step == Sourced(7, "optimizer/iter")
        assert facts.role_bytes == RoleBytes(weights=24, optimizer=24 + 4 + 8, other=8 + 12)
        (cut,) = [variable for variable in variables if variable.name == "cut"]
        assert (cut.bytes, cut.shape, cut.shard) == (12, (3,), None)


# What is broken


def made(root: Path, kind: int = builders.RAW) -> Path:
    return put(root, builders.bundle(builders.trained(), kind=kind))


SHARD = "ckpt.data-00000-of-00001"


def test_a_missing_shard_leaves_variables_and_says_why(tmp_path: Path) -> None:
    whole, variables = read(made(tmp_path), "ckpt")
    (tmp_path / SHARD).unlink()
    facts, found = read(tmp_path, "ckpt")
    reason = f"the object graph cannot be read: {SHARD}, which holds it, is missing"
    assert (facts.contents, facts.contents_reason) == (Contents.UNKNOWN, reason)
    assert (facts.step, facts.step_reason, facts.parameters) == (None, reason, None)
    assert facts.shards[0].actual is None
    assert facts.shards[0].expected == whole.shards[0].expected
    assert facts.fingerprint == whole.fingerprint
    assert [(v.name, v.shape, v.bytes) for v in found] == [(v.name, v.shape, v.bytes) for v in variables]
    assert facts.mismatch is None


def test_a_known_graph_is_not_taken_for_one_that_is_missing(tmp_path: Path) -> None:
    cache = BundleCache()
    assert read(made(tmp_path), "ckpt", cache)[0].contents is Contents.WEIGHTS_AND_OPTIMIZER
    (tmp_path / SHARD).unlink()
    assert read(tmp_path, "ckpt", cache)[0].contents is Contents.UNKNOWN


@pytest.mark.parametrize(("lost", "step", "contents"), [
    (0, None, Contents.WEIGHTS_AND_OPTIMIZER),
    (1, Sourced(7, "optimizer/iter"), Contents.UNKNOWN),
], ids=["counters", "graph"])  # fmt: skip
def test_of_two_shards_one_is_missing(tmp_path: Path, lost: int, step: Sourced | None, contents: Contents) -> None:
    put(tmp_path, builders.bundle(builders.trained(graph_shard=1), shards=2))
    (tmp_path / f"ckpt.data-{lost:05d}-of-00002").unlink()
    facts, _ = read(tmp_path, "ckpt")
    assert facts.contents is contents
    assert facts.step == (step if contents is not Contents.UNKNOWN else None)
    assert f"data-{lost:05d}-of-00002, which holds it, is missing" in str(facts.step_reason)


def test_a_shard_cut_anywhere_is_told_apart_from_a_whole_one(tmp_path: Path) -> None:
    root = made(tmp_path)
    content = (root / SHARD).read_bytes()
    whole, _ = read(root, "ckpt")
    graph = whole.shards[0].expected
    assert graph == len(content)
    steps = set()
    for length in range(len(content)):
        (root / SHARD).write_bytes(content[:length])
        facts, variables = read(root, "ckpt")
        assert (facts.shards[0].actual, facts.shards[0].expected) == (length, len(content))
        assert facts.contents is (Contents.UNKNOWN if length < len(content) else whole.contents)
        assert "ends beyond the file" in str(facts.contents_reason)
        assert facts.mismatch is None
        assert len(variables) == 5
        steps.add(facts.step)
    assert steps == {None}


def test_with_a_known_graph_a_cut_shard_still_tells_the_counters_before_the_cut(tmp_path: Path) -> None:
    root, cache = made(tmp_path), BundleCache()
    read(root, "ckpt", cache)
    content = (root / SHARD).read_bytes()
    (root / SHARD).write_bytes(content[:-1])
    facts, _ = read(root, "ckpt", cache)
    assert (facts.step, facts.save_counter) == (Sourced(7, "optimizer/iter"), Sourced(2, "save_counter"))


@pytest.mark.parametrize("name", [ITERATIONS, SAVES, GRAPH_KEY])
def test_a_flipped_byte_names_its_tensor(tmp_path: Path, name: str) -> None:
    root = made(tmp_path)
    entry = parse_index(read_table((root / "ckpt.index").read_bytes())).entries[name]
    content = bytearray((root / SHARD).read_bytes())
    for place in range(entry.offset, entry.offset + entry.size):
        content[place] ^= 1
        (root / SHARD).write_bytes(content)
        content[place] ^= 1
        facts, _ = read(root, "ckpt")
        # A string's length is checked against a checksum of its own, which stands in the shard.
        assert facts.mismatch == name or (name == GRAPH_KEY and place < entry.offset + 6)
        assert (facts.contents is Contents.UNKNOWN) is (name == GRAPH_KEY)
        assert (facts.step is None) is (name in (ITERATIONS, GRAPH_KEY))
        assert (facts.save_counter is None) is (name in (SAVES, GRAPH_KEY))


def test_shards_of_another_save_under_this_index_are_noticed(tmp_path: Path) -> None:
    made(tmp_path)
    later = builders.bundle(builders.trained(step=8, weights=bytes(range(24))))
    (tmp_path / SHARD).write_bytes(later[SHARD])
    facts, _ = read(tmp_path, "ckpt")
    assert facts.mismatch == ITERATIONS
    assert facts.step is None
    assert f"the checksum of {ITERATIONS} does not hold" in str(facts.step_reason)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "lfs-pointer")],
    ids=["empty", "lfs"],
)
def test_no_index_in_its_place_is_said_by_name(tmp_path: Path, content: bytes, kind: str) -> None:
    made(tmp_path)
    (tmp_path / "ckpt.index").write_bytes(content)
    facts, variables = read(tmp_path, "ckpt")
    assert facts.problem is not None
    assert (facts.problem.kind, facts.problem.file, variables) == (kind, "ckpt.index", ())
    assert facts.contents is Contents.UNKNOWN


def test_a_pointer_in_the_place_of_a_shard_is_said_by_name(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / SHARD).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    facts, variables = read(tmp_path, "ckpt")
    assert facts.problem is not None
    assert (facts.problem.kind, facts.problem.file, len(variables)) == ("lfs-pointer", SHARD, 5)


def test_an_index_cut_anywhere_is_a_typed_error(tmp_path: Path) -> None:
    content = (made(tmp_path) / "ckpt.index").read_bytes()
    for length in range(1, len(content)):
        (tmp_path / "ckpt.index").write_bytes(content[:length])
        with pytest.raises(FormatError) as caught:
            read(tmp_path, "ckpt")
        assert caught.value.section == "footer"


def test_any_byte_of_an_entry_may_change_and_no_other_error_comes(tmp_path: Path) -> None:
    """As above, but with the blocks' checksums made good: the reader below the table is what is asked."""
    made(tmp_path)
    files = builders.bundle(builders.trained())
    entries = [(item.key, item.value) for item in read_table(files["ckpt.index"]).entries]
    outcomes: set[type] = set()
    for number, (key, value) in enumerate(entries):
        for place in range(len(value)):
            for bits in (1, 0x80, 0xFF):
                bent = bytearray(value)
                bent[place] ^= bits
                changed = [*entries[:number], (key, bytes(bent)), *entries[number + 1 :]]
                (tmp_path / "ckpt.index").write_bytes(builders.table(changed))
                try:
                    facts, _ = read(tmp_path, "ckpt")
                except FormatError as error:
                    outcomes.add(type(error))
                else:
                    outcomes.add(type(facts))
    assert outcomes == {Facts, CorruptError}


HEADER = BundleHeaderProto(num_shards=1).SerializeToString()


def entry(shape: tuple[int, ...] = (), **fields: int) -> bytes:
    proto = builders.entry_proto(Tensor(name="x", shape=shape), 0, 0, b"")
    for name, value in fields.items():
        setattr(proto, name, value)
    return proto.SerializeToString()


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ([], CorruptError),
        ([(b"x", entry())], CorruptError),
        ([(b"", b"\xff")], CorruptError),
        ([(b"", b"")], CorruptError),
        ([(b"", BundleHeaderProto(num_shards=-1).SerializeToString())], CorruptError),
        ([(b"", BundleHeaderProto(num_shards=2**31 - 1).SerializeToString())], UnsupportedError),
        ([(b"", HEADER + b"\x1a\x02\x10\x02")], UnsupportedError),
        ([(b"", HEADER), (b"x", b"\x0a")], CorruptError),
        ([(b"", HEADER), (b"x", entry(shard_id=1))], CorruptError),
        ([(b"", HEADER), (b"x", entry(shard_id=-1))], CorruptError),
        ([(b"", HEADER), (b"x", entry(offset=-1))], CorruptError),
        ([(b"", HEADER), (b"x", entry(size=-1))], CorruptError),
        ([(b"", HEADER), (b"x", entry(offset=2**63 - 1, size=2**63 - 1))], CorruptError),
        ([(b"", HEADER), *((bytes([n]), entry(size=2**53)) for n in range(65, 80))], CorruptError),
        ([(b"", HEADER), (b"x", entry(shape=(2**62, 2**62, 2**62)))], CorruptError),
    ],
    ids=[
        *("nothing", "no-header", "no-proto", "no-shards", "negative-shards", "many-shards", "newer-version"),
        *("cut-entry", "shard", "negative-shard", "offset", "size", "overflow", "sum", "shape"),
    ],
)
def test_forged_indexes_are_refused(tmp_path: Path, entries: list[tuple[bytes, bytes]], error: type[Exception]) -> None:
    put(tmp_path, {"ckpt.index": builders.table(entries), SHARD: b""})
    with pytest.raises(error):
        read(tmp_path, "ckpt")


def test_no_other_error_for_numbers_at_their_ends(tmp_path: Path) -> None:
    huge = entry(dtype=builders.INT64, size=2**33)
    graph = builders.text(GRAPH_KEY, builders.graph(builders.trained_graph()))
    tensors = [*builders.trained()[:3], graph]
    files = builders.bundle(tensors)
    entries = [(item.key, item.value) for item in read_table(files["ckpt.index"]).entries]
    put(tmp_path, files | {"ckpt.index": builders.table(sorted([*entries, (ITERATIONS.encode(), huge)]))})
    with (tmp_path / SHARD).open("r+b") as shard:
        shard.truncate(2**33)  # a counter that claims the whole shard must not be read into memory
    facts, _ = read(tmp_path, "ckpt")
    assert (facts.step, facts.step_reason) == (None, "the file has no counter of steps")


@pytest.mark.parametrize(
    "length", [b"\xff" * 9 + b"\x7f", b"\xff" * 9 + b"\x01", b"\xff" * 20], ids=["70", "64", "endless"]
)
def test_a_graph_with_a_huge_length_is_unknown(tmp_path: Path, length: bytes) -> None:
    data = length + b"\0\0\0\0some bytes"
    put(tmp_path, builders.bundle([Tensor(name=GRAPH_KEY, dtype=builders.STRING, data=data), builders.floats("a", 2)]))
    facts, variables = read(tmp_path, "ckpt")
    assert facts.contents is Contents.UNKNOWN
    assert "string tensor" in str(facts.contents_reason)
    assert [variable.name for variable in variables] == ["a"]


@pytest.mark.parametrize("content", [b"\xff", builders.graph([Node(children={"a": 9})])], ids=["garbage", "node"])
def test_a_graph_that_is_none_is_unknown(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, builders.bundle([builders.text(GRAPH_KEY, content), builders.floats("a", 2)]))
    facts, _ = read(tmp_path, "ckpt")
    assert facts.contents is Contents.UNKNOWN
    assert str(facts.contents_reason).startswith("object graph: ")


def test_a_bundle_of_empty_tensors_has_a_shard_of_no_bytes(tf: ModuleType, tmp_path: Path) -> None:
    tf.train.Checkpoint(a=tf.Variable(tf.zeros((0, 3)))).write(str(tmp_path / "e"))
    _, variables = read(tmp_path, "e")
    assert [(variable.shape, variable.bytes, variable.parameters) for variable in variables] == [((0, 3), 0, 0)]
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "n"), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.zeros((0, 3))])
    facts, _ = read(tmp_path, "n")
    assert [(shard.expected, shard.actual) for shard in facts.shards] == [(0, 0)]
    assert facts.contents is Contents.WEIGHTS_ONLY


def test_too_large_an_index_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    monkeypatch.setattr(bundle, "MAX_INDEX", 100)
    with pytest.raises(TooLargeError, match="bytes"):
        read(tmp_path, "ckpt")


def test_too_large_a_graph_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    monkeypatch.setattr(bundle, "MAX_GRAPH", 100)
    facts, _ = read(tmp_path, "ckpt")
    assert facts.contents is Contents.UNKNOWN
    assert "more than is read" in str(facts.contents_reason)


def test_names_that_are_no_utf_8_are_shown_escaped(tmp_path: Path) -> None:
    put(tmp_path, {"ckpt.index": builders.table([(b"", HEADER), (b"a\xff", entry())]), SHARD: b""})
    _, variables = read(tmp_path, "ckpt")
    assert [variable.name for variable in variables] == ["a\\xff"]


def test_an_index_without_shards_in_its_listing_is_read_as_lacking_them(tmp_path: Path) -> None:
    root = made(tmp_path)
    store = LocalStore(str(root))
    facts, _ = bundle.read(store, "", "ckpt", {"ckpt.index": store.stat("ckpt.index")}, BundleCache())
    assert [shard.actual for shard in facts.shards] == [None]


# One parse for a series


@pytest.mark.parametrize("name", ["series/ckpt-1", "made"])
def test_saves_of_one_model_share_the_parse_and_keep_their_numbers(tmp_path: Path, name: str) -> None:
    if name == "made":
        for number in (1, 2, 3):
            weights = bytes([number]) * 24
            put(tmp_path, builders.bundle(builders.trained(2 * number, number, weights), f"ckpt-{number}"))
    else:
        shutil.copytree(bundle_files.folder() / "series", tmp_path, dirs_exist_ok=True)
    cache, indexes = BundleCache(), IndexCache()
    facts = [read(tmp_path, f"ckpt-{number}", cache)[0] for number in (1, 2, 3)]
    assert [one.step.value for one in facts if one.step] == [2, 4, 6]
    assert [one.save_counter.value for one in facts if one.save_counter] == [1, 2, 3]
    assert len(cache.layouts) == 1
    found = [indexes.read((tmp_path / f"ckpt-{number}.index").read_bytes()) for number in (1, 2, 3)]
    assert found[0].index is found[1].index is found[2].index
    for number, one in enumerate(found, 1):
        fresh = parse_index(read_table((tmp_path / f"ckpt-{number}.index").read_bytes()))
        assert {key: one.crc(item) for key, item in one.index.entries.items()} == {
            key: item.crc for key, item in fresh.entries.items()
        }
    saves = next(key for key in found[0].index.entries if key.startswith("save_counter"))
    assert len({one.crc(one.index.entries[saves]) for one in found}) == 3


def test_a_flipped_byte_in_a_later_index_is_noticed(tmp_path: Path) -> None:
    first = builders.bundle(builders.trained(2, 1), block_size=100)["ckpt.index"]
    second = builders.bundle(builders.trained(4, 2), block_size=100)["ckpt.index"]
    cache = IndexCache()
    shared = cache.read(first).index
    assert cache.read(second).index is shared
    differing = [place for place in range(len(second)) if first[place] != second[place]]
    assert len(differing) > 8
    for place in range(len(second) - FOOTER_SIZE):
        flipped = bytearray(second)
        flipped[place] ^= 0x10
        with pytest.raises(FormatError):
            cache.read(bytes(flipped))
    assert cache.read(second).index is shared


@pytest.mark.parametrize(
    "other",
    [
        builders.trained()[:-1],
        [Tensor(name=KERNEL, shape=(3, 2), data=bytes(24)), *builders.trained()[1:]],
        [
            builders.trained()[0],
            Tensor(name=MOMENTUM, dtype=builders.INT32, shape=(2, 3), data=bytes(24)),
            *builders.trained()[2:],
        ],
    ],
    ids=["fewer", "shape", "dtype"],
)
def test_another_model_is_parsed_anew(other: list[Tensor]) -> None:
    cache = IndexCache()
    first = cache.read(builders.bundle(builders.trained())["ckpt.index"])
    second = cache.read(builders.bundle(other)["ckpt.index"])
    assert second.index is not first.index
    assert second.index.entries != first.index.entries


def test_an_equal_index_with_another_graph_has_its_own_roles(tmp_path: Path) -> None:
    nodes = builders.trained_graph()
    nodes[0].children = {"model": 1, "optimizes": 2, "save_counter": 6}
    nodes[2] = Node(children={"item": 4, "learning_rata": 7, "m": 5})
    tensors = builders.trained()
    graphs = [builders.graph(builders.trained_graph()), builders.graph(nodes)]
    longest = max(len(content) for content in graphs) + 2
    # An unknown field (15) fills up the shorter one: only with equal lengths are the indexes equal.
    texts = [
        content + b"\x7a" + builders.varint(longest - len(content)) + bytes(longest - len(content))
        for content in graphs
    ]
    for prefix, content in zip(("a", "b"), texts, strict=True):
        put(tmp_path, builders.bundle([*tensors[:-1], builders.text(GRAPH_KEY, content)], prefix))
    cache = BundleCache()
    first, _ = read(tmp_path, "a", cache)
    second, _ = read(tmp_path, "b", cache)
    assert len({id(shape.index) for shapes in cache.indexes._shapes.values() for shape in shapes}) == 1
    assert (first.has_optimizer, second.has_optimizer) == (True, False)
    assert second == read(tmp_path, "b")[0]


@pytest.mark.parametrize("kind", [builders.RAW, builders.SNAPPY], ids=["raw", "snappy"])
def test_reading_twice_gives_the_same(tmp_path: Path, kind: int) -> None:
    made(tmp_path, kind=kind)
    cache = BundleCache()
    assert read(tmp_path, "ckpt", cache) == read(tmp_path, "ckpt", cache) == read(tmp_path, "ckpt")


def test_big_endian_counters_are_read(tmp_path: Path) -> None:
    tensors = builders.trained()
    tensors[3] = Tensor(name=ITERATIONS, dtype=builders.INT64, data=(258).to_bytes(8, "big"))
    files = builders.bundle(tensors)
    header = BundleHeaderProto(num_shards=1, endianness=BundleHeaderProto.BIG).SerializeToString()
    entries = [(item.key, item.value) for item in read_table(files["ckpt.index"]).entries]
    put(tmp_path, files | {"ckpt.index": builders.table([(b"", header), *entries[1:]])})
    assert read(tmp_path, "ckpt")[0].step == Sourced(258, "optimizer/iter")


def test_the_suffix_of_keys_is_tensorflows() -> None:
    _, variables = read(bundle_files.folder(), "adam/ckpt-1")
    assert all(variable.name.endswith(SUFFIX) for variable in variables)


def test_kept_parses_are_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    indexes = [builders.bundle([builders.floats("w" * length, 3)])["ckpt.index"] for length in range(1, 60)]
    monkeypatch.setattr(bundle_index, "_KEPT_BYTES", 10 * len(indexes[-1]))
    cache = bundle_index.IndexCache()
    for data in indexes:
        assert cache.read(data).index is cache.read(data).index
    kept = [shape.blanked for shapes in cache._shapes.values() for shape in shapes]
    assert cache._kept == sum(map(len, kept)) <= 10 * len(indexes[-1])
    assert [len(data) for data in kept] == [len(data) for data in indexes[-len(kept) :]]
    assert len(kept) >= 10
