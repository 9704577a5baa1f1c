"""Files that want to harm whoever reads them: bombs, loops, links out of the file, sizes that no file has."""

import bz2
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from core.formats.wire.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto
from tests.support import builders
from tests.support.builders import GRAPH_KEY, SNAPPY, Node, Tensor, block, entry, table, table_of_blocks

STORED, DEFLATED, BZIP2 = 0, 8, 12
MIB, GIB = 1 << 20, 1 << 30
Maker = Callable[[Path], object]


def sparse(path: Path, size: int, tail: bytes = b"") -> None:
    """A file of zeros that takes no room, and its last bytes."""
    with path.open("wb") as file:
        file.truncate(size - len(tail))
        file.seek(0, os.SEEK_END)
        file.write(tail)


def zip_of(members: Iterable[tuple[str, int, bytes, int]]) -> bytes:
    """A zip of members given as name, method, stored bytes and the size that they claim to unpack to."""
    content, directory, count = bytearray(), bytearray(), 0
    for name, method, stored, size in members:
        common = struct.pack("<3H2x2x3L2H", 20, 0, method, 0, len(stored), min(size, 0xFFFFFFFF), len(name), 0)
        directory += b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<3H2L", 0, 0, 0, 0, len(content))
        directory += name.encode()
        content += b"PK\3\4" + common + name.encode() + stored
        count += 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(content), 0)
    return bytes(content + directory) + end


def gigabytes(count: int) -> bytes:
    """A deflated stream of zeros, a thousandth as long."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + again * (1024 * count - 1) + packer.flush()


def keras_of(**members: tuple[int, bytes, int]) -> Maker:
    """A `.keras` file; in names `__` stands for a dot."""
    named = [(name.replace("__", "."), *member) for name, member in members.items()]
    return lambda folder: (folder / "bad.keras").write_bytes(zip_of(named))


_WEIGHTS = {"model__weights__h5": (STORED, b"\x89HDF", 4)}


def config_bomb(folder: Path, size: int = 4 * GIB) -> None:
    """A configuration of four gigabytes, which claims to be of some size."""
    keras_of(config__json=(DEFLATED, gigabytes(4), size), **_WEIGHTS)(folder)


def other_method(folder: Path) -> None:
    """A configuration in a compression that is unpacked at once."""
    packed = bz2.compress(bytes(64 * MIB))
    keras_of(config__json=(BZIP2, packed, 10), **_WEIGHTS)(folder)


def hidden_directory(folder: Path) -> None:
    """A small directory, and before it the record of one of gigabytes, which `zipfile` would believe."""
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 4 * GIB, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 4 * GIB, 1)
    tail = end + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0)
    sparse(folder / "bad.keras", 4 * GIB + len(tail), tail)


def many_members(folder: Path) -> None:
    """As many members as the directory has room for, and one in the record that counts them."""
    content = bytearray(zip_of((f"{number:05x}", STORED, b"", 0) for number in range(20_000)))
    struct.pack_into("<2H", content, len(content) - 14, 1, 1)
    (folder / "bad.keras").write_bytes(content)


def index(files: Mapping[str, bytes], name: str = "bad") -> Maker:
    """Files of a bundle, named `NAME.…` for the ending each."""

    def make(folder: Path) -> None:
        for ending, content in files.items():
            (folder / f"{name}.{ending}").write_bytes(content)

    return make


def entries_of(*entries: BundleEntryProto, shards: int = 1, names: Sequence[bytes] = ()) -> Maker:
    """A bundle whose index holds these entries, with a shard of one byte."""
    named = list(names) or [b"t%04d" % number for number in range(len(entries))]
    rows = [(key, item.SerializeToString()) for key, item in zip(named, entries, strict=True)]
    content = table([(b"", BundleHeaderProto(num_shards=shards).SerializeToString()), *rows])
    return index({"index": content, f"data-00000-of-{shards:05d}": b"x"})


def shaped(*extents: int) -> BundleEntryProto:
    """A tensor of some shape."""
    item = BundleEntryProto(dtype=1, size=1)
    for extent in extents:
        item.shape.dim.add(size=extent)
    return item


def long_keys(folder: Path) -> None:
    """Entries of a few bytes that repeat a key of thousands."""
    first = entry(0, b"k" * 4000, b"")
    more = b"".join(entry(4000, number.to_bytes(3, "big"), b"") for number in range(45_000))
    index({"index": table_of_blocks([first + more + bytes(4) + b"\1\0\0\0"]), "data-00000-of-00001": b""})(folder)


def snappy_bomb(folder: Path) -> None:
    """Ten megabytes that unpack to two hundred."""
    part = block([(b"k", bytes(20 * MIB))])
    index({"index": table_of_blocks([part] * 10, SNAPPY), "data-00000-of-00001": b""})(folder)


def many_tensors(folder: Path) -> None:
    """More tensors than are listed."""
    rows = [(b"%06d" % number, b"\x08\x01") for number in range(210_000)]
    index({"index": table([(b"", b"\x08\x01"), *rows]), "data-00000-of-00001": b""})(folder)


def bundle_of(folder: Path, *tensors: Tensor) -> None:
    """A whole bundle."""
    for name, content in builders.bundle(tensors, "bad").items():
        (folder / name).write_bytes(content)


def graph_of(folder: Path, content: bytes) -> None:
    """A whole bundle with one weight and this object graph."""
    bundle_of(folder, builders.text(GRAPH_KEY, content), builders.floats("w", 3))


def deep_graph(folder: Path) -> None:
    """A chain of a hundred thousand nodes, the weight at its end."""
    chain = [Node(children={"next": number}) for number in range(1, 100_000)]
    graph_of(folder, builders.graph([*chain, Node(keys={"w": "w"})]))


def empty_graph(folder: Path) -> None:
    """Millions of nodes without anything."""
    graph_of(folder, b"\n\0" * (4 * MIB - 8))


def wide_graph(folder: Path) -> None:
    """A node with a million children without names."""
    graph_of(folder, builders.graph([Node()]) + b"\n" + builders.varint(4 * MIB) + b"\n\2\b\1" * MIB)


def crowded_graph(folder: Path) -> None:
    """One node with fifty thousand values, to which fifty thousand names and twenty thousand optimizers lead."""
    names = {f"n{number}": 1 for number in range(50_000)}
    crowd = Node(keys={f"k{number}": "step" for number in range(50_000)} | {"w": "w"})
    optimizers = [Node(children={"iter": 1, "learning_rate": 1}) for _ in range(20_000)]
    graph_of(folder, builders.graph([Node(children=names), crowd, *optimizers]))


def many_counters(folder: Path) -> None:
    """Forty-five thousand counters of steps."""
    bundle_of(folder, *(builders.integer(f"{number:06d}/global_step", number) for number in range(45_000)))


def text_file(name: str, content: str | bytes) -> Maker:
    """A file of that name, in a folder of its own where it is a path."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def weight_map(*names: str) -> str:
    """The `.weights.json` that names these shards."""
    shown = ",".join(f'"{name}"' for name in names)
    return f'{{"metadata": {{}}, "weight_map": {{"/layers": [{shown}]}}}}'
