"""One pass over one root: find what changed, read it, and bring the catalog up to it.

First the walk, which compares each folder with what the catalog knows; then the runs, which follow from all folders;
then, run by run, reading and writing in transactions of some thousand checkpoints, so that pages fill meanwhile.
"""

import contextlib
import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from sqlalchemy import Engine

from core.base.files import Listing, Problem
from core.base.records import Checkpoint
from core.catalog import sweeps, writes
from core.catalog.known_folders import KnownFolder, delete_folders, load_folders, store_times
from core.catalog.metric_files import SeenFile, told_by
from core.indexing.batch import Batch, calm_collector
from core.indexing.changes import Changes, Seen, find_changes
from core.indexing.due_runs import OUTSIDE, due_runs, left_runs
from core.indexing.existing_prefixes import existing_prefixes
from core.indexing.folder import read_folder
from core.indexing.folder_records import FolderResult, FolderTask
from core.indexing.known import by_folder, is_all_foreign, settled, unread
from core.indexing.metric_finder import MetricFinder
from core.indexing.metric_pass import note_metric_files
from core.indexing.name_levels import name_levels
from core.indexing.options import SECOND_NS, Options, Progress
from core.indexing.pass_context import PassContext
from core.indexing.ranking import rank_sweeps
from core.indexing.reader_pool import Readers
from core.indexing.reader_process import Item
from core.indexing.reread import ReadBefore
from core.indexing.rollup import RunRecord, roll_up
from core.runs import walk
from core.runs.group import group
from core.runs.state_files import prefixes, wanted_prefixes
from core.stores.store import Store
from waypoint_resume.names import to_text

_BATCH = 2_000  # checkpoints of one transaction
_KEPT = 20_000  # checkpoints of folders that were read to settle a doubt; of more, folders are read once again


def refresh_root(engine: Engine, store: Store, root: str, root_path: str, options: Options, progress: Progress) -> None:
    """One pass. OSError when the root itself cannot be listed; anything below it becomes a problem of the progress."""
    with engine.connect() as connection:
        known = load_folders(connection, root)
        tells_all = bool(known) and told_by(connection, root) != options.metrics_told_by
    progress.expected = len(known) or None
    now_ns = store.now_ns()
    context = PassContext.load(engine, root, root_path, options, now_ns)
    options = replace(options, deep=options.deep or tells_all)
    with contextlib.closing(Readers()) as readers, calm_collector():
        changes = find_changes(store, known, options, now_ns, progress, readers.expect, tells_all=tells_all)
        _Pass(engine, store, root, root_path, options, now_ns, known, context, changes, progress, readers).write()
        progress.changed |= rank_sweeps(engine, store, root, changes.folders.keys())
    progress.changed |= name_levels(engine, root, options.layout, has_changed=progress.changed)
    progress.waiting = sum(not options.stamp.is_read(folder.read_by) for folder in changes.folders.values())
    progress.problems.extend(problem for folder in changes.folders.values() for problem in folder.problems)


@dataclass(slots=True)
class _Pass:
    """The second half of a pass."""

    engine: Engine
    store: Store
    root: str
    root_path: str
    options: Options
    now_ns: int
    known: dict[str, KnownFolder]
    context: PassContext
    changes: Changes
    progress: Progress
    readers: Readers
    old_rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settled: dict[str, FolderResult] = field(default_factory=dict)
    reread: set[str] = field(default_factory=set)
    only_outdated: Collection[str] = ()
    reread_until: float = math.inf
    has_reread: bool = False

    def write(self) -> None:
        """Read what changed and write it, run by run."""
        if self.options.reread_seconds is not None:
            self.reread_until = time.monotonic() + self.options.reread_seconds
        self._settle_doubts()
        folders = self.changes.folders
        due = due_runs(self.known, self.changes, self.options.run_pattern, self.context.settled(folders, self.store))
        by_run, self.only_outdated, left = due.folders, due.only_outdated, left_runs(self.known, folders)
        if self.changes.retimed:
            with self.engine.begin() as connection:
                store_times(connection, self.root, (self.changes.folders[one] for one in self.changes.retimed))
        seen = self._metric_files(due.moved, left)
        if not (by_run or left or self.changes.gone or seen):
            return
        self.progress.changed = True
        with self.engine.begin() as connection:
            delete_folders(connection, self.root, self.changes.gone)
            sweeps.forget_trials(connection, self.root, self.changes.gone)
            writes.forget_runs(connection, self.root, left)
            note_metric_files(connection, self.root, folders, seen, self.changes.gone, self.options)
        batch = Batch(self.root, self.known.keys(), self.options.projects)
        for run, results in self.readers.read_all(self.store, self._items(by_run)):
            self._add(batch, run, by_run[run], results)
            self.progress.step()
            if batch.size >= _BATCH:
                batch.write(self.engine)
                batch = Batch(self.root, self.known.keys(), self.options.projects)
        batch.write(self.engine)

    def _metric_files(self, moved: Iterable[str], left: Collection[str]) -> dict[str, tuple[SeenFile, ...]]:
        """The files that tell metrics, by folder: of folders that changed, that went to another run, or whose run is
        forgotten and made anew.
        """
        found, finder = dict(self.changes.metric_files), MetricFinder(self.store)
        again = [path for path, folder in self.changes.folders.items() if folder.run in left] if left else []
        for path in {*moved, *again}.difference(found, self.changes.to_read):
            with contextlib.suppress(OSError):
                listing = walk.look(self.store, path)
                found[path] = finder.files(listing, group(listing))
        return found

    def _settle_doubts(self) -> None:
        """Read those folders first whose units may be other tools' files: only content tells whether they are units."""
        kept = 0
        for path in self.changes.doubtful:
            seen = self._seen(path)
            if seen is not None:
                known = by_folder(self._rows([path])).get(path, ())
                result = read_folder(self.store, self._task(seen, "", known))
                if is_all_foreign(result):
                    self.changes.folders[path] = self.changes.folders[path]._replace(has_units=False)
                if kept <= _KEPT:
                    self.settled[path] = result
                    kept += len(result.checkpoints)
            self.progress.step()

    def _items(self, by_run: dict[str, list[str]]) -> Iterator[Item]:
        """The folders to read, run by run, with the checkpoints that are known of them."""
        for run, paths in by_run.items():
            if run in self.only_outdated and not self._may_reread():
                continue
            rows = self._rows(paths)
            self.old_rows[run] = rows
            known = by_folder(rows) if rows else {}
            fresh = [path for path in paths if path in self.changes.to_read and path not in self.settled]
            seen = (one for path in fresh if (one := self._seen(path)) is not None)
            again = self._seen_again(paths) if self.changes.outdated else ()
            yield run, [self._task(one, run, known.get(one.listing.folder, ())) for one in chain(seen, again)]

    def _rows(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of the checkpoints that are known in some folders."""
        if not any(path in self.known for path in paths):
            return []
        with self.engine.connect() as connection:
            return writes.load_checkpoints(connection, self.root, paths)

    def _may_reread(self) -> bool:
        return not self.has_reread or time.monotonic() < self.reread_until

    def _seen_again(self, paths: Iterable[str]) -> Iterator[Seen]:
        """Unchanged folders that an older reader read, the newest first, as long as there is time to read them, too.
        What came to them since the walk is the next pass's.
        """
        now = time.monotonic()
        end = now + max(self.reread_until - now, 0) / 2
        outdated = [self.changes.folders[path] for path in paths if path in self.changes.outdated]
        for folder in sorted(outdated, key=lambda one: -one.newest_ns):
            if self.has_reread and time.monotonic() >= end:
                return
            with contextlib.suppress(OSError):
                listing = walk.look(self.store, folder.path)
                if walk.signature(listing) == folder.signature:
                    self.reread.add(folder.path)
                    yield Seen(listing, None)

    def _seen(self, path: str) -> Seen | None:
        """What the walk saw, or a new listing where that was not kept; None where the folder went away."""
        seen = self.changes.to_read[path]
        if seen is None:
            try:
                seen = Seen(walk.look(self.store, path), None)
            except OSError as error:
                self.progress.problems.append(Problem(path=to_text(path), problem=error.strerror or str(error)))
        return seen

    def _task(self, seen: Seen, run: str, known: tuple[Checkpoint, ...]) -> FolderTask:
        return FolderTask(
            root=self.root,
            run=run,
            listing=seen.listing,
            groups=seen.groups,
            known=known,
            now_ns=self.now_ns,
            grace_ns=int(self.options.write_grace * SECOND_NS),
            before=self._before(seen.listing, known),
        )

    def _before(self, listing: Listing, known: Iterable[Checkpoint]) -> ReadBefore:
        stamp, old = self.options.stamp, self.known.get(listing.folder)
        if old is None:
            return ReadBefore(present=stamp.readers)
        is_same = bool(old.read_by) and not old.recheck and old.signature == walk.signature(listing)
        least = 0
        if not self.has_reread:
            is_old = not stamp.is_read(old.read_by) or any(item.read_by not in stamp.present for item in known)
            least, self.has_reread = int(is_old), is_old
        return ReadBefore(
            present=stamp.readers,
            known=frozenset(old.read_by.split()) if is_same else frozenset(),
            is_renamed=old.looked_by != stamp.looks,
            until=self.reread_until,
            least=least,
        )

    def _add(self, batch: Batch, run: str, paths: Sequence[str], results: Iterable[FolderResult]) -> None:
        rows = self.old_rows.pop(run)
        read = [path for path in paths if path in self.changes.to_read or path in self.reread]
        folders, members = self.changes.folders, unread(rows, read, run)
        before = (self.settled.pop(path) for path in read if path in self.settled)
        for result in chain(results, before):
            path = result.listing.folder
            folders[path] = settled(folders[path], result, self.options.stamp.looks)
            batch.trials[path] = result.trial
            members += (item._replace(run=run) for item in result.checkpoints)
            self.progress.parsed += result.parsed
            self.progress.reused += result.reused
            self.progress.reread += result.reread
            self.progress.checkpoints += len(result.checkpoints)
        own = [folders[path] for path in paths]
        batch.folders += own
        batch.old_rows += rows
        if run != OUTSIDE:
            self.progress.rejudged += self.context.is_rejudged(run)
            batch.records.append(self._record(run, own, members))

    def _record(self, run: str, folders: Sequence[KnownFolder], members: Sequence[Checkpoint]) -> RunRecord:
        existing = prefixes(members)
        wanted = wanted_prefixes([state for folder in folders for state in folder.states], self.root_path) - existing
        there = existing_prefixes(self.store, wanted)
        inputs = self.context.of(run, self.changes.folders, self.progress.problems)
        inputs = replace(inputs, outside={path: path in there for path in wanted})
        return roll_up(self.root, run, folders, members, self.root_path, existing | there, self.options.ages, inputs)
