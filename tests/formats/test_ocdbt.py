"""OCDBT and Zarr as Orbax writes them, with TensorStore and the saved tree as oracles; broken and hostile ones."""

import math
import os
import shutil
from pathlib import Path

import cramjam
import pytest
import tensorstore

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError, UnsupportedError
from core.base.facts import Contents, Facts, Sourced, Variable
from core.formats import ocdbt, ocdbt_part, orbax, orbax_arrays, zarr
from core.formats.checksum import crc32c
from core.formats.ocdbt import Value
from core.stores.local import LocalStore
from tests.support import keras_files

DATABASES = ["jax_standard/10", "jax_pytree/step_20", "jax_zarr3/40", "jax_manager/50/default", "jax_items/60/state"]
DATABASES += ["jax_many/70", "orbax/1/pytree", "orbax_weights/1/pytree", "orbax_mixed/8/pytree"]
TREES = {"jax_standard/10", "jax_pytree/step_20", "jax_plain/30", "jax_zarr3/40", "jax_manager/50"}


def fetch(folder: Path) -> ocdbt.Fetch:
    def bytes_of(name: str, offset: int, most: int) -> bytes:
        with (folder / name).open("rb") as file:
            file.seek(offset)
            return file.read(most)

    return bytes_of


def read(root: Path, folder: str) -> tuple[Facts, tuple[Variable, ...]]:
    return orbax.read(LocalStore(str(root)), folder, keras_files.names(root / folder))


def node(body: bytes, magic: bytes = ocdbt.NODE_MAGIC, *, packed: bool = False) -> bytes:
    """A part with its wrapping."""
    body = bytes(cramjam.zstd.compress(body)) if packed else body
    head = magic + (18 + len(body)).to_bytes(8, "little") + bytes([0, packed])
    return head + body + crc32c(head + body).to_bytes(4, "little")


def manifest(root: bytes, height: int = 0, kind: int = 0) -> bytes:
    """A manifest with one version, whose root node is all of the file `d`."""
    config = bytes(16) + bytes([kind, 0, 0, 4, 0])
    length = len(root).to_bytes(2, "little")
    varint = bytes([length[0] & 0x7F | 0x80, len(root) >> 7])
    files = bytes([1, 1, 0]) + b"d"
    version = bytes([1, 1, height, 0, 0]) + varint + bytes([1, 1, 0]) + bytes(8)
    return node(config + files + version, ocdbt.MANIFEST_MAGIC)


def database(body: bytes, **options: int) -> ocdbt.Fetch:
    """A database of one node."""
    root = node(body)
    files = {ocdbt.MANIFEST: manifest(root, **options), "d": root}
    return lambda name, offset, most: files[name][offset : offset + most]


@pytest.mark.parametrize("name", DATABASES)
def test_keys_and_values_are_those_that_tensorstore_finds(name: str) -> None:
    folder = keras_files.folder() / name
    values = ocdbt.read(fetch(folder))
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{folder}/"}).result()
    keys = sorted(key.decode() for key in store.list().result())
    assert sorted(values) == keys
    for key in keys[:: max(1, len(keys) // 50)]:
        value = values[key]
        content = value.content
        if content is None:
            content = fetch(folder)(value.file, value.offset, value.length)
        assert content == store.read(key).result().value


def test_a_large_array_lies_in_a_data_file_and_many_keys_in_several_nodes() -> None:
    root = keras_files.folder()
    large = ocdbt.read(fetch(root / "jax_standard/10"))["params.large/0.0"]
    assert (large.content, large.file.startswith("ocdbt.process_0/d/"), large.length > 70_000) == (None, True, True)
    assert len(ocdbt.read(fetch(root / "jax_many/70"))) == 2 * 1500


@pytest.mark.parametrize("name", sorted(TREES))
def test_shapes_and_dtypes_are_those_of_the_tree(name: str) -> None:
    facts, variables = read(keras_files.folder(), name)
    told = keras_files.expected()["jax"]
    found = {v.name: [v.dtype, list(v.shape or ())] for v in variables if v.dtype != "string"}
    assert found == told
    assert facts.step == Sourced(7, "step")
    weights = sum(math.prod(shape) for name, (_, shape) in told.items() if name.startswith("params/"))
    assert (facts.contents, facts.parameters) == (Contents.WEIGHTS_AND_OPTIMIZER, weights)
    assert sum(v.bytes for v in variables) == sum(facts.role_bytes) > facts.role_bytes.weights > 70_000


def test_items_of_one_step_keep_apart() -> None:
    _, variables = read(keras_files.folder(), "jax_items/60")
    assert {v.name: v.shape for v in variables if "kernel" in v.name or v.name.startswith("extra")} == {
        "extra/w": (3,),
        "state/params/kernel": (6, 4),
    }


def test_under_mixed_precision_the_inner_iterations_are_the_step() -> None:
    facts, _ = read(keras_files.folder(), "orbax_mixed/8")
    told = keras_files.expected()["mixed"]
    assert facts.step is not None
    assert (facts.step.value, facts.parameters) == (told["step"], told["parameters"])


@pytest.mark.parametrize("name", ["jax_standard/10", "jax_plain/30"])
def test_missing_and_cut_values_are_truncated(tmp_path: Path, name: str) -> None:
    root = tmp_path / "a"
    shutil.copytree(keras_files.folder() / name, root)
    large = max((path for path in root.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    if name == "jax_standard/10":  # elsewhere only the length of a chunk's file is known
        os.truncate(large, large.stat().st_size // 2)
        with pytest.raises(TruncatedError) as caught:
            read(tmp_path, "a")
        assert caught.value.section == large.relative_to(root).as_posix()
        large.unlink()
        with pytest.raises(TruncatedError, match="it is missing"):
            read(tmp_path, "a")
        return
    assert {v.name: v.bytes for v in read(tmp_path, "a")[1]}["params/large"] == large.stat().st_size


def test_every_cut_and_every_flipped_byte_of_a_database_is_a_typed_error() -> None:
    folder = keras_files.folder() / "jax_standard/10"
    (data,) = (folder / "d").iterdir()
    whole = {ocdbt.MANIFEST: (folder / ocdbt.MANIFEST).read_bytes(), f"d/{data.name}": data.read_bytes()}
    broken = [(name, content[:length]) for name, content in whole.items() for length in range(len(content))]
    for name, content in whole.items():
        flips = (content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :] for at in range(len(content)))
        broken += [(name, flipped) for flipped in flips]
    for name, content in broken:
        files = {**whole, name: content}
        with pytest.raises(FormatError):
            ocdbt.read(lambda path, offset, most, files=files: files[path][offset : offset + most])  # type: ignore[misc]


LEAF = bytes([0, 0, 1, 3]) + b"key" + bytes([2, 0]) + b"hi"


def test_a_node_of_one_key() -> None:
    assert ocdbt.read(database(LEAF)) == {"key": Value("", 0, 2, b"hi")}


@pytest.mark.parametrize(
    ("body", "options", "error", "message"),
    [
        (LEAF, {"kind": 1}, UnsupportedError, "kind 1"),
        (LEAF, {"height": 1}, CorruptError, "another height"),
        (b"\0\0\xff\xff\xff\x7f", {}, CorruptError, "cannot hold"),
        (LEAF[:-1], {}, CorruptError, "beyond its end"),
        (bytes([0, 0, 1, 1]) + b"k" + bytes([9, 1, 4, 0]), {}, CorruptError, "file 4 of 0"),
        (b"", {}, CorruptError, "beyond its end"),
        # A child that is its own parent.
        (
            bytes([9, 1, 1, 0]) + b"d" + bytes([1, 1, 0]) + b"k" + bytes([0, 0, 33, 1, 1, 0]),
            {"height": 9},
            CorruptError,
            "another height",
        ),
    ],
    ids=["kind", "height", "count", "cut", "file", "empty", "cycle"],
)
def test_senseless_databases_are_typed_errors(
    body: bytes, options: dict[str, int], error: type[FormatError], message: str
) -> None:
    with pytest.raises(error, match=message):
        ocdbt.read(database(body, **options))


def test_prefixes_cannot_make_a_small_node_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocdbt_part, "MAX_BYTES", 1 << 15)
    count = 100
    kept = b"\xf4\x03" * (count - 1)  # 500 bytes of the key before, each time
    body = bytes([0, 0, count]) + kept + b"\xf4\x03" + bytes(count - 1) + b"k" * 500 + bytes(2 * count)
    with pytest.raises(TooLargeError, match="32,768 bytes"):
        ocdbt.read(database(body))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocdbt_part, "_ROOMS", (1 << 10, 1 << 16))
    part = node(bytes(1 << 20), packed=True)
    with pytest.raises(CorruptError, match="cannot be unpacked"):
        ocdbt_part.opened(part, len(part), ocdbt.NODE_MAGIC, "node", ocdbt_part.Budget())


def test_files_outside_the_item_are_never_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(node(LEAF))
    (tmp_path / "a").mkdir()
    config, path = bytes(16) + bytes([0, 0, 0, 4, 0]), b"../secret"
    files = bytes([1, len(path), 0]) + path
    content = config + files + bytes([1, 1, 0, 0, 0, len(node(LEAF)), 1, 1, 0]) + bytes(8)
    (tmp_path / "a" / ocdbt.MANIFEST).write_bytes(node(content, ocdbt.MANIFEST_MAGIC))
    with pytest.raises(TruncatedError, match="secret: it is missing"):
        orbax_arrays.find(LocalStore(str(tmp_path)), "a", [ocdbt.MANIFEST])


def test_a_database_of_another_kind_leaves_shapes_unknown(tmp_path: Path) -> None:
    shutil.copytree(keras_files.folder() / "orbax_weights/1", tmp_path / "1")
    (tmp_path / "1" / "pytree" / ocdbt.MANIFEST).write_bytes(manifest(node(LEAF), kind=1))
    facts, variables = read(tmp_path, "1")
    assert {v.shape for v in variables} == {None}
    assert (facts.parameters, facts.contents, facts.step) == (None, Contents.WEIGHTS_ONLY, None)


@pytest.mark.parametrize(
    "description",
    [b"[]", b"{}", b'{"zarr_format": 2, "shape": [-1], "dtype": "<f4"}', b'{"zarr_format": 2, "shape": 3}'],
    ids=["list", "empty", "negative", "number"],
)
def test_senseless_arrays_are_corrupt(description: bytes) -> None:
    values = {"w/.zarray": Value("", 0, len(description), description)}
    with pytest.raises(CorruptError) as caught:
        zarr.arrays(values, lambda value: value.content or b"")
    assert caught.value.section == "w/.zarray"


@pytest.mark.parametrize(
    ("codecs", "content", "value"),
    [
        ('[{"name": "bytes", "configuration": {"endian": "little"}}]', b"\x05\0\0\0", 5),
        ('[{"name": "bytes", "configuration": {"endian": "big"}}]', b"\0\0\0\x05", None),
        ('[{"name": "bytes"}, {"name": "zstd"}]', bytes(cramjam.zstd.compress(b"\xff\xff\xff\xff")), -1),
        ('[{"name": "bytes"}, {"name": "zstd"}]', b"\x05\0\0\0", None),
        ('[{"name": "bytes"}, {"name": "zstd"}]', bytes(cramjam.zstd.compress(bytes(1 << 20))), None),
        ('[{"name": "blosc"}]', b"\x05\0\0\0", None),
        ('[{"name": "sharding_indexed", "configuration": {"codecs": []}}]', b"", None),
        ('[{"name": "sharding_indexed"}]', bytes(40), None),
        ('[{"no": "name"}]', b"\x05\0\0\0", None),
        ('[{"name": "bytes"}]', b"\x05\0", None),
    ],
    ids=["raw", "big", "zstd", "no-zstd", "bomb", "blosc", "short", "no-crc", "nameless", "cut"],
)
def test_an_integer_is_decoded_or_unknown(codecs: str, content: bytes, value: int | None) -> None:
    description = f'{{"zarr_format": 3, "shape": [], "data_type": "int32", "codecs": {codecs}}}'.encode()
    values = {"n/zarr.json": Value("", 0, len(description), description), "n/c": Value("", 0, len(content), content)}
    found = zarr.arrays(values, lambda one: one.content or b"")
    assert found["n"][:3] == ("int32", (), len(content))
    assert zarr.integer("n", found["n"], values, lambda one: one.content or b"") == value
