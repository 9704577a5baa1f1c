"""One group of files as a checkpoint: read anew, or kept as it is known."""

from collections.abc import Mapping, Sequence

from core.base.ages import is_young
from core.base.files import FileStat
from core.base.records import Checkpoint, Finding, Health, Severity
from core.formats.bundle import BundleCache
from core.formats.reading import Ahead, read_ahead, read_unit
from core.formats.registry import spec_of
from core.formats.spec import Group, Unit
from core.health import files as file_rules
from core.indexing.folder_records import FolderTask
from core.indexing.reread import named_anew
from core.indexing.save_times import saved_at
from core.indexing.surroundings import OF_SURROUNDINGS, with_surroundings
from core.runs.group import Groups
from core.stores.store import Store
from waypoint_resume.file_names import read_name
from waypoint_resume.names import join


def kept_checkpoint(store: Store, task: FolderTask, one: Group, old: Checkpoint) -> Checkpoint:
    """A checkpoint whose files stayed, as its folder, its name and the rules are now."""
    old = named_anew(old) if task.before.is_renamed else old
    facts = with_surroundings(store, task.listing, one, old.facts)
    moment, source = saved_at(one, facts, task.listing)
    kept = old._replace(run=task.run, facts=facts, saved_at=moment, saved_at_source=source)
    return kept._replace(findings=file_rules.judge(old.path, old.format, facts))


def read_ahead_of(
    store: Store, folder: str, groups: Groups, known: Mapping[tuple[str, tuple[FileStat, ...]], Checkpoint]
) -> Ahead | None:
    """What worker processes read, where that is more than one file."""
    fresh = [
        path
        for one in groups.checkpoints
        if spec_of(one.format).in_workers and (path := join(folder, one.name), one.files) not in known
    ]
    return read_ahead(store, fresh) if len(fresh) > 1 else None


def new_checkpoint(
    store: Store,
    task: FolderTask,
    one: Group,
    cache: BundleCache,
    named: set[str],
    ahead: Ahead | None,
) -> Checkpoint | None:
    """A checkpoint read from its files; None where they are another tool's. FileNotFoundError where one went away."""
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


def is_settled(item: Checkpoint) -> bool:
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
