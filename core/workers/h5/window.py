"""A range of a file as a file of its own: a stored member of a zip."""

import io
import os
from typing import Any


class Window(io.RawIOBase):
    """A range of a file as a file of its own: a stored member of a zip."""

    def __init__(self, path: str, offset: int, length: int) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.offset = offset
        self.length = length
        self.position = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    seekable = readable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move within the window."""
        self.position = offset + (0, self.position, self.length)[whence]
        return self.position

    def tell(self) -> int:
        """The position within the window."""
        return self.position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any writable buffer)
        """Fill a buffer, never from beyond the window."""
        room = max(0, min(len(buffer), self.length - self.position))
        count = os.preadv(self.descriptor, [memoryview(buffer)[:room]], self.offset + self.position)
        self.position += count
        return count

    def close(self) -> None:
        """Give the file back."""
        if not self.closed:
            os.close(self.descriptor)
        super().close()
