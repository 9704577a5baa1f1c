"""Reading many folders with the help of a second process.

A pass that reads little stays in one process: starting another takes about half a second.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from core.indexing.reader_process import DiedError, Done, Item, ReaderProcess, read_chunk
from core.stores.store import Store

PROCESSES = 2  # this one and one more
_WORTHWHILE = 4_000  # files to read below which one process is faster
_CHUNK_FILES = 800
_AHEAD = 8  # chunks that wait for the other process: it goes on while this one writes to the catalog


class Readers:
    """Reads folders, with a second process once there is enough to read; close it after the pass."""

    def __init__(self) -> None:
        self._expected = 0
        self._other: ReaderProcess | None = None

    def expect(self, files: int) -> None:
        """So many files more will have to be read: the second process starts while the walk goes on."""
        self._expected += files
        if self._expected >= _WORTHWHILE and self._other is None:
            self._other = ReaderProcess()

    def read_all(self, store: Store, items: Iterable[Item]) -> Iterator[Done]:
        """Read the folders of each item (a name and its tasks) and yield the items as they get done, in no order.

        `items` is taken as it is needed. Should the other process die, this one reads what it had.
        """
        if self._other is not None:
            yield from _read_shared(self._other, store, _chunks(items))
        else:
            for item in items:
                yield from read_chunk(store, [item])

    def close(self) -> None:
        """End the second process."""
        if self._other is not None:
            self._other.close()


def _read_shared(other: ReaderProcess, store: Store, chunks: Iterator[list[Item]]) -> Iterator[Done]:
    """A thread speaks with the other process; this one reads whenever that has enough, and what it has not begun."""
    given: deque[tuple[Future[list[Done]], list[Item]]] = deque()
    thread = ThreadPoolExecutor(1, "waypoint-reader")
    try:
        for chunk in chunks:
            while given and given[0][0].done():
                yield from _taken(store, *given.popleft())
            if len(given) < _AHEAD:
                given.append((thread.submit(other.read, store, chunk), chunk))
            else:
                yield from read_chunk(store, chunk)
        while given:
            if given[-1][0].cancel():
                yield from read_chunk(store, given.pop()[1])
            else:
                yield from _taken(store, *given.popleft())
    finally:
        other.close()
        thread.shutdown(cancel_futures=True)


def _taken(store: Store, future: "Future[list[Done]]", chunk: list[Item]) -> list[Done]:
    """The other process's result; if it died, its share is read here."""
    try:
        return future.result()
    except DiedError:
        return read_chunk(store, chunk)


def _files(chunk: list[Item]) -> int:
    return sum(len(task.listing.files) for _, tasks in chunk for task in tasks)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in groups of some hundred files: small enough to share evenly, large enough to be worth a message."""
    chunk: list[Item] = []
    files = 0
    for item in items:
        chunk.append(item)
        files += _files([item])
        if files >= _CHUNK_FILES:
            yield chunk
            chunk, files = [], 0
    if chunk:
        yield chunk
