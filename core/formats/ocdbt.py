"""OCDBT, TensorStore's database in which Orbax keeps arrays: which keys it has, and where their values lie.

A manifest names the newest B+tree's root; nodes lie in data files, keys are prefix-compressed, columns stand one after
the other. Every part has a magic, its length, a CRC-32C, and is zstd-compressed as a rule.
Format: https://google.github.io/tensorstore/kvstore/ocdbt/index.html#storage-format.
"""

from collections.abc import Callable
from typing import NamedTuple

from core.base.errors import CorruptError, TooLargeError, UnsupportedError
from core.formats.ocdbt_part import MAX_PART, Budget, Cursor, opened

MANIFEST = "manifest.ocdbt"
MANIFEST_MAGIC, NODE_MAGIC = b"\x0c\xdb\x3a\x2a", b"\x0c\xdb\x20\xde"
MAX_MANIFEST = 1 << 20  # bytes, as stored

Fetch = Callable[[str, int, int], bytes]  # (path below the database, offset, most bytes) → bytes of the file


class Value(NamedTuple):
    """A key's value: `content` where a node holds it, else `length` bytes at `offset` of the data file `file`."""

    file: str
    offset: int
    length: int
    content: bytes | None = None


class _Node(NamedTuple):
    """Where a node lies, what its height must be, and what all its keys and its children's paths begin with."""

    place: Value
    height: int
    prefix: bytes
    base: bytes


def read(fetch: Fetch) -> dict[str, Value]:
    """Every key of the database's newest version. Raises a FormatError that names the part."""
    values: dict[str, Value] = {}
    budget = Budget()
    root, _ = _newest(fetch(MANIFEST, 0, MAX_MANIFEST + 1), budget)
    waiting = [root] if root else []
    while waiting:
        node = waiting.pop()
        length = node.place.length
        section = f"B+tree node in {node.place.file}"
        if length > MAX_PART:
            raise TooLargeError(f"{length:,} bytes", section=section, offset=node.place.offset)
        budget.spend(length, 1, section)
        data = fetch(node.place.file, node.place.offset, length)
        cursor = opened(data, length, NODE_MAGIC, section, budget)
        if cursor.take(1)[0] != node.height:
            raise CorruptError("it has another height than its parent says", section=section)
        files = _files(cursor, node.base)
        count = cursor.count()
        if node.height:
            waiting += _children(cursor, node, files, count)
        else:
            values |= _leaves(cursor, node.prefix, files, count)
    return values


def committed_ns(fetch: Fetch) -> int:
    """When the database's newest version was written, nanoseconds since 1970; 0 for none. Raises a FormatError."""
    return _newest(fetch(MANIFEST, 0, MAX_MANIFEST + 1), Budget())[1]


def _newest(data: bytes, budget: Budget) -> tuple[_Node | None, int]:
    """The newest version's root node, None for an empty database, and when that was written."""
    length = int.from_bytes(data[4:12], "little")
    if data[:4] == MANIFEST_MAGIC and length > MAX_MANIFEST:
        raise TooLargeError(f"{length:,} bytes", section="manifest")
    if len(data) > max(length, 12):
        raise CorruptError("bytes stand behind its end", section="manifest", offset=length)
    cursor = opened(data, length, MANIFEST_MAGIC, "manifest", budget)
    cursor.take(16)
    if kind := cursor.number():
        raise UnsupportedError(f"manifests of kind {kind}", section="manifest")
    cursor.numbers(2)
    cursor.take(1)
    if cursor.number():
        cursor.take(4)
    files = _files(cursor, b"")
    count = cursor.count()
    cursor.numbers(count)
    heights = cursor.take(count)
    columns = [cursor.numbers(count) for _ in range(6)]  # file, offset, length, keys, bytes of the tree and of values
    written = int.from_bytes(cursor.take(8 * count)[-8:], "little")
    if not count or not columns[3][-1]:
        return None, written
    return _node(files, columns[0][-1], columns[1][-1], columns[2][-1], heights[-1], b""), written


def _files(cursor: Cursor, base: bytes) -> list[tuple[bytes, bytes]]:
    """The data file table: (base path, whole path) below the database."""
    count = cursor.count()
    kept, added = cursor.keys(count)
    cursor.budget.spend(len(base) * count, 0, cursor.section)
    bases = cursor.numbers(count)
    paths = zip(cursor.texts(kept, added), bases, strict=True)
    return [(base + path[:length], base + path) for path, length in paths]


def _node(files: list[tuple[bytes, bytes]], file: int, offset: int, length: int, height: int, prefix: bytes) -> _Node:
    base, path = _of(files, file)
    return _Node(Value(_text(path), offset, length), height, prefix, base)


def _of(files: list[tuple[bytes, bytes]], number: int) -> tuple[bytes, bytes]:
    if number >= len(files):
        raise CorruptError(f"file {number} of {len(files)}", section="data file table")
    return files[number]


def _children(cursor: Cursor, node: _Node, files: list[tuple[bytes, bytes]], count: int) -> list[_Node]:
    kept, added = cursor.keys(count)
    cursor.budget.spend(len(node.prefix) * count, 0, cursor.section)
    common = cursor.numbers(count)
    prefixes = [node.prefix + key[:length] for key, length in zip(cursor.texts(kept, added), common, strict=True)]
    places = zip(*(cursor.numbers(count) for _ in range(3)), prefixes, strict=True)
    return [_node(files, file, offset, size, node.height - 1, prefix) for file, offset, size, prefix in places]


def _leaves(cursor: Cursor, prefix: bytes, files: list[tuple[bytes, bytes]], count: int) -> dict[str, Value]:
    kept, added = cursor.keys(count)
    cursor.budget.spend(len(prefix) * count, 0, cursor.section)
    names = [_text(prefix + key) for key in cursor.texts(kept, added)]
    lengths, kinds = cursor.numbers(count), cursor.numbers(count)
    outside = sum(map(bool, kinds))
    places = iter(list(zip(cursor.numbers(outside), cursor.numbers(outside), strict=True)))
    found = {}
    for name, length, kind in zip(names, lengths, kinds, strict=True):
        if kind:
            file, offset = next(places)
            found[name] = Value(_text(_of(files, file)[1]), offset, length)
        else:
            found[name] = Value("", 0, length, cursor.take(length))
    return found


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
