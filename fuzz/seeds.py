"""The inputs that fuzzing starts from: small and whole, so that each leads deep into its parser."""

import io
import json
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence

import cramjam

from core.formats.h5_tree import SIGNATURE
from core.formats.sstable import read_table
from core.formats.wire.saved_tensor_slice_pb2 import SavedTensorSlices
from tests.support import builders
from tests.support.builders import SNAPPY, block, table
from tests.support.event_bytes import VERSION, event, float_tensor, hparams, simple, tensor

SPLIT = b"\xff\xfe|"  # between the parts of an input


def _trained_parts() -> bytes:
    """A bundle's data block and shard."""
    files = builders.bundle(builders.trained())
    entries = read_table(files["ckpt.index"]).entries
    content = block((entry.key, entry.value) for entry in entries)
    return content + SPLIT + files["ckpt.data-00000-of-00001"]


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
    return found.SerializeToString() + SPLIT + counter.SerializeToString()


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
    manifest = bytes(16) + b"\0\0\0\0\0" + files + b"\1\1\0\0\0" + length + b"\1\0\0" + bytes(8)
    return manifest + SPLIT + leaf


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
ORBAX_ARRAYS = {  # of the tree's leaves, one file of a description and one of a chunk each
    "pytree/trainable_variables.0/.zarray": json.dumps(
        {"zarr_format": 2, "shape": [2, 3], "chunks": [2, 3], "dtype": "<f4", "compressor": None, "filters": None}
    ).encode(),
    "pytree/trainable_variables.0/0.0": bytes(24),
    "pytree/optimizer_variables.iteration/.zarray": json.dumps(
        {"zarr_format": 2, "shape": [], "chunks": [], "dtype": "<i4", "compressor": None, "filters": None}
    ).encode(),
    "pytree/optimizer_variables.iteration/0": (7).to_bytes(4, "little"),
}
_TOP = json.dumps({"item_handlers": {"pytree": "x"}, "commit_timestamp_nsecs": 1_700_000_000_000_000_000}).encode()
_VERSION = b"\x2a\x06\x32.21.0"
_INFO = b"\x0a" + bytes([len(_VERSION)]) + _VERSION
_STATE = b'model_checkpoint_path: "c-2"\nall_model_checkpoint_paths: "c-1"\nall_model_checkpoint_paths: "c-2"\n'
_EVENTS = SPLIT.join(
    [
        event(1, simple("loss", 1.5), tensor("val", float_tensor(0.5))),
        event(2, hparams(0.125)),
        event(3, tensor("note", b"\x08\x07\x42\x01a", "text")),
        b"\x10\x05\x3a\x02\x08\x01",
        VERSION,
    ]
)
_LONG = block([(b"key", b"value" * 200)])
_BLOCK = block([(b"", b"\x08\x01"), (b"ab", b"1"), (b"abc", b"2")])

SEEDS: Mapping[str, Sequence[bytes]] = {
    "table": [table([(b"", b"1"), (b"a", b"2")]), table([(b"a", b"b" * 99)], kind=SNAPPY)],
    "blocks": (
        b"\0" + _BLOCK + SPLIT + block([(b"a", b"\0" + bytes([len(_BLOCK)]))]),
        b"\0" + _BLOCK + SPLIT + block([(b"b", b"")]) + SPLIT,
        b"\1" + _BLOCK + SPLIT,
    ),
    "snappy": [bytes(cramjam.snappy.compress_raw(content)) for content in (_BLOCK, _LONG)],
    "bundle": [_trained_parts()],
    "object_graph": [builders.graph(builders.trained_graph())],
    "state_file": [_STATE, b"all_model_checkpoint_timestamps: 1.5\nlast_preserved_timestamp: 2"],
    "v1": [_slices()],
    "zip_members": (tuple(_zips())),
    "json_text": [_TREE, b'["\\ud83d\\ude00", -1.5e3, null, "\\u00e9"]'],
    "superblock": (tuple(_superblocks())),
    "saved_model": [b"\x08\x01\x12" + bytes([len(_INFO)]) + _INFO],
    "ocdbt": [_database()],
    "zarr": [_ZARR + SPLIT + bytes(4), _ZARR_2 + SPLIT + bytes(cramjam.zstd.compress(bytes(4)))],
    "orbax": [_TOP + SPLIT + _TREE],
    "events": [_EVENTS],
    "settings": [
        b"a: &x {b: 1e-3, c: [1, no, ~]}\nd: {<<: *x, value: '5'}\n",
        b"--lr=1e-3\n--nouse\n",
        b'{"step": 1, "loss": 0.5, "a": {"b": NaN}}\n{"step": 2, "loss": 1}\n',
        (
            b'{"trial_id": "1", "hyperparameters": {"values": {"u": 3}}, "epoch": 1, '
            b'"metrics": {"metrics": {"l": {"observations": [{"value": [0.5], "step": 2}]}}}}'
        ),
        b'{"loss": [1, 0.5], "epoch": [1, 2]}',
        b"1700000000000 0.5 1\n1700000000001 nan 2\n",
    ],
    "log": [b"epoch,loss\r\n0,0.5\r\n1,nan\r\n", b'step\ttimestamp\t"a ""b"""\n0\t1.7e9\t-1e3\n'],
}
