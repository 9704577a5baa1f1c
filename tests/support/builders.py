"""Tables, bundles and state files made byte by byte, so that a test can bend, cut or flip any part of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cramjam

from core.base.files import FileStat
from core.formats.checksum import crc32c, mask, masked_crc
from core.formats.sstable import MAGIC
from core.formats.wire.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto
from core.formats.wire.trackable_object_graph_pb2 import TrackableObjectGraph

RAW, SNAPPY = 0, 1
FLOAT, INT32, STRING, INT64, HALF = 1, 3, 7, 9, 19
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def varint(number: int) -> bytes:
    """Base 128, the low digits first."""
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def entry(shared: int, key: bytes, value: bytes) -> bytes:
    """One entry of a block; `key` is what follows the shared bytes."""
    return varint(shared) + varint(len(key)) + varint(len(value)) + key + value


def block(entries: Iterable[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    """A block without its trailer: entries, restart points, their number."""
    body, restarts, before = bytearray(), [0], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart_every:
            while shared < min(len(before), len(key)) and before[shared] == key[shared]:
                shared += 1
        elif number:
            restarts.append(len(body))
        body += entry(shared, key[shared:], value)
        before = key
    return bytes(body) + b"".join(place.to_bytes(4, "little") for place in (*restarts, len(restarts)))


def table_of_blocks(
    blocks: Sequence[bytes], kind: int = RAW, *, keys: Sequence[bytes] | None = None, pointers: bytes | None = None
) -> bytes:
    """A table of data blocks that are given as bytes. `keys` are those of the index block, by which TensorFlow
    searches; `pointers` replaces that block.
    """
    file = bytearray()

    def put(content: bytes, how: int) -> bytes:
        stored = bytes(cramjam.snappy.compress_raw(content)) if how == SNAPPY else content
        handle = varint(len(file)) + varint(len(stored))
        typed = stored + bytes([how])
        file.extend(typed + masked_crc(typed).to_bytes(4, "little"))
        return handle

    handles = [put(content, kind) for content in blocks]
    metaindex = put(block([]), RAW)
    keys = [number.to_bytes(4, "big") for number in range(len(blocks))] if keys is None else keys
    index = put(block(zip(keys, handles, strict=True), 1) if pointers is None else pointers, RAW)
    return bytes(file) + footer(metaindex + index)


def footer(handles: bytes) -> bytes:
    """Two handles, padding and the magic number: 48 bytes."""
    return handles.ljust(40, b"\0") + MAGIC


def table(
    entries: Iterable[tuple[bytes, bytes]], *, block_size: int = 262_144, kind: int = RAW, restart_every: int = 16
) -> bytes:
    """A table of sorted entries, its blocks about `block_size` bytes long."""
    blocks: list[list[tuple[bytes, bytes]]] = [[]]
    used = 0
    for key, value in entries:
        if used >= block_size:
            blocks.append([])
            used = 0
        blocks[-1].append((key, value))
        used += len(key) + len(value)
    keys = [part[-1][0] if part else b"" for part in blocks]
    return table_of_blocks([block(part, restart_every) for part in blocks], kind, keys=keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor to store. `slices` are (start, length) along the first axis, each with its bytes and shard."""

    name: str
    dtype: int = FLOAT
    shape: tuple[int, ...] = ()
    data: bytes = b""
    shard: int = 0
    slices: tuple[tuple[int, int, bytes, int], ...] = ()
    crc: int | None = None


def integer(name: str, value: int, dtype: int = INT64, shard: int = 0) -> Tensor:
    """An integer scalar."""
    size = {INT64: 8, INT32: 4}[dtype]
    return Tensor(name=name, dtype=dtype, data=value.to_bytes(size, "little", signed=True), shard=shard)


def floats(name: str, count: int, shard: int = 0) -> Tensor:
    """A vector of `count` float32 zeros."""
    return Tensor(name=name, shape=(count,), data=bytes(4 * count), shard=shard)


def text(name: str, content: bytes, shard: int = 0) -> Tensor:
    """A string scalar as TensorFlow stores it, with the checksum that it keeps."""
    length = len(content).to_bytes(4, "little")
    stored = masked_crc(length).to_bytes(4, "little")
    data = varint(len(content)) + stored + content
    crc = mask(crc32c(content, crc32c(stored, crc32c(length))))
    return Tensor(name=name, dtype=STRING, data=data, shard=shard, crc=crc)


@dataclass(slots=True)
class Node:
    """A node of an object graph: children by name, full names by key, slots as (variable, name, slot node)."""

    children: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    slots: list[tuple[int, str, int]] = field(default_factory=list)


def graph(nodes: Iterable[Node]) -> bytes:
    """A serialized TrackableObjectGraph."""
    message = TrackableObjectGraph()
    for node in nodes:
        made = message.nodes.add()
        for name, target in node.children.items():
            made.children.add(node_id=target, local_name=name)
        for key, full_name in node.keys.items():
            made.attributes.add(name="VARIABLE_VALUE", full_name=full_name, checkpoint_key=key)
        for variable, name, slot in node.slots:
            made.slot_variables.add(original_variable_node_id=variable, slot_name=name, slot_variable_node_id=slot)
    return message.SerializeToString()


def entry_proto(tensor: Tensor, shard: int, offset: int, data: bytes) -> BundleEntryProto:
    """The index's entry for some stored bytes."""
    crc = masked_crc(data) if tensor.crc is None else tensor.crc
    proto = BundleEntryProto(dtype=tensor.dtype, shard_id=shard, offset=offset, size=len(data), crc32c=crc)
    proto.shape.SetInParent()
    for size in tensor.shape:
        proto.shape.dim.add(size=size)
    return proto


def ordered(number: int) -> bytes:
    """A number from 0 to 63 as TensorFlow's signed ordered code has it."""
    return bytes([0x80 + number])


def slice_key(name: str, start: int, length: int, rank: int) -> bytes:
    """The key of a slice along the first axis. Source: saved_tensor_slice_util.cc, EncodeTensorNameSlice."""
    extents = ordered(start) + ordered(length) + (ordered(0) + b"\x7f") * (rank - 1)
    return b"\0" + name.encode() + b"\0\1" + bytes([1, rank]) + extents


def index_entries(tensors: Iterable[Tensor], shards: list[bytearray]) -> dict[bytes, BundleEntryProto]:
    """The index's entries; the tensors' bytes are appended to the shards."""
    found: dict[bytes, BundleEntryProto] = {}

    def put(tensor: Tensor, shard: int, data: bytes) -> BundleEntryProto:
        offset = len(shards[shard])
        shards[shard] += data
        return entry_proto(tensor, shard, offset, data)

    for tensor in tensors:
        if not tensor.slices:
            found[tensor.name.encode()] = put(tensor, tensor.shard, tensor.data)
            continue
        whole = entry_proto(tensor, 0, 0, b"")
        whole.crc32c = 0
        for start, length, data, shard in tensor.slices:
            whole.slices.add().extent.add(start=start, length=length)
            part = replace(tensor, shape=(length, *tensor.shape[1:]))
            found[slice_key(tensor.name, start, length, len(tensor.shape))] = put(part, shard, data)
        found[tensor.name.encode()] = whole
    return found


def bundle(
    tensors: Iterable[Tensor], prefix: str = "ckpt", *, shards: int = 1, block_size: int = 262_144, kind: int = RAW
) -> dict[str, bytes]:
    """A whole bundle: contents by file name."""
    data = [bytearray() for _ in range(shards)]
    found = index_entries(tensors, data)
    header = BundleHeaderProto(num_shards=shards)
    header.version.producer = 1
    entries = [(b"", header.SerializeToString())]
    entries += [(key, found[key].SerializeToString()) for key in sorted(found)]
    files = {f"{prefix}.index": table(entries, block_size=block_size, kind=kind)}
    for number, content in enumerate(data):
        files[f"{prefix}.data-{number:05d}-of-{shards:05d}"] = bytes(content)
    return files


def stats(files: Mapping[str, bytes]) -> dict[str, FileStat]:
    """What a listing would say of these files."""
    return {name: FileStat(name, len(content), 1) for name, content in files.items()}


GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
KERNEL, MOMENTUM, ITERATIONS, SAVES = (
    f"{name}{SUFFIX}"
    for name in ("model/kernel", "model/kernel/.OPTIMIZER_SLOT/optimizer/m", "optimizer/iter", "save_counter")
)


def trained_graph() -> list[Node]:
    """The graph of a model with one weight, an optimizer with one slot, and a counter of saves."""
    return [
        Node(children={"model": 1, "optimizer": 2, "save_counter": 6}),
        Node(children={"kernel": 3}),
        Node(children={"iter": 4, "learning_rate": 7}, slots=[(3, "m", 5)]),
        Node(keys={KERNEL: "kernel"}),
        Node(keys={ITERATIONS: "iter"}),
        Node(keys={MOMENTUM: "kernel/m"}),
        Node(keys={SAVES: "save_counter"}),
        Node(keys={f"optimizer/learning_rate{SUFFIX}": "learning_rate"}),
    ]


def trained(step: int = 7, saves: int = 2, weights: bytes = bytes(24), *, graph_shard: int = 0) -> list[Tensor]:
    """The tensors of such a checkpoint: six weights, as many slots, a rate, two counters and the graph."""
    return [
        Tensor(name=KERNEL, shape=(2, 3), data=weights),
        Tensor(name=MOMENTUM, shape=(2, 3), data=weights[::-1]),
        Tensor(name=f"optimizer/learning_rate{SUFFIX}", data=bytes(4)),
        integer(ITERATIONS, step),
        integer(SAVES, saves),
        text(GRAPH_KEY, graph(trained_graph()), graph_shard),
    ]
