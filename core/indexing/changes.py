"""The first half of a pass: walk a root and compare each folder with what the catalog knows of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from core.base.files import Listing, Problem
from core.catalog.known_folders import KnownFolder
from core.catalog.metric_files import SeenFile
from core.formats.registry import spec_of
from core.indexing.metric_finder import MetricFinder
from core.indexing.options import SECOND_NS, Options, Progress
from core.indexing.stamp import Stamp
from core.runs import walk
from core.runs.group import Groups, group
from core.runs.trial_names import trial_of_log
from core.stores.store import Store
from waypoint_resume.names import join, to_text

_KEPT_FILES = 200_000  # listings of more files than this are not kept between walk and reading, but made again


class Seen(NamedTuple):
    """A folder as it was listed, and what its files are by their names; None where the reader is to tell that."""

    listing: Listing
    groups: Groups | None


@dataclass(slots=True, kw_only=True)
class Changes:
    """Every folder that is there; those to read, as the walk saw them where that was kept; those of them whose units
    may be other tools' files; those whose times moved while what they list stayed; those that stayed and that an older
    reader read; the folders that are gone; the files that sources of metrics read, by folder, of those in which that
    was told; and those to read in which nothing but event files makes a run.
    """

    folders: dict[str, KnownFolder] = field(default_factory=dict)
    to_read: dict[str, Seen | None] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    retimed: list[str] = field(default_factory=list)
    outdated: set[str] = field(default_factory=set)
    gone: tuple[str, ...] = ()
    metric_files: dict[str, tuple[SeenFile, ...]] = field(default_factory=dict)
    only_events: set[str] = field(default_factory=set)


def find_changes(
    store: Store,
    known: dict[str, KnownFolder],
    options: Options,
    now_ns: int,
    progress: Progress,
    expect: Callable[[int], None],
    *,
    tells_all: bool = False,
) -> Changes:
    """Walk the root; `expect` is told how many files will have to be read. `tells_all`: which files tell metrics is
    told of unchanged folders, too.

    OSError where the root itself cannot be listed; below it, what is known of an unreadable folder stays and the
    problem is noted.
    """
    found = Changes()
    recent_ns = now_ns - int(options.ages.live_window * SECOND_NS)
    waiting, kept, finder = [""], 0, MetricFinder(store)
    while waiting:
        path = waiting.pop()
        old = known.get(path)
        progress.folders += 1
        progress.step()
        is_known = old is not None and _is_looked(old, options.stamp)
        if old is not None and is_known and not options.deep and _is_quiet(store, old, recent_ns):
            _keep(found, old, options.stamp)
            waiting.extend(join(path, name) for name in old.subfolders)
            continue
        try:
            listing = walk.look(store, path)
        except OSError as error:
            if not path:
                raise
            _keep_unseen(found, known, path, error, progress)
            continue
        waiting.extend(join(path, name) for name in listing.subfolders)
        mark = walk.signature(listing)
        if old is not None and is_known and _is_same(old, listing, mark):
            _keep(found, old, options.stamp)
            if old.times != listing.folder_times:  # else it would be listed again by every light pass
                found.folders[path] = old._replace(times=listing.folder_times)
                found.retimed.append(path)
            if tells_all:
                found.metric_files[path] = finder.files(listing, group(listing))
            continue
        groups = group(listing)
        if (files := finder.files(listing, groups)) or old is not None:
            found.metric_files[path] = files
        found.folders[path] = _noted(listing, mark, groups.has_units)
        found.only_events.update([path] if groups.has_only_events else [])
        if groups.has_units and groups.all_doubtful and not _is_shown(store, path, groups):
            found.doubtful.append(path)
        kept += len(listing.files)
        expect(len(listing.files))
        found.to_read[path] = Seen(listing, groups) if kept <= _KEPT_FILES else None
    _leave_out_logs_of_trials(found)
    found.gone = tuple(known.keys() - found.folders.keys())
    return found


def _keep_unseen(found: Changes, known: dict[str, KnownFolder], path: str, error: OSError, progress: Progress) -> None:
    """What is known of a folder that could not be listed stays; of one of which nothing is known and that is closed, it
    is noted that it is there.
    """
    if not isinstance(error, FileNotFoundError):
        progress.problems.append(Problem(path=to_text(path), problem=error.strerror or str(error)))
        below = f"{path}/"
        found.folders |= {name: item for name, item in known.items() if name == path or name.startswith(below)}
    if isinstance(error, PermissionError) and path not in known:
        listing = walk.closed(path, error)
        found.folders[path] = _noted(listing, walk.signature(listing), has_units=False)
        found.to_read[path] = Seen(listing, group(listing))


def _leave_out_logs_of_trials(found: Changes) -> None:
    """What a tuner lets a TensorBoard callback write of a trial beside it makes no run of its own."""
    trials = {path for path, folder in found.folders.items() if folder.is_marker} if found.only_events else set()
    for path in found.only_events:
        if trial_of_log(path, trials) is not None:
            found.folders[path] = found.folders[path]._replace(has_units=False)


def _is_looked(old: KnownFolder, stamp: Stamp) -> bool:
    """Whether another look would find the same in an unchanged folder. What no reader took for a checkpoint may be one
    to another reader, and its folder a run: that follows from looks alone.
    """
    return old.looked_by == stamp.looks and (old.has_units or stamp.is_read(old.read_by))


def _keep(found: Changes, old: KnownFolder, stamp: Stamp) -> None:
    found.folders[old.path] = old
    if not stamp.is_read(old.read_by):
        found.outdated.add(old.path)


def _is_same(old: KnownFolder, listing: Listing, mark: str) -> bool:
    return (
        not old.recheck
        and old.signature == mark
        and old.subfolders == listing.subfolders
        and (old.is_marker, old.is_named) == (listing.is_run_marker, listing.is_named_run)
    )


def _is_quiet(store: Store, old: KnownFolder, recent_ns: int) -> bool:
    """Whether a folder need not be listed: nothing in it is young, and no name in it came or went."""
    if old.recheck or old.problems or old.newest_ns > recent_ns or any(time > recent_ns for _, time in old.times):
        return False
    try:
        return all(store.folder_time(join(old.path, name) if name else old.path) == time for name, time in old.times)
    except OSError:
        return False


def _is_shown(store: Store, path: str, groups: Groups) -> bool:
    """Whether a short look shows one of the groups to be a checkpoint: then nothing is read ahead of the runs."""
    return any(spec_of(one.format).shows_itself(store, path, one) for one in groups.checkpoints)


def _noted(listing: Listing, mark: str, has_units: bool) -> KnownFolder:
    """A changed folder before it is read: by names alone, a folder that may hold units counts as one that does."""
    return KnownFolder(
        path=listing.folder,
        signature=mark,
        times=listing.folder_times,
        subfolders=listing.subfolders,
        newest_ns=max((file.mtime_ns for file in listing.files if file.name not in walk.OWN_FILES), default=0),
        has_units=has_units,
        has_folder_unit=bool(walk.folder_formats(listing)),
        is_marker=listing.is_run_marker,
        is_named=listing.is_named_run,
        recheck=False,
        bytes=sum(file.size for file in listing.files if file.name not in walk.OWN_FILES),
        states=(),
        leftovers=(),
        problems=listing.problems,
        links=listing.outside,
        inner_links=listing.inner_links,
        is_deleted=listing.is_deleted_run,
    )
