"""One pass over one root: find what changed, read it, and bring the catalog up to it.

First the walk, which compares each folder with what the catalog knows; then the runs, which follow from all folders
together; then, run by run, the reading and the writing in transactions of some thousand checkpoints, so that pages fill
while a large root is read for the first time.
"""

import contextlib
import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine

from core.catalog import sweeps, writes
from core.catalog.writes import KnownFolder
from core.formats.state_file import is_foreign
from core.fs.storage import Storage
from core.health import files as file_rules
from core.index.beside import Bearings
from core.index.changes import Changes, find_changes
from core.index.folder import FolderResult, FolderTask, read_folder
from core.index.options import SECOND_NS, Options, Progress
from core.index.outside import standing
from core.index.ranking import rank_sweeps
from core.index.reader_pool import Readers
from core.index.reader_process import Item
from core.index.rollup import RunRecord, roll_up
from core.model import Checkpoint, Finding, Health, Listing, Problem
from core.scan import walk
from core.scan.discover import deepest_run, find_runs
from core.scan.state_files import prefixes, wanted_prefixes
from core.sweeps.records import Trial
from waypoint_resume.names import to_text

_BATCH = 2_000  # checkpoints of one transaction
_NEW_OBJECTS = 50_000  # between two looks of the garbage collector
_OUTSIDE = ""  # the name of what lies in no run; a run is never called so, the root's is '.'


def refresh_root(
    engine: Engine, storage: Storage, root: str, root_path: str, options: Options, progress: Progress
) -> None:
    """One pass. OSError when the root itself cannot be listed; anything below it becomes a problem of the progress."""
    with engine.connect() as connection:
        known = writes.load_folders(connection, root)
    progress.expected = len(known) or None
    now_ns = storage.now_ns()
    beside = Bearings.load(engine, root, root_path, options, now_ns)
    with contextlib.closing(Readers()) as readers, _calm_collector():
        changes = find_changes(storage, known, options, now_ns, progress, readers.expect)
        _Pass(engine, storage, root, root_path, options, now_ns, known, beside, changes, progress, readers).write()
        progress.changed |= rank_sweeps(engine, storage, root, changes.folders.keys())
    progress.problems.extend(problem for folder in changes.folders.values() for problem in folder.problems)


@contextlib.contextmanager
def _calm_collector() -> Iterator[None]:
    """Let the garbage collector look less often: a pass makes records by the hundred thousand and no cycles, and going
    through them again and again takes a tenth of its time.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _NEW_OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(slots=True)
class _Batch:
    """What one transaction writes."""

    folders: list[KnownFolder] = field(default_factory=list)
    old_rows: list[dict[str, Any]] = field(default_factory=list)
    records: list[RunRecord] = field(default_factory=list)
    trials: dict[str, Trial | None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(len(record.checkpoints) for record in self.records)


@dataclass(slots=True)
class _Pass:
    """The second half of a pass."""

    engine: Engine
    storage: Storage
    root: str
    root_path: str
    options: Options
    now_ns: int
    known: dict[str, KnownFolder]
    beside: Bearings
    changes: Changes
    progress: Progress
    readers: Readers
    old_rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write(self) -> None:
        """Read what changed and write it, run by run."""
        self._settle_doubts()
        by_run = self._dirty_runs()
        left = self._left_runs()
        if self.changes.retimed:
            with self.engine.begin() as connection:
                writes.store_times(connection, self.root, (self.changes.folders[one] for one in self.changes.retimed))
        if not (by_run or left or self.changes.gone):
            return
        self.progress.changed = True
        with self.engine.begin() as connection:
            writes.delete_folders(connection, self.root, self.changes.gone)
            sweeps.forget_trials(connection, self.root, self.changes.gone)
            writes.delete_runs(connection, self.root, left)
        batch = _Batch()
        for run, results in self.readers.read_all(self.storage, self._items(by_run)):
            self._add(batch, run, by_run[run], results)
            self.progress.step()
            if batch.size >= _BATCH:
                self._flush(batch)
                batch = _Batch()
        self._flush(batch)

    def _left_runs(self) -> set[str]:
        """Runs that are no more, and those that lose folders to others: a kill before their new row is written must
        not leave the old one, for the next pass makes anew only what it misses.
        """
        folders = self.changes.folders
        before = {path: known.run for path, known in self.known.items() if known.run is not None}
        left = {run for path, run in before.items() if path in folders and folders[path].run != run}
        return left | (set(before.values()) - {folder.run for folder in folders.values()})

    def _settle_doubts(self) -> None:
        """Read those folders first whose units may be other tools' files: only content tells whether they are units."""
        for path in self.changes.doubtful:
            listing = self._listing(path)
            if listing is not None and _is_foreign(read_folder(self.storage, self._task(listing, "", ()))):
                self.changes.folders[path] = self.changes.folders[path]._replace(has_units=False)
            self.progress.step()

    def _dirty_runs(self) -> dict[str, list[str]]:
        """The folders of every run in which anything changed; sets each folder's run."""
        folders = self.changes.folders
        runs = find_runs(
            (path for path, item in folders.items() if item.has_units),
            (path for path, item in folders.items() if item.has_folder_unit),
            (path for path, item in folders.items() if item.is_marker),
            self.options.run_pattern,
            (path for path, item in folders.items() if item.is_named),
        )
        by_run: dict[str, list[str]] = {}
        dirty = {self.known[path].run or _OUTSIDE for path in self.changes.gone}
        dirty |= {run or "." for run in runs} - self.beside.settled(folders, self.storage)
        for path, item in folders.items():
            place = deepest_run(path, runs)
            run = None if place is None else place or "."
            before = self.known.get(path)
            if path in self.changes.to_read or before is None or before.run != run:
                dirty |= {run or _OUTSIDE, (before.run if before else run) or _OUTSIDE}
                if run is None:  # outside of runs a folder stands for itself
                    by_run.setdefault(_OUTSIDE, []).append(path)
            if run is not None:
                by_run.setdefault(run, []).append(path)
            if item.run != run:
                folders[path] = item._replace(run=run)
        return {run: paths for run, paths in by_run.items() if run in dirty}

    def _items(self, by_run: dict[str, list[str]]) -> Iterator[Item]:
        """The folders to read, run by run, with the checkpoints that are known of them."""
        for run, paths in by_run.items():
            rows = []
            if any(path in self.known for path in paths):
                with self.engine.connect() as connection:
                    rows = writes.load_checkpoints(connection, self.root, paths)
            self.old_rows[run] = rows
            known = _by_folder(rows) if rows else {}
            listings = (self._listing(path) for path in paths if path in self.changes.to_read)
            yield run, [self._task(one, run, known.get(one.folder, ())) for one in listings if one is not None]

    def _listing(self, path: str) -> Listing | None:
        """The walk's listing, or a new one where it was not kept; None where the folder went away."""
        listing = self.changes.to_read[path]
        if listing is None:
            try:
                listing = walk.look(self.storage, path)
            except OSError as error:
                self.progress.problems.append(Problem(path=to_text(path), problem=error.strerror or str(error)))
        return listing

    def _task(self, listing: Listing, run: str, known: tuple[Checkpoint, ...]) -> FolderTask:
        grace_ns = int(self.options.write_grace * SECOND_NS)
        return FolderTask(root=self.root, run=run, listing=listing, known=known, now_ns=self.now_ns, grace_ns=grace_ns)

    def _add(self, batch: _Batch, run: str, paths: Sequence[str], results: Iterable[FolderResult]) -> None:
        rows = self.old_rows.pop(run)
        folders, members = self.changes.folders, _unread(rows, self.changes.to_read.keys(), run)
        for result in results:
            path = result.listing.folder
            folders[path] = _settled(folders[path], result)
            batch.trials[path] = result.trial
            members += result.checkpoints
            self.progress.parsed += result.parsed
            self.progress.reused += result.reused
            self.progress.checkpoints += len(result.checkpoints)
        own = [folders[path] for path in paths]
        batch.folders += own
        batch.old_rows += rows
        if run != _OUTSIDE:
            batch.records.append(self._record(run, own, members))

    def _record(self, run: str, folders: Sequence[KnownFolder], members: Sequence[Checkpoint]) -> RunRecord:
        existing = prefixes(members)
        wanted = wanted_prefixes([state for folder in folders for state in folder.states], self.root_path) - existing
        there = standing(self.storage, wanted)
        beside = self.beside.of(run, self.changes.folders, self.progress.problems)
        beside = replace(beside, outside={path: path in there for path in wanted})
        return roll_up(self.root, run, folders, members, self.root_path, existing | there, self.options.ages, beside)

    def _flush(self, batch: _Batch) -> None:
        with self.engine.begin() as connection:
            writes.store_folders(connection, self.root, batch.folders, self.known.keys())
            sweeps.store_read(connection, self.root, batch.trials)
            members = (item for record in batch.records for item in record.checkpoints)
            writes.store_checkpoints(connection, batch.old_rows, members)
            writes.store_runs(connection, self.root, [(record.row, record.findings) for record in batch.records])


def _is_foreign(result: FolderResult) -> bool:
    """Whether all that looked like units in a folder is other tools'."""
    return not result.checkpoints and all(is_foreign(state) for state in result.states)


def _by_folder(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[Checkpoint, ...]]:
    found: dict[str, list[Checkpoint]] = {}
    for item in writes.checkpoints_of(rows):
        found.setdefault(item.folder, []).append(item)
    return {folder: tuple(items) for folder, items in found.items()}


def _unread(rows: Sequence[dict[str, Any]], read: Iterable[str], run: str) -> list[Checkpoint]:
    """Known checkpoints of the folders that need not be read, judged anew from their facts."""
    skipped = {to_text(path) for path in read} if rows else set()
    items = writes.checkpoints_of(row for row in rows if row["folder"] not in skipped)
    return [item._replace(run=run, findings=_judged(item)) for item in items]


def _judged(item: Checkpoint) -> tuple[Finding, ...]:
    return () if item.health is Health.WRITING else file_rules.judge(item.path, item.format, item.facts)


def _settled(folder: KnownFolder, result: FolderResult) -> KnownFolder:
    """A folder's record after it was read."""
    return folder._replace(
        signature=result.signature,
        states=result.states,
        leftovers=result.leftovers,
        problems=result.problems,
        recheck=result.recheck,
        links=result.listing.outside,
        inner_links=result.listing.inner_links,
        kinds=result.held.kinds,
        endings=result.held.endings,
    )
