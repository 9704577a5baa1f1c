"""A TensorFlow bundle's index: which tensors there are, and where in the data shards they lie.

The key '' holds a BundleHeaderProto, every other key a BundleEntryProto; keys that begin with a NUL byte are slices
of a partitioned variable. Source: tensorflow/core/util/tensor_bundle/tensor_bundle.h

Checkpoints of one series have indexes that differ in nothing but checksums. `IndexCache` keeps a parse together with
the bytes it came from, checksums blanked, and reuses it where those are equal (6 µs instead of 3 ms for 753 entries).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from core.base.errors import CorruptError, UnsupportedError
from core.formats import dtypes
from core.formats.checksum import masked_crc
from core.formats.fingerprint import LARGEST
from core.formats.sstable import TRAILER_SIZE, Entry, Handle, Table, read_table
from core.formats.wire.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_CRC_TAG = 0x35  # field 6, fixed32
_KEPT_SHAPES = 16  # of one length
_KEPT_BYTES = 8 * 1024 * 1024  # of all indexes; a parse takes about ten times the bytes
_MOST_AXES = 254  # TensorShape::MaxDimensions
_MOST_SHARDS = 99_999
_SLICE_END = b"\x00\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEntry:
    """One tensor. `crc` is the masked CRC-32C as first parsed; `crc_position` its place in the file where known."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    shard: int
    offset: int
    size: int
    crc: int
    crc_position: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BundleIndex:
    """A parsed index. `slice_bytes` are the stored bytes of partitioned variables; `shard_lengths[n]` is the length
    that shard n must have.
    """

    entries: dict[str, BundleEntry]
    slice_bytes: dict[str, int]
    shard_lengths: tuple[int, ...]
    big_endian: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadIndex:
    """An index and the bytes of the very file: checksums are taken from these, all else from the shared parse."""

    index: BundleIndex
    data: bytes

    def crc(self, entry: BundleEntry) -> int:
        """The masked CRC-32C that this file keeps for a tensor."""
        if entry.crc_position is None:
            return entry.crc
        return int.from_bytes(self.data[entry.crc_position : entry.crc_position + 4], "little")


@dataclass(frozen=True, slots=True)
class _Shape:
    """A parse, the blanked bytes it stands for, and what to blank."""

    index: BundleIndex
    blanked: bytes
    positions: npt.NDArray[np.int64]
    spans: tuple[tuple[int, int], ...]  # of each block with its type byte: start, and where its checksum lies


@dataclass(slots=True)
class IndexCache:
    """The last few parses, by length of file."""

    _shapes: dict[int, list[_Shape]] = field(default_factory=dict)
    _kept: int = 0

    def read(self, data: bytes) -> ReadIndex:
        """Parse an index file, or reuse an equal one's parse. Every block's checksum is verified either way."""
        for shape in self._shapes.get(len(data), ()):
            if _blank(data, shape.positions) == shape.blanked:
                _check_spans(data, shape.spans)
                return ReadIndex(index=shape.index, data=data)
        table = read_table(data)
        index = parse_index(table)
        made = _shape(data, table, index)
        if made is not None and len(data) <= _KEPT_BYTES:
            self._keep(made)
        return ReadIndex(index=index, data=data)

    def _keep(self, made: _Shape) -> None:
        same = self._shapes.setdefault(len(made.blanked), [])
        same.insert(0, made)
        self._kept += len(made.blanked) * (1 - len(same[_KEPT_SHAPES:]))
        del same[_KEPT_SHAPES:]
        while self._kept > _KEPT_BYTES:
            length, shapes = next(iter(self._shapes.items()))
            shapes.pop()
            self._kept -= length
            if not shapes:
                del self._shapes[length]


def parse_index(table: Table) -> BundleIndex:
    """The tensors of a table. CorruptError names the entry's offset."""
    if not table.entries or table.entries[0].key != b"":
        raise CorruptError("there is no bundle header", section="data block")
    header = BundleHeaderProto()
    _parse(header, table.entries[0].value, table.entries[0].position)
    if header.num_shards < 1:
        raise CorruptError(f"{header.num_shards} shards", section="bundle header", offset=table.entries[0].position)
    if header.num_shards > _MOST_SHARDS:
        raise UnsupportedError(
            f"{header.num_shards:,} shards; file names have room for 99,999", section="bundle header"
        )
    if header.version.min_consumer > 1:
        raise UnsupportedError(f"bundle version {header.version.min_consumer}", section="bundle header")
    lengths: dict[int, int] = {}
    entries: dict[str, BundleEntry] = {}
    slice_bytes: dict[str, int] = {}
    proto = BundleEntryProto()
    for key, value, position in table.entries[1:]:
        _parse(proto, value, position)
        shard, offset, size = proto.shard_id, proto.offset, proto.size
        if not 0 <= shard < header.num_shards or offset < 0 or size < 0:
            raise CorruptError(
                f"shard {shard} of {header.num_shards}, offset {offset}, size {size}",
                section="bundle entry",
                offset=position,
            )
        end = offset + size
        if end > LARGEST:
            raise CorruptError(f"a tensor ends at byte {end:,} of its shard", section="bundle entry", offset=position)
        lengths[shard] = max(lengths.get(shard, 0), end)
        if key[0] == 0:
            name = _sliced_name(key)
            slice_bytes[name] = slice_bytes.get(name, 0) + size
            continue
        name = key.decode("utf-8", "backslashreplace")
        crc = proto.crc32c
        at_end = position is not None and value[-5:] == bytes((_CRC_TAG,)) + crc.to_bytes(4, "little")
        if len(proto.shape.dim) > _MOST_AXES:  # the product of a million extents takes minutes
            raise CorruptError(f"{len(proto.shape.dim):,} axes", section="bundle entry", offset=position)
        shape = None if proto.shape.unknown_rank else tuple([dim.size for dim in proto.shape.dim])
        entries[name] = BundleEntry(
            name=name,
            dtype=dtypes.name_of(proto.dtype),
            shape=shape,
            shard=shard,
            offset=offset,
            size=size,
            crc=crc,
            crc_position=position + len(value) - 4 if at_end and position is not None else None,
        )
    return BundleIndex(
        entries=entries,
        slice_bytes=slice_bytes,
        shard_lengths=tuple(lengths.get(number, 0) for number in range(header.num_shards)),
        big_endian=header.endianness == BundleHeaderProto.BIG,
    )


def parse_slice(entry: Entry) -> BundleEntry:
    """One slice of a partitioned variable, under the variable's name. `parse_index` has looked at its place before."""
    proto = BundleEntryProto()
    _parse(proto, entry.value, entry.position)
    if len(proto.shape.dim) > _MOST_AXES:
        raise CorruptError(f"{len(proto.shape.dim):,} axes", section="bundle entry", offset=entry.position)
    return BundleEntry(
        name=_sliced_name(entry.key),
        dtype=dtypes.name_of(proto.dtype),
        shape=tuple(dim.size for dim in proto.shape.dim),
        shard=proto.shard_id,
        offset=proto.offset,
        size=proto.size,
        crc=proto.crc32c,
        crc_position=None,
    )


def _parse(proto: BundleHeaderProto | BundleEntryProto, value: bytes, position: int | None) -> None:
    proto.Clear()
    try:
        proto.MergeFromString(value)
    except DecodeError as error:
        raise CorruptError(f"not a {type(proto).__name__}", section="bundle entry", offset=position) from error


def _sliced_name(key: bytes) -> str:
    """The variable's name in a slice key: the number 0 (one NUL byte), then the escaped name up to NUL 0x01.

    Source: tensorflow/core/util/saved_tensor_slice_util.cc, EncodeTensorNameSlice.
    """
    name = key[1:].split(_SLICE_END, 1)[0]
    return name.replace(b"\x00\xff", b"\x00").replace(b"\xff\x00", b"\xff").decode("utf-8", "backslashreplace")


def _shape(data: bytes, table: Table, index: BundleIndex) -> _Shape | None:
    """What may be reused for files like this one; None where a checksum's place is not known."""
    places = [entry.crc_position for entry in index.entries.values()]
    if table.compressed or index.slice_bytes or None in places:
        return None
    starts: Iterable[int] = [
        *(place for place in places if place is not None),
        *(end for _, end in _spans(table.blocks)),
    ]
    positions = (np.fromiter(starts, dtype=np.int64)[:, None] + np.arange(4)).ravel()
    return _Shape(index=index, blanked=_blank(data, positions), positions=positions, spans=_spans(table.blocks))


def _spans(blocks: Iterable[Handle]) -> tuple[tuple[int, int], ...]:
    return tuple((block.offset, block.offset + block.size + TRAILER_SIZE - 4) for block in blocks)


def _check_spans(data: bytes, spans: Iterable[tuple[int, int]]) -> None:
    """Verify the checksums of blocks whose places are known to be good."""
    view = memoryview(data)
    for start, end in spans:
        if masked_crc(view[start:end]) != int.from_bytes(view[end : end + 4], "little"):
            raise CorruptError("the checksum does not hold", section="block", offset=start)


def _blank(data: bytes, positions: npt.NDArray[np.int64]) -> bytes:
    copy = bytearray(data)
    np.frombuffer(copy, dtype=np.uint8)[positions] = 0
    return bytes(copy)
