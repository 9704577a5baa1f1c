"""Files in memory as a root, for readers that ask a store for them."""

import io
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from core.base.files import FileStat
from core.stores.store import Members


class MemoryStore:
    """A root that holds these files, by path."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def members(self, folder: str) -> Members:
        """The files directly below a folder."""
        start = f"{folder}/" if folder else ""
        names = [path.removeprefix(start) for path in self.files if path.startswith(start)]
        return Members([self.stat(start + name)._replace(name=name) for name in names if "/" not in name], [], [])

    def folder_time(self, folder: str) -> int:
        """Always the same."""
        return len(folder) * 0

    def stat(self, path: str) -> FileStat:
        """Its length."""
        return FileStat(path, len(self.files[path]), 1)

    def open(self, path: str) -> BinaryIO:
        """A file for reading."""
        return io.BytesIO(self.files[path])

    def read(self, path: str, limit: int) -> bytes:
        """A file's first bytes."""
        return self.files[path][:limit]

    def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes at some places."""
        return [self.files[path][offset : offset + length] for offset, length in ranges]

    def absolute(self, path: str) -> str:
        """There is no such path."""
        return f"/nowhere/{path}"

    def now_ns(self) -> int:
        """The beginning of time."""
        return 0
