"""MessagePack, in which Flax, T5X and early Orbax keep trees: the structure, without the arrays' bytes.

Format: https://github.com/msgpack/msgpack/blob/master/spec.md. Nothing is made of what an extension holds.
"""

import io
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError, UnsupportedError

MAX_VALUES = 500_000
MAX_DEPTH = 64
MAX_TEXT = 64 << 20  # bytes of all texts together
_INTEGERS = {0xCC: (1, False), 0xCD: (2, False), 0xCE: (4, False), 0xCF: (8, False)}
_INTEGERS |= {0xD0: (1, True), 0xD1: (2, True), 0xD2: (4, True), 0xD3: (8, True)}
_FLOATS = {0xCA: 4, 0xCB: 8}
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}  # code → bytes of the length
_BINARIES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}  # code → bytes of the data
_LISTS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
MAPS = bytes((*range(0x80, 0x90), *_MAPS))  # with one of which a file begins that is a map
_PLAIN = {0xC0: None, 0xC2: False, 0xC3: True}


class Bytes(NamedTuple):
    """A value that is not looked into: `kind` is an extension's number, or None for plain bytes."""

    kind: int | None
    offset: int
    length: int


Value = None | bool | int | float | str | Bytes | list["Value"] | dict[str, "Value"]


def parse(data: bytes, section: str) -> Value:
    """The document's value. TruncatedError where it ends too early, CorruptError where it is none."""
    return parse_file(io.BytesIO(data), len(data), section)


def parse_file(file: BinaryIO, size: int, section: str, is_known: Callable[[Bytes], bool] | None = None) -> Value:
    """The same for a file of `size` bytes, of which only the structure is read. It may be nobody's: with `is_known` an
    error before the first value that it knows, or a file that is no map, is an UnsupportedError of the section "tree".
    """
    reader = _Reader(file, size, section, is_known)
    try:
        if is_known is not None and not _begins_a_map(file):
            raise CorruptError("it is no map", section=section, offset=0)
        found = reader.value(0)
        if reader.at != size:
            raise CorruptError("bytes stand behind its end", section=section, offset=reader.at)
    except FormatError as error:
        if is_known is None or reader.is_known:
            raise
        raise UnsupportedError(f"no such tree: {error}", section="tree") from error
    return found


def _begins_a_map(file: BinaryIO) -> bool:
    first = file.read(1)
    file.seek(0)
    return bool(first) and (0x80 < first[0] < 0x90 or first[0] in _MAPS)  # an empty one says nothing


class _Reader:
    """Reads one value after another; `is_known` once it met one that its maker knows."""

    def __init__(self, file: BinaryIO, size: int, section: str, known: Callable[[Bytes], bool] | None) -> None:
        self.file, self.size, self.section, self.known = file, size, section, known
        self.at, self.left, self.letters, self.is_known = 0, MAX_VALUES, MAX_TEXT, False

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.check(count)
        part = self.file.read(count)
        if len(part) < count:
            raise TruncatedError("it ends in the middle", section=self.section, offset=self.at)
        self.at += count
        return part

    def check(self, count: int) -> None:
        """TruncatedError unless so many bytes are left."""
        if self.at + count > self.size:
            raise TruncatedError("it ends in the middle", section=self.section, offset=self.at)

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def value(self, depth: int) -> Value:
        """The next value."""
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise TooLargeError("more values, or deeper ones, than are read", section=self.section, offset=self.at)
        code = self.take(1)[0]
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code < 0x90 or code in _MAPS:
            return self._map(code & 0x0F if code < 0x90 else self.number(_MAPS[code]), depth)
        if code < 0xA0 or code in _LISTS:
            count = code & 0x0F if code < 0xA0 else self.number(_LISTS[code])
            return [self.value(depth + 1) for _ in range(count)]
        if code < 0xC0 or code in _TEXTS:
            return self._text(code & 0x1F if code < 0xC0 else self.number(_TEXTS[code]))
        if code in _PLAIN:
            return _PLAIN[code]
        return self._scalar(code)

    def _scalar(self, code: int) -> Value:
        if code in _INTEGERS:
            size, signed = _INTEGERS[code]
            return int.from_bytes(self.take(size), "big", signed=signed)
        if code in _FLOATS:
            self.take(_FLOATS[code])
            return 0.0
        if code in _BINARIES:
            return self._skipped(None, self.number(_BINARIES[code]))
        if code in _EXTENSIONS:
            length = self.number(_EXTENSIONS[code])
            return self._skipped(self.number(1), length)
        if code in _FIXED_EXTENSIONS:
            return self._skipped(self.number(1), _FIXED_EXTENSIONS[code])
        raise CorruptError(f"code {code:#x}, which means nothing", section=self.section, offset=self.at - 1)

    def _skipped(self, kind: int | None, length: int) -> Bytes:
        found = Bytes(kind, self.at, length)
        self.is_known = self.is_known or (self.known is not None and self.known(found))
        self.check(length)
        self.at += length
        self.file.seek(self.at)
        return found

    def _text(self, length: int) -> str:
        start, self.letters = self.at, self.letters - length
        if self.letters < 0:
            raise TooLargeError(f"more than {MAX_TEXT:,} bytes of text", section=self.section, offset=start)
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise CorruptError(f"no UTF-8: {error.reason}", section=self.section, offset=start) from error

    def _map(self, count: int, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            found[str(key)] = self.value(depth + 1)
        return found
