"""Reading many folders with the help of a second process.

A pass that reads little stays in one process: starting another takes about half a second.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from threading import RLock

from core.formats.bundle import BundleCache
from core.fs.storage import Storage
from core.index.folder import FolderResult, FolderTask, read_folder

PROCESSES = 2  # this one and one more
_WORTHWHILE = 4_000  # files to read below which one process is faster
_CHUNK_FILES = 400
_AHEAD = 16  # chunks that wait for the other process: it goes on while this one writes to the catalog
_WITH_IT = 2  # chunks that it has: one that it reads, and the next
_cache = BundleCache()  # equal parses are shared between all folders that a process reads

Item = tuple[str, Sequence[FolderTask]]
Done = tuple[str, list[FolderResult]]


def read_all(storage: Storage, items: Iterable[Item]) -> Iterator[Done]:
    """Read the folders of each item (a name and its tasks) and yield the items as they get done, in no order.

    `items` is taken as it is needed. Should the other process die, this one reads what it had.
    """
    chunks = _chunks(items)
    first: list[list[Item]] = []
    while sum(map(_files, first)) < _WORTHWHILE and (chunk := next(chunks, None)) is not None:
        first.append(chunk)
    if sum(map(_files, first)) < _WORTHWHILE:
        for chunk in first:
            yield from _read_chunk(storage, chunk)
    else:
        yield from _read_shared(storage, chain(first, chunks))


class _Helper:
    """The other process: a few chunks are with it, more wait for it and can be taken back.

    No future is cancelled for that: should the process die then, concurrent.futures would never answer the rest.
    """

    def __init__(self, executor: ProcessPoolExecutor, storage: Storage) -> None:
        self.sent: deque[tuple[Future[list[Done]], list[Item]]] = deque()
        self._executor, self._storage = executor, storage
        self._waiting: deque[list[Item]] = deque()
        self._lock, self._busy, self._alive = RLock(), 0, True

    def give(self, chunk: list[Item]) -> bool:
        """Hand a chunk over; False where it has enough, or is dead."""
        if not self._alive or len(self._waiting) >= _AHEAD:
            return False
        self._waiting.append(chunk)
        self._send()
        return True

    def take_back(self) -> list[Item] | None:
        """The last chunk that it has not got yet."""
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def _send(self) -> None:
        with self._lock:
            while self._alive and self._busy < _WITH_IT and self._waiting:
                try:
                    future = self._executor.submit(_read_chunk, self._storage, self._waiting[0])
                except RuntimeError:  # it died, or the pass was stopped
                    self._alive = False
                    return
                self._busy += 1
                self.sent.append((future, self._waiting.popleft()))
                future.add_done_callback(self._answered)

    def _answered(self, future: "Future[list[Done]]") -> None:
        if isinstance(future.exception(), BrokenProcessPool):
            self._alive = False  # without the lock: the pool holds its own while it says so
            return
        with self._lock:
            self._busy -= 1
            self._send()


def _read_shared(storage: Storage, chunks: Iterator[list[Item]]) -> Iterator[Done]:
    with ProcessPoolExecutor(PROCESSES - 1, mp_context=multiprocessing.get_context("spawn")) as executor:
        helper = _Helper(executor, storage)
        for chunk in chunks:
            while helper.sent and helper.sent[0][0].done():
                yield from _taken(storage, *helper.sent.popleft())
            if not helper.give(chunk):
                yield from _read_chunk(storage, chunk)
        while (left := helper.take_back()) is not None:
            yield from _read_chunk(storage, left)
        while helper.sent:
            yield from _taken(storage, *helper.sent.popleft())


def _taken(storage: Storage, future: "Future[list[Done]]", chunk: list[Item]) -> list[Done]:
    """The other process's result; if it died, its share is read here."""
    try:
        return future.result()
    except BrokenProcessPool:
        return _read_chunk(storage, chunk)


def _read_chunk(storage: Storage, chunk: list[Item]) -> list[Done]:
    return [(name, [read_folder(storage, task, _cache) for task in tasks]) for name, tasks in chunk]


def _files(chunk: list[Item]) -> int:
    return sum(len(task.listing.files) for _, tasks in chunk for task in tasks)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in groups of a few hundred files: small enough to share evenly, large enough to be worth a message."""
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
