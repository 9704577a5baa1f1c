"""What follows for a whole run from its folders and checkpoints: series, findings, and the numbers of its row. Pure."""

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.catalog.rows import bounded, to_us
from core.catalog.writes import KnownFolder
from core.health.rules import finding
from core.health.runs import judge_run
from core.health.state import judge_state, target
from core.model import Checkpoint, Finding, Format, Severity, StateFile
from core.scan.series import arrange, median_interval

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Settings that decide a run's status, seconds."""

    live_window: float
    stale_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as it goes into the catalog."""

    row: dict[str, object]
    checkpoints: tuple[Checkpoint, ...]
    findings: tuple[Finding, ...]


def prefixes(checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
    """What TensorFlow's state files can name: bundles that have an index, and V1 files."""
    return frozenset(item.path for item in checkpoints if item.format in (Format.TF_BUNDLE, Format.TF_V1))


def wanted_prefixes(states: Sequence[StateFile], root_path: str) -> frozenset[str]:
    """Every prefix inside the root that some state files name, or would name if their run had been moved here."""
    written = [(state, path) for state in states for path in (state.latest, *state.history) if path]
    inside = {target(state, path, root_path) for state, path in written}
    here = {posixpath.join(posixpath.dirname(state.path), posixpath.basename(path)) for state, path in written}
    return frozenset(path for path in inside | here if path is not None)


def turning_points(changed_us: int | None, interval: float | None, ages: Ages) -> tuple[int, int]:
    """Until when a run is live and from when it is stale, by its last change and its median save interval (seconds)."""
    alive_us = int(max(ages.live_window, 3 * (interval or 0)) * SECOND_US)
    return (changed_us or 0) + alive_us, (changed_us or 0) + int(ages.stale_after * SECOND_US)


def roll_up(
    root: str,
    run: str,
    folders: Sequence[KnownFolder],
    checkpoints: Sequence[Checkpoint],
    root_path: str,
    existing: Collection[str],
    ages: Ages,
) -> RunRecord:
    """Everything about one run. `existing` holds at least those prefixes that its state files name and that exist."""
    series = arrange(checkpoints)
    members = tuple(item for one in series for item in one)
    found = [found for item in members for found in item.findings]
    for folder in folders:
        found += [finding for state in folder.states for finding in judge_state(state, root_path, existing)]
        found += [finding(item.rule, item.path, item.reason) for item in folder.leftovers if not item.writing]
    found += judge_run(run, series)
    counts = {severity: sum(item.severity is severity for item in found) for severity in Severity}
    changed_us = max((folder.newest_ns for folder in folders), default=0) // 1000 or None
    intervals = [gap for one in series if (gap := median_interval(one)) is not None]
    interval = min(intervals, default=None)
    live_until_us, stale_from_us = turning_points(changed_us, interval, ages)
    steps = [one[-1].facts.step.value for one in series if one[-1].facts.step is not None]
    row: dict[str, object] = {
        "root": root,
        "path": run,
        "checkpoints": len(members),
        "restorable": sum(item.restorable for item in members),
        "series": len(series),
        "bytes": bounded(sum(folder.bytes for folder in folders)),
        "leftover_bytes": bounded(
            sum(file.size for folder in folders for item in folder.leftovers if not item.writing for file in item.files)
        ),
        "newest_step": max(steps, default=None),
        "last_saved_us": max((to_us(item.saved_at) for item in members), default=None),
        "changed_us": changed_us,
        "median_interval": interval,
        "live_until_us": live_until_us,
        "stale_from_us": stale_from_us,
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "infos": counts[Severity.INFO],
    }
    return RunRecord(row=row, checkpoints=members, findings=tuple(found))
