"""A scan's unit of work: one folder's listing, and what is known of it, to records. Plain, picklable, run anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from core.formats import file_names, hdf5, state_file
from core.formats.bundle import BundleCache
from core.formats.reading import IN_WORKERS, Ahead, Unit, read_ahead, read_unit
from core.fs.names import join, stem, to_text
from core.fs.storage import Storage
from core.health import files as file_rules
from core.model import (
    Checkpoint,
    Facts,
    FileStat,
    Finding,
    Format,
    Health,
    Leftover,
    Listing,
    Problem,
    SavedAtSource,
    Severity,
    StateFile,
)
from core.scan.group import Group, Groups, group
from core.scan.walk import look, signature

_SHOWN_FILES = 3
_AHEAD_NS = 86_400 * 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTask:
    """What the work needs: the root's id, the run, a listing, what is known of the folder, the time, the grace (ns)."""

    root: str
    run: str
    listing: Listing
    known: tuple[Checkpoint, ...]
    now_ns: int
    grace_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderResult:
    """What the work found. `recheck`: something was being written, look again next time though nothing changed."""

    listing: Listing
    signature: str
    checkpoints: tuple[Checkpoint, ...]
    states: tuple[StateFile, ...]
    leftovers: tuple[Leftover, ...]
    problems: tuple[Problem, ...]
    parsed: int
    reused: int
    recheck: bool


def read_folder(storage: Storage, task: FolderTask, cache: BundleCache | None = None) -> FolderResult:
    """Read what changed in a folder. One bad file never hides the rest. A group judged broken is listed once more.

    `cache` only saves time: what is in it was read from equal bytes.
    """
    cache = BundleCache() if cache is None else cache
    result = _read_once(storage, task, cache)
    if not _is_broken(result):
        return result
    try:
        again = look(storage, task.listing.folder)
    except OSError:
        return result
    if signature(again) == result.signature:
        return result
    known = tuple(item for item in result.checkpoints if not item.findings)
    return replace(_read_once(storage, replace(task, listing=again, known=known), cache), recheck=True)


def _is_broken(result: FolderResult) -> bool:
    return any(item.findings for item in result.checkpoints) or any(not item.writing for item in result.leftovers)


def _read_once(storage: Storage, task: FolderTask, cache: BundleCache) -> FolderResult:
    listing = task.listing
    groups = group(listing)
    states = tuple(state_file.read(storage, listing.folder, file) for file in groups.states)
    named = {path.rpartition("/")[2] for state in states for path in (state.latest or "", *state.history)}
    times = {name: time for state in states for name, time in state_file.times_by_name(state).items()}
    known = {(item.path, item.files): item for item in task.known}
    problems = list(listing.problems)
    checkpoints: list[Checkpoint] = []
    reused = parsed = 0
    beside = {file.name for file in listing.files}
    ahead = _read_ahead(storage, listing.folder, groups, known)
    for one in groups.checkpoints:
        path = join(listing.folder, one.name) if one.name else listing.folder
        old = known.get((path, one.files))
        if old is not None and old.health is not Health.WRITING:
            facts = _backup(storage, listing.folder, one.name, beside, old.facts)
            moment, source = _saved_at(one, facts)
            kept = old._replace(run=task.run, facts=facts, saved_at=moment, saved_at_source=source)
            checkpoints.append(_dated(kept._replace(findings=file_rules.judge(old.path, old.format, facts)), times))
            reused += 1
            continue
        try:
            made = _checkpoint(storage, task, one, cache, named, beside, ahead)
        except FileNotFoundError:
            problems.append(Problem(path=to_text(path), problem="went away while it was read"))
            continue
        parsed += 1
        if made is not None:
            checkpoints.append(_dated(made, times))
    leftovers = tuple(_leftovers(task, groups))
    writing = any(item.health is Health.WRITING for item in checkpoints) or any(item.writing for item in leftovers)
    return FolderResult(
        listing=listing,
        signature=signature(listing),
        checkpoints=tuple(checkpoints),
        states=states,
        leftovers=leftovers,
        problems=tuple(problems),
        parsed=parsed,
        reused=reused,
        recheck=writing or len(problems) > len(listing.problems),
    )


def _read_ahead(
    storage: Storage, folder: str, groups: Groups, known: Mapping[tuple[str, tuple[FileStat, ...]], Checkpoint]
) -> Ahead | None:
    """What worker processes read, where that is more than one file."""
    fresh = [
        path
        for one in groups.checkpoints
        if one.format in IN_WORKERS and (path := join(folder, one.name), one.files) not in known
    ]
    return read_ahead(storage, fresh) if len(fresh) > 1 else None


def _checkpoint(
    storage: Storage,
    task: FolderTask,
    one: Group,
    cache: BundleCache,
    named: set[str],
    beside: set[str],
    ahead: Ahead | None,
) -> Checkpoint | None:
    folder = task.listing.folder
    path = join(folder, one.name) if one.name else folder
    files = {file.name: file for file in one.files}
    unit = Unit(folder=folder, name=one.name, path=path, format=one.format, files=files)
    reading = read_unit(storage, unit, cache, is_named=one.name in named, ahead=ahead)
    if reading is None:
        return None
    facts = _backup(storage, folder, one.name, beside, reading.facts)
    findings: tuple[Finding, ...] = file_rules.judge(path, reading.format, facts)
    newest = max((file.mtime_ns for file in one.files), default=0)
    writing = bool(findings) and _is_young(newest, task)
    moment, source = _saved_at(one, facts)
    return Checkpoint(
        root=task.root,
        run=task.run,
        path=path,
        folder=folder,
        format=reading.format,
        files=one.files,
        saved_at=moment,
        saved_at_source=source,
        bytes=sum(file.size for file in one.files),
        facts=facts,
        findings=() if writing else findings,
        restorable=not findings,
        health=Health.WRITING if writing else health_of(findings),
        stem=stem(path.rpartition("/")[2]),
        metric=file_names.metric_from_name(path.rpartition("/")[2]),
    )


def _is_young(time_ns: int, task: FolderTask) -> bool:
    """Within the grace. A pass knows the time of its beginning, so that files may be newer; a day newer is no truth."""
    return task.now_ns - task.grace_ns < time_ns < task.now_ns + _AHEAD_NS


def health_of(findings: Sequence[Finding]) -> Health:
    """The worst finding above info."""
    if not findings:
        return Health.OK
    worst = max(finding.severity.rank for finding in findings)
    return {Severity.ERROR.rank: Health.ERROR, Severity.WARNING.rank: Health.WARNING}.get(worst, Health.OK)


def from_ns(nanoseconds: int) -> datetime:
    """An aware UTC datetime; times that datetime cannot hold become its bounds."""
    seconds = min(max(nanoseconds // 1_000_000_000, 0), 253_402_300_799)
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000 % 1_000_000)


def _saved_at(one: Group, facts: Facts) -> tuple[datetime, SavedAtSource]:
    if facts.saved_at is not None:
        return facts.saved_at, SavedAtSource.FORMAT
    if one.format is Format.TF_BUNDLE:  # written last, renamed into place
        return from_ns(one.files[0].mtime_ns), SavedAtSource.MTIME
    return from_ns(max((file.mtime_ns for file in one.files), default=0)), SavedAtSource.MTIME


def _dated(item: Checkpoint, times: dict[str, float]) -> Checkpoint:
    """A bundle's save time from the state file, where that tells it."""
    seconds = times.get(item.path.rpartition("/")[2]) if item.format is Format.TF_BUNDLE else None
    if seconds is None:
        return item
    return item._replace(saved_at=from_ns(int(seconds * 1e9)), saved_at_source=SavedAtSource.STATE_FILE)


def _backup(storage: Storage, folder: str, name: str, beside: set[str], facts: Facts) -> Facts:
    """The epoch that Keras 3's BackupAndRestore keeps beside its weights."""
    metadata = hdf5.BACKUPS.get(name)
    if metadata is None or metadata not in beside:
        return facts
    try:
        with storage.open(join(folder, metadata)) as file:
            return facts._replace(epoch=hdf5.backup_epoch(file.read(hdf5.MAX_METADATA), metadata))
    except OSError:
        return facts


def _leftovers(task: FolderTask, groups: Groups) -> list[Leftover]:
    found: list[Leftover] = []
    sources = (
        ("orphan-shard", groups.shards_only, "without an index"),
        ("interrupted-save", groups.temps, "from a save that did not finish"),
    )
    for rule, places, what in sources:
        for name, parts in places.items():
            young = _is_young(max(file.mtime_ns for file in parts), task)
            reason = f"{_listed(parts)} {what}: {sum(file.size for file in parts):,} bytes."
            path = join(task.listing.folder, name)
            found.append(Leftover(path=path, rule=rule, files=tuple(parts), reason=reason, writing=young))
    return found


def _listed(files: list[FileStat]) -> str:
    names = ", ".join(to_text(file.name.rpartition("/")[2]) for file in files[:_SHOWN_FILES])
    return names if len(files) <= _SHOWN_FILES else f"{names} and {len(files) - _SHOWN_FILES} more"
