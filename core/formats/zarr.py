"""Zarr arrays as Orbax writes them: shape, dtype and stored bytes, and the value of one integer.

`NAME/.zarray` (version 2) or `NAME/zarr.json` (3) describe an array, its chunks lie beside: `NAME/0.0`, `NAME/c/0/0`.
Format: https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html and …/v3/core/index.html, with its sharding codec.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cramjam

from core.base.errors import CorruptError, TooLargeError
from core.formats.checksum import crc32c
from core.formats.json_text import parse
from core.formats.ocdbt import Value

DESCRIPTIONS = ("/.zarray", "/zarr.json")
MAX_DESCRIPTION = 1 << 16  # bytes
MAX_DESCRIPTIONS = 32 << 20  # bytes of all together
MAX_INTEGER = 1_000  # bytes of a chunk that holds one integer
_RANK = 64
_NUMPY = re.compile(r"[<|=](?P<kind>[fiuc])(?P<bytes>\d+)")
_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
_INTEGER = re.compile(r"u?int(?:8|16|32|64)")

Read = Callable[[Value], bytes]


class Array(NamedTuple):
    """One array: `bytes` are those of its chunks as they are stored, compressed as a rule; `codecs` how they are;
    `chunk` is a chunk's shape where it is told, `chunks` how many are stored.
    """

    dtype: str
    shape: tuple[int, ...]
    bytes: int
    codecs: tuple[Mapping[str, Any], ...] | None
    chunk: tuple[int, ...] | None = None
    chunks: int = 0

    @property
    def missing(self) -> int:
        """How many of its chunks are not stored; 0 where the format does not tell."""
        if self.chunk is None or len(self.chunk) != len(self.shape):
            return 0
        return max(
            0, math.prod(-(-extent // side) for extent, side in zip(self.shape, self.chunk, strict=True)) - self.chunks
        )


def arrays(values: Mapping[str, Value], read: Read) -> dict[str, Array]:
    """Every array among some keys, by its name. Raises CorruptError for a description that makes no sense."""
    found: dict[str, Array] = {}
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    total = 0
    for key, value in values.items():
        if key.endswith(DESCRIPTIONS):
            total += value.length
            if value.length > MAX_DESCRIPTION or total > MAX_DESCRIPTIONS:
                raise TooLargeError(f"{value.length:,} bytes of {total:,}", section=key)
            found[key.rpartition("/")[0]] = _described(parse(read(value).partition(b"\0")[0], key), key)
    for key, value in values.items():
        owner = key.rpartition("/")[0]
        if owner not in found:
            owner = key.rpartition("/c/")[0]
        if not key.endswith(DESCRIPTIONS):
            sizes[owner] = sizes.get(owner, 0) + value.length
            counts[owner] = counts.get(owner, 0) + 1
    return {name: array._replace(bytes=sizes.get(name, 0), chunks=counts.get(name, 0)) for name, array in found.items()}


def integer(name: str, array: Array, values: Mapping[str, Value], read: Read) -> int | None:
    """The value of an integer scalar; None for another array, or one that is stored in another way than Orbax's."""
    chunk = values.get(f"{name}/c") or values.get(f"{name}/0")
    is_scalar = array.shape == () and _INTEGER.fullmatch(array.dtype)
    if not is_scalar or chunk is None or chunk.length > MAX_INTEGER or array.codecs is None:
        return None
    try:
        content = _decoded(read(chunk), array.codecs)
    except (KeyError, TypeError, AttributeError, RecursionError):  # codecs of another make
        return None
    if content is None or len(content) * 8 != int(array.dtype.partition("int")[2]):
        return None
    return int.from_bytes(content, "little", signed=not array.dtype.startswith("u"))


def _described(found: object, section: str) -> Array:
    try:
        entries: Any = found
        shape = tuple(entries["shape"])
        if entries["zarr_format"] == 2:
            compressor = entries.get("compressor")
            codecs = ({"name": compressor["id"]},) if compressor else ()
            codecs_or_none = None if entries.get("filters") else codecs
            chunk = _sides(entries.get("chunks"))
            array = Array(_numpy_name(str(entries["dtype"])), shape, 0, codecs_or_none, chunk)
        else:
            grid = entries.get("chunk_grid") or {}
            chunk = _sides((grid.get("configuration") or {}).get("chunk_shape"))
            array = Array(str(entries["data_type"]), shape, 0, tuple(dict(codec) for codec in entries["codecs"]), chunk)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptError("it describes no array", section=section) from error
    if len(shape) > _RANK or not all(type(extent) is int and 0 <= extent < 1 << 63 for extent in shape):
        raise CorruptError("its shape is none", section=section)
    return array


def _sides(found: object) -> tuple[int, ...] | None:
    """A chunk's shape; None for one that makes no sense."""
    if not isinstance(found, list) or not all(type(side) is int and 0 < side < 1 << 63 for side in found):
        return None
    return tuple(found)


def _numpy_name(dtype: str) -> str:
    """NumPy's name of a type that version 2 writes like `<f4`; ml_dtypes' stand there by name."""
    match = _NUMPY.fullmatch(dtype)
    if match:
        return f"{_KINDS[match['kind']]}{int(match['bytes'][:3]) * 8}"
    return "bool" if dtype == "|b1" else dtype


def _decoded(content: bytes, codecs: tuple[Mapping[str, Any], ...]) -> bytes | None:
    """A chunk's bytes, little-endian; None for a codec that Orbax does not use."""
    for codec in reversed(codecs):
        options = codec.get("configuration") or {}
        if codec["name"] == "zstd":
            room = bytearray(64)
            try:
                content = bytes(room[: cramjam.zstd.decompress_into(content, room)])
            except (cramjam.DecompressionError, ValueError):
                return None
        elif codec["name"] == "sharding_indexed":
            index = content[-20:-4]
            if len(index) < 16:
                return None
            offset, size = int.from_bytes(index[:8], "little"), int.from_bytes(index[8:], "little")
            if options.get("index_location", "end") != "end" or crc32c(index) != int.from_bytes(content[-4:], "little"):
                return None
            return _decoded(content[offset : offset + size], tuple(options["codecs"]))
        elif codec["name"] != "bytes" or options.get("endian", "little") != "little":
            return None
    return content
