"""A zip's members and where each one's bytes lie, checked before anything is unpacked.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 (local header), 4.3.14 and 4.3.15
(zip64), 4.3.16 (end of central directory).
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.base.errors import CorruptError, FormatError, TooLargeError, TruncatedError, UnsupportedError

MAX_MEMBERS = 10_000
MAX_DIRECTORY = 1 << 20  # bytes
DIRECTORY = "central directory"
END = "end of central directory"
LOCAL = struct.Struct("<4s22xHH")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack what they are given at once, gigabytes
_SEALED = 0x61  # flags: encrypted, patched, strongly encrypted; nobody unpacks these without more than the file
_BROKEN = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OverflowError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member: its bytes as stored lie at `offset`, `stored` of them; unpacked it has `size`."""

    name: str
    offset: int
    stored: int
    size: int
    is_deflated: bool


class Archive:
    """An open zip: `members` are those that lie inside the file, `broken` the others, by name."""

    def __init__(self, file: BinaryIO) -> None:
        length = file.seek(0, 2)
        self.length = length
        _check_directory(file, length)
        try:
            self._zip = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise CorruptError(f"no zip: {error}", section=DIRECTORY) from error
        self.members: dict[str, Member] = {}
        self.broken: dict[str, FormatError] = {}
        for info in self._zip.infolist():
            try:
                self.members[info.filename] = _member(file, info, self._zip.start_dir)
            except FormatError as error:
                self.broken[info.filename] = error

    def member(self, name: str) -> Member | None:
        """A member; None where the zip has none of that name. FormatError for one that does not lie inside the zip."""
        if name in self.broken:
            raise self.broken[name]
        return self.members.get(name)

    def read(self, name: str, limit: int) -> bytes:
        """A member's content. Raises TooLargeError above `limit` bytes, whatever the directory says its size is."""
        member = self.members[name]
        if self._zip.getinfo(name).compress_type not in _METHODS:
            raise UnsupportedError("neither stored nor deflated", section=name, offset=member.offset)
        if member.size > limit:
            raise TooLargeError(f"{member.size:,} bytes, more than {limit:,}", section=name, offset=member.offset)
        try:
            with self._zip.open(name) as stream:
                content = stream.read(limit + 1)
        except RuntimeError as error:  # encrypted
            raise UnsupportedError(str(error), section=name, offset=member.offset) from error
        except (*_BROKEN, zlib.error) as error:
            raise CorruptError(f"cannot be unpacked: {error}", section=name, offset=member.offset) from error
        if len(content) > limit:
            raise TooLargeError(f"more than {limit:,} bytes", section=name, offset=member.offset)
        return content


def _check_directory(file: BinaryIO, length: int) -> None:
    """The central directory is inside the file and small enough to be read at once."""
    file.seek(0)
    head = file.read(4)
    start = max(0, length - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        if b"PK\x03\x04".startswith(head) or b"PK\x05\x06".startswith(head):
            raise TruncatedError("the file ends before its directory of members", section=END, offset=length)
        raise CorruptError("no zip signature", section="local header", offset=0)
    found = _END.unpack_from(tail, at)
    for members, size, place in ((found[4], found[5], start + at), *_ends64(file, start + at)):
        if members > MAX_MEMBERS or size > MAX_DIRECTORY:
            raise TooLargeError(f"{members:,} members, a directory of {size:,} bytes", section=DIRECTORY, offset=place)
        if size > place:
            raise CorruptError(f"a directory of {size:,} bytes in {place:,}", section=DIRECTORY, offset=place)


def _ends64(file: BinaryIO, place: int) -> Iterator[tuple[int, int, int]]:
    """Members, directory size and place of a zip64's record: where its locator says, and before the locator, for there
    `zipfile` looks.
    """
    if place < _LOCATOR.size:
        return
    file.seek(place - _LOCATOR.size)
    mark, _, at, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if mark != b"PK\x06\x07":
        return
    if at + _END64.size > place:
        raise CorruptError("the zip64 record lies beyond its locator", section=END, offset=place)
    for start in {at, max(0, place - _LOCATOR.size - _END64.size)}:
        file.seek(start)
        found = _END64.unpack(file.read(_END64.size))
        if found[0] == b"PK\x06\x06":
            yield found[7], found[8], start
        elif start == at:
            raise CorruptError("no zip64 record where its locator says", section=END, offset=at)


def _member(file: BinaryIO, info: zipfile.ZipInfo, directory: int) -> Member:
    """Where a member's bytes are: its local header may be longer than the directory's entry."""
    where = info.header_offset
    if info.flag_bits & _SEALED:
        raise UnsupportedError("it is encrypted or a patch", section=info.filename, offset=where)
    if where < 0 or where + LOCAL.size > directory:
        raise CorruptError(f"{info.filename!r} lies beyond the members' end", section=DIRECTORY)
    try:
        file.seek(where)
        mark, name_length, extra_length = LOCAL.unpack(file.read(LOCAL.size))
    except (OSError, struct.error) as error:
        raise TruncatedError(f"{info.filename!r} has no local header", section="local header", offset=where) from error
    if mark != b"PK\x03\x04":
        raise CorruptError(f"{info.filename!r} has no local header", section="local header", offset=where)
    offset = where + LOCAL.size + name_length + extra_length
    if offset + info.compress_size > directory:
        raise TruncatedError(
            f"{info.filename!r} ends {offset + info.compress_size - directory:,} bytes beyond the members' end",
            section="member",
            offset=offset,
        )
    return Member(
        name=info.filename,
        offset=offset,
        stored=info.compress_size,
        size=info.file_size,
        is_deflated=info.compress_type != zipfile.ZIP_STORED,
    )
