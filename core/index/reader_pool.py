"""Reading many folders with the help of a second process.

A pass that reads little stays in one process: starting another takes about half a second.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain

from core.formats.bundle import BundleCache
from core.fs.storage import Storage
from core.index.folder import FolderResult, FolderTask, read_folder

PROCESSES = 2  # this one and one more
_WORTHWHILE = 4_000  # files to read below which one process is faster
_CHUNK_FILES = 400
_AHEAD = 16  # chunks given to the other process in advance: it goes on while this one writes to the catalog
_cache = BundleCache()  # equal parses are shared between all folders that a process reads

Item = tuple[str, Sequence[FolderTask]]
Done = tuple[str, list[FolderResult]]
_Share = tuple["Future[list[Done]]", list[Item]]


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


def _read_shared(storage: Storage, chunks: Iterator[list[Item]]) -> Iterator[Done]:
    helped: deque[_Share] = deque()
    with ProcessPoolExecutor(PROCESSES - 1, mp_context=multiprocessing.get_context("spawn")) as executor:
        alive = True
        for chunk in chunks:
            while helped and helped[0][0].done():
                alive, done = _taken(storage, *helped.popleft())
                yield from done
            share = _hand_over(executor, storage, chunk) if alive and len(helped) < _AHEAD else None
            if share is None:
                yield from _read_chunk(storage, chunk)
            else:
                helped.append(share)
        while helped:  # what the other process has not begun is taken back, from the far end
            if helped[-1][0].cancel():
                yield from _read_chunk(storage, helped.pop()[1])
            else:
                yield from _taken(storage, *helped.popleft())[1]


def _hand_over(executor: ProcessPoolExecutor, storage: Storage, chunk: list[Item]) -> "_Share | None":
    try:
        return executor.submit(_read_chunk, storage, chunk), chunk
    except BrokenProcessPool:
        return None


def _taken(storage: Storage, future: "Future[list[Done]]", chunk: list[Item]) -> tuple[bool, list[Done]]:
    """The other process's result, and whether it is still alive; if not, its share is read here."""
    try:
        return True, future.result()
    except BrokenProcessPool:
        return False, _read_chunk(storage, chunk)


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
