"""MessagePack, in which Flax, T5X and early Orbax keep trees: the structure, without the arrays' bytes.

Format: https://github.com/msgpack/msgpack/blob/master/spec.md. Nothing is made of what an extension holds.
"""

from typing import NamedTuple

from core.errors import CorruptError, TooLargeError, TruncatedError

MAX_VALUES = 500_000
MAX_DEPTH = 64
_INTEGERS = {0xCC: (1, False), 0xCD: (2, False), 0xCE: (4, False), 0xCF: (8, False)}
_INTEGERS |= {0xD0: (1, True), 0xD1: (2, True), 0xD2: (4, True), 0xD3: (8, True)}
_FLOATS = {0xCA: 4, 0xCB: 8}
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}  # code → bytes of the length
_BINARIES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}  # code → bytes of the data
_LISTS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_PLAIN = {0xC0: None, 0xC2: False, 0xC3: True}


class Bytes(NamedTuple):
    """A value that is not looked into: `kind` is an extension's number, or None for plain bytes."""

    kind: int | None
    offset: int
    length: int


Value = None | bool | int | float | str | Bytes | list["Value"] | dict[str, "Value"]


def parse(data: bytes, section: str) -> Value:
    """The document's value. TruncatedError where it ends too early, CorruptError where it is none."""
    reader = _Reader(data, section)
    found = reader.value(0)
    if reader.at != len(data):
        raise CorruptError("bytes stand behind its end", section=section, offset=reader.at)
    return found


class _Reader:
    """Reads one value after another."""

    def __init__(self, data: bytes, section: str) -> None:
        self.data, self.section, self.at, self.left = data, section, 0, MAX_VALUES

    def take(self, count: int) -> bytes:
        """The next bytes."""
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise TruncatedError("it ends in the middle", section=self.section, offset=self.at)
        self.at += count
        return part

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
        start = self.at
        self.take(length)
        return Bytes(kind, start, length)

    def _text(self, length: int) -> str:
        start = self.at
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
