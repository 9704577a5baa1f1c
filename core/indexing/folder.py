"""A scan's unit of work: one folder's listing, and what is known of it, to records. Plain, picklable, run anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.base.ages import is_young
from core.base.files import FileStat, Held, Listing, Problem
from core.base.records import Checkpoint, Finding, Health, Leftover, Severity, StateFile
from core.formats import state_file
from core.formats.bundle import BundleCache
from core.formats.reading import Ahead, read_ahead, read_unit
from core.formats.registry import spec_of
from core.formats.spec import Group, Unit
from core.health import files as file_rules
from core.indexing.held import NOTHING_HELD, held_instead
from core.indexing.leftovers import leftovers
from core.indexing.renamed import renamed_copies
from core.indexing.reread import ReadBefore, Reread, named_anew
from core.indexing.save_times import dated, saved_at
from core.indexing.surroundings import OF_SURROUNDINGS, with_surroundings
from core.indexing.unsettled import Suspects, looks, suspects
from core.runs.group import Groups, group
from core.runs.walk import look, signature
from core.stores.store import Store
from core.sweeps.reading import read_trial
from core.sweeps.records import Trial
from waypoint_resume.file_names import read_name
from waypoint_resume.names import join, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTask:
    """What the work needs: the root's id, the run, a listing, what is known of the folder, the time, the grace (ns),
    and which readers read it before.
    """

    root: str
    run: str
    listing: Listing
    known: tuple[Checkpoint, ...]
    now_ns: int
    grace_ns: int
    before: ReadBefore = field(default_factory=ReadBefore)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderResult:
    """What the work found. `recheck`: something was being written, look again next time though nothing changed.
    `reread` of the `parsed` were known from an older reader; `read_by` are the readers of all, divided by blanks.
    """

    listing: Listing
    signature: str
    checkpoints: tuple[Checkpoint, ...]
    states: tuple[StateFile, ...]
    leftovers: tuple[Leftover, ...]
    problems: tuple[Problem, ...]
    parsed: int
    reused: int
    recheck: bool
    trial: Trial | None = None
    held: Held = NOTHING_HELD
    reread: int = 0
    read_by: str = ""


def read_folder(store: Store, task: FolderTask, cache: BundleCache | None = None) -> FolderResult:
    """Read what changed in a folder. One bad file never hides the rest.

    What is judged broken becomes a finding if it stayed exactly so in further looks, and else counts as being written;
    what went away while it was read is looked for again. `cache` only saves time: what is in it was read from equal
    bytes.
    """
    cache = BundleCache() if cache is None else cache
    result = _read_once(store, task, cache)
    broken, vanished = _suspects(result), _vanished(result)
    if not broken and not vanished:
        return result
    for _ in looks(task.listing, broken, task.now_ns, vanished=vanished):
        again = _look_again(store, task.listing)
        if again is None:
            break
        if vanished or signature(again) != result.signature:
            known = tuple(item for item in result.checkpoints if not item.findings)
            result = _read_once(store, replace(task, listing=again, known=known), cache)
        now = _suspects(result)
        broken, vanished = {key: seen for key, seen in broken.items() if now.get(key) == seen}, _vanished(result)
        if not broken and not vanished:
            break
    return _withheld(replace(result, recheck=result.recheck or result.listing is not task.listing), broken)


def _suspects(result: FolderResult) -> Suspects:
    return suspects(result.checkpoints, result.leftovers, result.states)


def _vanished(result: FolderResult) -> bool:
    return len(result.problems) > len(result.listing.problems)


def _look_again(store: Store, listing: Listing) -> Listing | None:
    """The folder as it is now, empty where it is gone (a save's temporary one); None where it cannot be listed."""
    try:
        return look(store, listing.folder)
    except FileNotFoundError:
        return replace(listing, files=(), subfolders=(), problems=())
    except OSError:
        return None


def _withheld(result: FolderResult, settled: Suspects) -> FolderResult:
    """What did not stay as it was judged is being written: no finding yet, and looked at again next time."""
    now = _suspects(result)
    moving = {path for (kind, path), seen in now.items() if settled.get((kind, path)) != seen}
    if not moving:
        return result
    return replace(
        result,
        checkpoints=tuple(
            item._replace(findings=(), health=Health.WRITING) if item.findings and item.path in moving else item
            for item in result.checkpoints
        ),
        leftovers=tuple(replace(item, writing=True) if item.path in moving else item for item in result.leftovers),
        states=tuple(replace(item, writing=True) if item.path in moving else item for item in result.states),
        recheck=True,
    )


def _read_once(store: Store, task: FolderTask, cache: BundleCache) -> FolderResult:
    listing = task.listing
    groups = group(listing)
    states = tuple(state_file.read(store, listing.folder, file) for file in groups.states)
    if any(spec_of(one.format).in_state_files for one in groups.checkpoints):
        states += tuple(state_file.others(store, listing.folder, groups.others))
    named = {state_file.base_of(path) for state in states for path in (state.latest or "", *state.history)}
    times = {name: time for state in states for name, time in state_file.times_by_name(state).items()}
    known = {(item.path, item.files): item for item in task.known}
    problems = list(listing.problems)
    checkpoints: list[Checkpoint] = []
    reused = parsed = 0
    again = Reread(task.before)
    ahead = _read_ahead(store, listing.folder, groups, known)
    for one in groups.checkpoints:
        path = join(listing.folder, one.name) if one.name else listing.folder
        old = known.get((path, one.files))
        if old is not None and _is_settled(old) and again.keeps(one.format, old):
            checkpoints.append(dated(_kept(store, task, one, old), times))
            reused += 1
            continue
        if old is None and again.stays_foreign(one.format):
            continue
        again.reads(one.format)
        try:
            made = _checkpoint(store, task, one, cache, named, ahead)
        except FileNotFoundError:
            problems.append(Problem(path=to_text(path), problem="went away while it was read"))
            continue
        parsed += 1
        if made is not None:
            checkpoints.append(dated(made, times))
    left = leftovers(listing, groups, task.now_ns, task.grace_ns)
    left += (copies := tuple(renamed_copies(store, listing.folder, listing.files, groups)))
    writing = any(item.health is Health.WRITING for item in checkpoints) or any(item.writing for item in left)
    is_plain = not checkpoints and len(left) == len(copies)
    held = held_instead(store, listing.folder, listing.files) if is_plain else NOTHING_HELD
    return FolderResult(
        listing=listing,
        signature=signature(listing),
        checkpoints=tuple(checkpoints),
        states=states,
        leftovers=left,
        problems=tuple(problems),
        parsed=parsed,
        reused=reused,
        reread=again.count,
        read_by=again.readers,
        held=held,
        recheck=writing or len(problems) > len(listing.problems),
        trial=read_trial(store, listing.folder, {file.name for file in listing.files}),
    )


def _kept(store: Store, task: FolderTask, one: Group, old: Checkpoint) -> Checkpoint:
    """A checkpoint whose files stayed, as its folder, its name and the rules are now."""
    old = named_anew(old) if task.before.is_renamed else old
    facts = with_surroundings(store, task.listing, one, old.facts)
    moment, source = saved_at(one, facts, task.listing)
    kept = old._replace(run=task.run, facts=facts, saved_at=moment, saved_at_source=source)
    return kept._replace(findings=file_rules.judge(old.path, old.format, facts))


def _read_ahead(
    store: Store, folder: str, groups: Groups, known: Mapping[tuple[str, tuple[FileStat, ...]], Checkpoint]
) -> Ahead | None:
    """What worker processes read, where that is more than one file."""
    fresh = [
        path
        for one in groups.checkpoints
        if spec_of(one.format).in_workers and (path := join(folder, one.name), one.files) not in known
    ]
    return read_ahead(store, fresh) if len(fresh) > 1 else None


def _checkpoint(
    store: Store,
    task: FolderTask,
    one: Group,
    cache: BundleCache,
    named: set[str],
    ahead: Ahead | None,
) -> Checkpoint | None:
    folder = task.listing.folder
    path = join(folder, one.name) if one.name else folder
    files = {file.name: file for file in one.files}
    unit = Unit(folder=folder, name=one.name, path=path, format=one.format, files=files)
    reading = read_unit(store, unit, cache, is_named=one.name in named, ahead=ahead)
    if reading is None:
        return None
    facts = with_surroundings(store, task.listing, one, reading.facts)
    findings: tuple[Finding, ...] = file_rules.judge(path, reading.format, facts)
    name = read_name(path.rpartition("/")[2])
    newest = max((file.mtime_ns for file in one.files), default=max(time for _, time in task.listing.folder_times))
    writing = bool(findings) and is_young(newest, task.now_ns, task.grace_ns)
    moment, source = saved_at(one, facts, task.listing)
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
        restorable=file_rules.is_restorable(reading.format, findings),
        health=Health.WRITING if writing else health_of(findings),
        stem=name.stem,
        metric=_metric(reading.metrics) or name.metric,
        read_by=task.before.present.get(one.format, ""),
    )


def _is_settled(item: Checkpoint) -> bool:
    """Whether another reading of the same files would find the same."""
    was_explained = item.facts.problem is not None and item.facts.problem.kind in OF_SURROUNDINGS
    return item.health is not Health.WRITING and not was_explained


def _metric(stored: Mapping[str, float]) -> tuple[str, float] | None:
    """The one of stored metrics that stands for a checkpoint: one of validation before another, then by name."""
    ranked = sorted(stored.items(), key=lambda item: (not item[0].startswith("val_"), item[0]))
    return ranked[0] if ranked else None


def health_of(findings: Sequence[Finding]) -> Health:
    """The worst finding above info."""
    if not findings:
        return Health.OK
    worst = max(finding.severity.rank for finding in findings)
    return {Severity.ERROR.rank: Health.ERROR, Severity.WARNING.rank: Health.WARNING}.get(worst, Health.OK)
