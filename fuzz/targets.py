"""What is fuzzed: one target for each parser that is our own, with the inputs that it starts from.

A target takes bytes and lets nothing out but a FormatError. Checksums would stop a fuzzer, which cannot guess them:
where a format has them, the bytes are wrapped in what is around them, with checksums that hold. What was read must also
fit into a database: whole numbers of 64 bits, text that is text.
"""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import cramjam

from core.errors import FormatError, TruncatedError
from core.formats import bundle, json_text, ocdbt, orbax, saved_model, state_file, v1, zarr
from core.formats.bundle import BundleCache
from core.formats.checksum import crc32c, masked_crc
from core.formats.h5_tree import SIGNATURE, check_end
from core.formats.object_graph import graph_roles, parse_graph
from core.formats.sstable import LazyTable, read_table
from core.formats.wire.saved_tensor_slice_pb2 import SavedTensorSlices
from core.formats.zip_members import Archive
from core.model import Facts
from fuzz.memory import MemoryStorage
from tests import builders
from tests.builders import RAW, SNAPPY, block, table, table_of_blocks

_SPLIT = b"\xff\xfe|"  # between the parts of an input
_LIMIT = 1 << 20


class Target(NamedTuple):
    """A parser fed with bytes, and inputs that it takes."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


def check_facts(facts: Facts) -> None:
    """What was read can be kept: numbers of 64 bits, text without halves of characters."""

    def check(value: object) -> None:
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, int):
            assert -(1 << 63) <= value < 1 << 63, value
        elif isinstance(value, tuple):
            for part in value:
                check(part)

    check(tuple(facts))


def _table(data: bytes) -> None:
    read_table(data)
    LazyTable.open(len(data), lambda offset, length: data[offset : offset + length]).get(b"")


def _blocks(data: bytes) -> None:
    """The first byte says how the blocks are compressed, the rest are the blocks, the last one being the pointers."""
    kind = SNAPPY if data[:1] == b"\1" else RAW
    *blocks, pointers = data[1:].split(_SPLIT)
    read_table(table_of_blocks(blocks, kind, pointers=pointers or None))


def _snappy(data: bytes) -> None:
    """Bytes in the place of a compressed block."""
    whole = table_of_blocks([data], pointers=block([(b"a", builders.varint(0) + builders.varint(len(data)))]))
    content = bytearray(whole)
    content[len(data)] = SNAPPY
    crc = masked_crc(bytes(content[: len(data) + 1]))
    content[len(data) + 1 : len(data) + 5] = crc.to_bytes(4, "little")
    read_table(bytes(content))


def _bundle(data: bytes) -> None:
    """A data block of an index, and a shard."""
    content, _, shard = data.partition(_SPLIT)
    files = {"c.index": table_of_blocks([content], keys=[b"\xff"]), "c.data-00000-of-00001": shard}
    facts, _ = bundle.read(MemoryStorage(files), "", "c", builders.stats(files), BundleCache())
    check_facts(facts)


def _graph(data: bytes) -> None:
    roles = graph_roles(parse_graph(data), lambda key: len(key) % 2 == 0, lambda key: len(key) % 3 == 0)
    assert not roles.weights & roles.optimizer


def _v1(data: bytes) -> None:
    """The list of variables, and the counter's value."""
    meta, _, counter = data.partition(_SPLIT)
    file = table([(b"", meta), (b"\0global_step\0\1\0", counter)])
    facts, _ = v1.read(MemoryStorage({"model": file}), "model", len(file))
    check_facts(facts)


def _zip(data: bytes) -> None:
    archive = Archive(io.BytesIO(data))
    for name in list(archive.members)[:5]:
        assert archive.members[name].offset <= len(data)
        archive.read(name, _LIMIT)


def _json(data: bytes) -> None:
    found: Any = json_text.parse(data, "document")
    json.dumps(found, ensure_ascii=False).encode()


def _superblock(data: bytes) -> None:
    assert check_end(io.BytesIO(data), len(data)) == len(data)


def _saved_model(data: bytes) -> None:
    facts, _ = saved_model.read(MemoryStorage({"saved_model.pb": data}), "", ("saved_model.pb",), None)
    check_facts(facts)


def _orbax(data: bytes) -> None:
    top, _, tree = data.partition(_SPLIT)
    files = {"7/_CHECKPOINT_METADATA": top, "7/pytree/_METADATA": tree}
    facts, _ = orbax.read(MemoryStorage(files), "7", ("_CHECKPOINT_METADATA", "pytree/_METADATA"))
    check_facts(facts)


def _ocdbt(data: bytes) -> None:
    """The bodies of a manifest and of the node that it leads to."""
    manifest, _, node = data.partition(_SPLIT)

    def fetch(name: str, offset: int, most: int) -> bytes:
        is_manifest = name == ocdbt.MANIFEST
        magic, body = (ocdbt.MANIFEST_MAGIC, manifest) if is_manifest else (ocdbt.NODE_MAGIC, node)
        length = len(body) + 18 if is_manifest else most
        if length > _LIMIT:
            raise TruncatedError("it ends before", section=name, offset=offset)
        part = magic + length.to_bytes(8, "little") + b"\0\0" + body
        return part + crc32c(part).to_bytes(4, "little")

    for name, value in ocdbt.read(fetch).items():
        assert value.content is None or len(value.content) == value.length, name


def _zarr(data: bytes) -> None:
    """An array's description and its only chunk."""
    description, _, chunk = data.partition(_SPLIT)
    kind = ".zarray" if b'"zarr_format": 2' in description else "zarr.json"
    contents = {f"a/{kind}": description, "a/c": chunk}
    values = {name: ocdbt.Value("", 0, len(content), content) for name, content in contents.items()}

    def read(value: ocdbt.Value) -> bytes:
        return value.content or b""

    array = zarr.arrays(values, read)["a"]
    value = zarr.integer("a", array, values, read)
    assert value is None or -(1 << 63) <= value < 1 << 64


def _state(data: bytes) -> None:
    found = state_file.parse("run/checkpoint", data)
    assert (found.latest is None) == bool(found.error or found.unreadable)
    state_file.times_by_name(found)


def _trained_parts() -> bytes:
    """A bundle's data block and shard."""
    files = builders.bundle(builders.trained())
    entries = read_table(files["ckpt.index"]).entries
    content = block((entry.key, entry.value) for entry in entries)
    return content + _SPLIT + files["ckpt.data-00000-of-00001"]


def _slices() -> bytes:
    """The list of a V1 file's variables, and a counter's value."""
    found, counter = SavedTensorSlices(), SavedTensorSlices()
    for name, kind, shape in (("w", 1, (2, 3)), ("w/Adam", 1, (2, 3)), ("global_step", 9, ())):
        tensor = found.meta.tensor.add(name=name, type=kind)
        tensor.shape.SetInParent()
        for extent in shape:
            tensor.shape.dim.add(size=extent)
        tensor.slice.add()
    counter.data.name = "global_step"
    counter.data.data.int64_val.append(7)
    return found.SerializeToString() + _SPLIT + counter.SerializeToString()


def _zips() -> Iterable[bytes]:
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as archive:
            archive.writestr("config.json", "{}" * 40)
            archive.writestr("model.weights.h5", SIGNATURE)
        yield file.getvalue()
        *_, count, _, size, start, _ = struct.unpack("<4s4H2LH", file.getvalue()[-22:])
        end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
        yield file.getvalue()[:-22] + end + locator + file.getvalue()[-22:]


def _database() -> bytes:
    """A manifest's and a leaf's body: one key, whose value stands in the leaf."""
    leaf = b"\0\0\1\3a/c\2\0\7\7"
    length = builders.varint(len(leaf) + 18)
    files = b"\1\1\1d"
    manifest = bytes(16) + b"\0\0\0\0\0" + files + b"\1\1\0\0\0" + length + b"\1"
    return manifest + _SPLIT + leaf


def _superblocks() -> Iterable[bytes]:
    for version, first in enumerate((24, 28, 12, 12)):
        head = bytearray(SIGNATURE + bytes([version]) + bytes(87))
        head[13 if version < 2 else 9] = 8
        for start in (0, 512):
            head[first + 16 : first + 24] = (start + len(head)).to_bytes(8, "little")
            yield bytes(start) + bytes(head)


def _leaf(*keys: str, **value: object) -> dict[str, object]:
    return {
        "key_metadata": [{"key": key, "key_type": 2} for key in keys],
        "value_metadata": {"value_type": "jax.Array", "skip_deserialize": False} | value,
    }


_KEYS = ("trainable_variables", "0")
_TREE = json.dumps(
    {
        "tree_metadata": {
            str(_KEYS): _leaf(*_KEYS, write_shape=[2, 3]),
            "('optimizer_variables', 'iteration')": _leaf("optimizer_variables", "iteration", value_type="scalar"),
        },
        "use_ocdbt": False,
    }
).encode()
_BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
_ZARR = json.dumps({"zarr_format": 3, "shape": [], "data_type": "int32", "codecs": [_BYTES]}).encode()
_ZARR_2 = b'{"zarr_format": 2, "shape": [], "dtype": "<i4", "compressor": {"id": "zstd"}, "filters": null}'
_TOP = json.dumps({"item_handlers": {"pytree": "x"}, "commit_timestamp_nsecs": 1_700_000_000_000_000_000}).encode()
_VERSION = b"\x2a\x06\x32.21.0"
_INFO = b"\x0a" + bytes([len(_VERSION)]) + _VERSION
_STATE = b'model_checkpoint_path: "c-2"\nall_model_checkpoint_paths: "c-1"\nall_model_checkpoint_paths: "c-2"\n'
_LONG = block([(b"key", b"value" * 200)])
_BLOCK = block([(b"", b"\x08\x01"), (b"ab", b"1"), (b"abc", b"2")])

TARGETS: Mapping[str, Target] = {
    "table": Target(_table, [table([(b"", b"1"), (b"a", b"2")]), table([(b"a", b"b" * 99)], kind=SNAPPY)]),
    "blocks": Target(
        _blocks,
        [
            b"\0" + _BLOCK + _SPLIT + block([(b"a", b"\0" + bytes([len(_BLOCK)]))]),
            b"\0" + _BLOCK + _SPLIT + block([(b"b", b"")]) + _SPLIT,
            b"\1" + _BLOCK + _SPLIT,
        ],
    ),
    "snappy": Target(_snappy, [bytes(cramjam.snappy.compress_raw(content)) for content in (_BLOCK, _LONG)]),
    "bundle": Target(_bundle, [_trained_parts()]),
    "object_graph": Target(_graph, [builders.graph(builders.trained_graph())]),
    "state_file": Target(_state, [_STATE, b"all_model_checkpoint_timestamps: 1.5\nlast_preserved_timestamp: 2"]),
    "v1": Target(_v1, [_slices()]),
    "zip_members": Target(_zip, tuple(_zips())),
    "json_text": Target(_json, [_TREE, b'["\\ud83d\\ude00", -1.5e3, null, "\\u00e9"]']),
    "superblock": Target(_superblock, tuple(_superblocks())),
    "saved_model": Target(_saved_model, [b"\x08\x01\x12" + bytes([len(_INFO)]) + _INFO]),
    "ocdbt": Target(_ocdbt, [_database()]),
    "zarr": Target(_zarr, [_ZARR + _SPLIT + bytes(4), _ZARR_2 + _SPLIT + bytes(cramjam.zstd.compress(bytes(4)))]),
    "orbax": Target(_orbax, [_TOP + _SPLIT + _TREE]),
}


def run(name: str, data: bytes) -> None:
    """Feed a target; a FormatError is the documented answer to bytes that are none of its format."""
    try:
        TARGETS[name].run(data)
    except FormatError as error:
        str(error).encode()
