"""One pass over one root: find what changed, read it, and bring the catalog up to it.

First the walk, which compares each folder with what the catalog knows; then the runs, which follow from all folders
together; then, run by run and in transactions of their own, the reading and the writing, so that pages fill while a
large root is read for the first time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Engine

from core.catalog import writes
from core.catalog.writes import KnownFolder
from core.errors import CoreError
from core.fs.names import to_text
from core.fs.storage import Storage
from core.health import files as file_rules
from core.index.folder import FolderResult, FolderTask, read_folder
from core.index.rollup import Ages, prefixes, roll_up, wanted_prefixes
from core.model import Checkpoint, Health, Listing, Problem
from core.scan import walk
from core.scan.discover import deepest_run, find_runs
from core.scan.group import group

_KEPT_FILES = 200_000  # listings of more files than this are not kept between walk and reading, but made again
_BATCH = 4_000  # checkpoints of one transaction
SECOND_NS = 1_000_000_000


class CancelledError(CoreError):
    """The pass was asked to stop; what was written so far stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a pass needs to know; times in seconds. `deep`: stat every file, also where no folder changed."""

    run_pattern: tuple[str, ...]
    write_grace: float
    ages: Ages
    deep: bool = True


@dataclass(slots=True)
class Progress:
    """Counts of a pass, for whoever watches; `expected` is the number of folders of the last pass."""

    folders: int = 0
    expected: int | None = None
    checkpoints: int = 0
    parsed: int = 0
    reused: int = 0
    changed: bool = False
    problems: list[Problem] = field(default_factory=list)
    step: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Walked:
    """The walk's result: every folder that is there, those to read (their listing, where kept), those of them whose units
    may be other tools' files, and what is gone."""

    folders: dict[str, KnownFolder]
    to_read: dict[str, Listing | None]
    doubtful: tuple[str, ...]
    gone: tuple[str, ...]


def refresh_root(engine: Engine, storage: Storage, root: str, root_path: str, options: Options, progress: Progress) -> None:
    """One pass. OSError when the root itself cannot be listed; anything below it becomes a problem of the progress."""
    with engine.connect() as connection:
        known = writes.load_folders(connection, root)
    progress.expected = len(known) or None
    now_ns = storage.now_ns()
    walked = _walk(storage, known, options, now_ns, progress)
    progress.problems.extend(problem for folder in walked.folders.values() for problem in folder.problems)
    if not walked.to_read and not walked.gone:
        return
    progress.changed = True
    task = _Pass(engine=engine, storage=storage, root=root, root_path=root_path, options=options, now_ns=now_ns)
    task.write(known, walked, progress)


def _walk(
    storage: Storage, known: dict[str, KnownFolder], options: Options, now_ns: int, progress: Progress
) -> _Walked:
    folders: dict[str, KnownFolder] = {}
    to_read: dict[str, Listing | None] = {}
    recent_ns = now_ns - int(options.ages.live_window * SECOND_NS)
    doubtful: list[str] = []
    waiting, kept = [""], 0
    while waiting:
        path = waiting.pop()
        old = known.get(path)
        progress.folders += 1
        progress.step()
        if old is not None and not options.deep and _is_quiet(storage, old, recent_ns):
            folders[path] = old
            waiting.extend(walk.join(path, name) for name in old.subfolders)
            continue
        try:
            listing = walk.look(storage, path)
        except OSError as error:
            if not path:
                raise
            if not isinstance(error, FileNotFoundError):
                progress.problems.append(Problem(path=to_text(path), problem=error.strerror or str(error)))
                folders |= {name: item for name, item in known.items() if name == path or name.startswith(f"{path}/")}
            continue
        waiting.extend(walk.join(path, name) for name in listing.subfolders)
        mark = walk.signature(listing)
        if old is not None and not old.recheck and old.signature == mark and old.is_marker == listing.is_run_marker:
            folders[path] = old if old.subfolders == listing.subfolders else replace(old, subfolders=listing.subfolders)
            if folders[path] is not old:
                to_read[path] = listing
            continue
        groups = group(listing)
        folders[path] = _noted(listing, mark, groups.has_units)
        if groups.has_units and groups.all_doubtful:
            doubtful.append(path)
        kept += len(listing.files)
        to_read[path] = listing if kept <= _KEPT_FILES else None
    gone = tuple(known.keys() - folders.keys())
    return _Walked(folders=folders, to_read=to_read, doubtful=tuple(doubtful), gone=gone)


def _is_quiet(storage: Storage, old: KnownFolder, recent_ns: int) -> bool:
    """Whether a folder need not be listed: nothing in it is young, and no name in it came or went."""
    if old.recheck or old.problems or old.newest_ns > recent_ns or any(time > recent_ns for _, time in old.times):
        return False
    try:
        return all(storage.folder_time(walk.join(old.path, name) if name else old.path) == time for name, time in old.times)
    except OSError:
        return False


def _noted(listing: Listing, mark: str, has_units: bool) -> KnownFolder:
    """A changed folder before it is read: by names alone, a folder that may hold units counts as one that does."""
    return KnownFolder(
        path=listing.folder,
        signature=mark,
        times=listing.folder_times,
        subfolders=listing.subfolders,
        newest_ns=max((file.mtime_ns for file in listing.files if file.name not in walk.OWN_FILES), default=0),
        has_units=has_units,
        has_folder_unit=walk.folder_units({file.name for file in listing.files}, listing.folder),
        is_marker=listing.is_run_marker,
        recheck=False,
        bytes=sum(file.size for file in listing.files),
        states=(),
        leftovers=(),
        problems=listing.problems,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """The second half of a pass: what is the same for every run of it."""

    engine: Engine
    storage: Storage
    root: str
    root_path: str
    options: Options
    now_ns: int

    def write(self, known: dict[str, KnownFolder], walked: _Walked, progress: Progress) -> None:
        """Read what changed and write it, run by run."""
        folders, results = walked.folders, self._read_doubtful(walked, progress)
        runs = find_runs(
            (path for path, item in folders.items() if item.has_units),
            (path for path, item in folders.items() if item.has_folder_unit),
            (path for path, item in folders.items() if item.is_marker),
            self.options.run_pattern,
        )
        by_run: dict[str | None, list[str]] = {}
        dirty: set[str | None] = set()
        for path, item in folders.items():
            place = deepest_run(path, runs)
            run = None if place is None else place or "."
            by_run.setdefault(run, []).append(path)
            before = known[path].run if path in known else None
            if path in walked.to_read or before != run:
                dirty |= {run, before}
            if item.run != run:
                folders[path] = replace(item, run=run)
        dirty |= {known[path].run for path in walked.gone}
        with self.engine.begin() as connection:
            writes.delete_folders(connection, self.root, walked.gone)
            writes.delete_runs(connection, self.root, [run for run in dirty if run is not None and run not in by_run])
        if None in by_run:  # outside of runs a folder stands for itself
            changed = set(walked.to_read)
            by_run[None] = [path for path in by_run[None] if path in changed or path not in known or known[path].run]
        waiting = [(run, by_run[run]) for run in sorted(dirty, key=lambda run: run or "") if run in by_run]
        while waiting:
            with self.engine.begin() as connection:
                written = 0
                while waiting and written < _BATCH:
                    run, paths = waiting.pop()
                    written += self._write_run(connection, run, paths, walked, results, progress)

    def _read_doubtful(self, walked: _Walked, progress: Progress) -> dict[str, FolderResult]:
        """Read those folders first whose units may be other tools' files: only content tells whether they are in a run."""
        results = {}
        for path in walked.doubtful:
            result = self._result(path, (), walked, progress)
            if result is not None and not result.checkpoints:
                walked.folders[path] = replace(walked.folders[path], has_units=False)
                results[path] = result
            progress.step()
        return results

    def _read(self, listing: Listing, known: tuple[Checkpoint, ...]) -> FolderResult:
        return read_folder(
            self.storage,
            FolderTask(
                root=self.root,
                listing=listing,
                known=known,
                now_ns=self.now_ns,
                grace_ns=int(self.options.write_grace * SECOND_NS),
            ),
        )

    def _write_run(
        self,
        connection: Connection,
        run: str | None,
        paths: Sequence[str],
        walked: _Walked,
        results: dict[str, FolderResult],
        progress: Progress,
    ) -> int:
        """Read a run's changed folders and write the whole run; returns how many checkpoints it has."""
        old_rows = writes.load_checkpoints(connection, self.root, paths)
        by_folder: dict[str, list[Checkpoint]] = {}
        for item in writes.checkpoints_of(old_rows):
            by_folder.setdefault(item.folder, []).append(item)
        members: list[Checkpoint] = []
        for path in paths:
            before = tuple(by_folder.get(path, ()))
            if path not in walked.folders:
                continue
            if path not in walked.to_read:
                members += [replace(item, findings=file_rules.judge(item.path, item.format, item.facts)) for item in before]
                continue
            result = results.get(path) or self._result(path, before, walked, progress)
            if result is None:
                continue
            members += result.checkpoints
            walked.folders[path] = _settled(walked.folders[path], result)
            progress.parsed += result.parsed
            progress.reused += result.reused
            progress.checkpoints += len(result.checkpoints)
            progress.step()
        writes.store_folders(connection, self.root, [walked.folders[path] for path in paths if path in walked.folders])
        if run is None:
            writes.store_checkpoints(connection, old_rows, ())
            return 1
        self._store(connection, run, [walked.folders[path] for path in paths if path in walked.folders], members, old_rows)
        return len(members) + 1

    def _result(
        self, path: str, known: tuple[Checkpoint, ...], walked: _Walked, progress: Progress
    ) -> FolderResult | None:
        listing = walked.to_read[path]
        if listing is None:
            try:
                listing = walk.look(self.storage, path)
            except OSError as error:
                progress.problems.append(Problem(path=to_text(path), problem=error.strerror or str(error)))
                del walked.folders[path]
                return None
        return self._read(listing, known)

    def _store(
        self,
        connection: Connection,
        run: str,
        folders: Sequence[KnownFolder],
        members: Iterable[Checkpoint],
        old_rows: Sequence[dict[str, object]],
    ) -> None:
        checkpoints = tuple(replace(item, run=run) if item.run != run else item for item in members)
        wanted = wanted_prefixes([state for folder in folders for state in folder.states], self.root_path)
        existing = prefixes(checkpoints)
        existing |= writes.known_prefixes(connection, self.root, wanted - existing)
        record = roll_up(self.root, run, folders, checkpoints, self.root_path, existing, self.options.ages)
        writes.store_checkpoints(connection, old_rows, record.checkpoints)
        writes.store_run(connection, record.row, record.findings)


def _settled(folder: KnownFolder, result: FolderResult) -> KnownFolder:
    """A folder's row after it was read; `recheck` also while something in it is being written."""
    return replace(
        folder,
        signature=result.signature,
        states=result.states,
        leftovers=result.leftovers,
        problems=result.problems,
        recheck=result.recheck or any(item.health is Health.WRITING for item in result.checkpoints),
    )
