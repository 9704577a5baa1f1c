"""What follows for a whole run from its folders and checkpoints: series, findings, and the numbers of its row. Pure."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from core.base.ages import Ages, turning_points
from core.base.records import Checkpoint, Finding, Severity
from core.catalog.known_folders import KnownFolder
from core.catalog.rows import bounded, from_us, to_us
from core.catalog.run_marks import outside_text
from core.health.run_facts import RunFacts
from core.health.verified import Verified
from core.indexing.judging import judge, with_health, with_verification
from core.runfolder.decisions import Decisions
from core.runfolder.tags import RunTags
from core.runs.remains import remains
from core.runs.series import arrange
from core.runs.series_order import median_interval
from core.search.folding import run_text
from waypoint_resume.names import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs:
    """What bears on a run's row beside its files: the time (µs since the epoch), what people decided and the state of
    those files, verifications by (path, format), which checkpoints that are none of its own its state files name, with
    whether they are there, until when its jobs wrote that are known to have ended (µs since the epoch), and which rules
    judge.
    """

    now_us: int
    decided: str = ""
    decisions: Decisions = field(default_factory=Decisions)
    verified: Mapping[tuple[str, str], Verified] = field(default_factory=dict)
    outside: Mapping[str, bool] = field(default_factory=dict)
    ended_us: int | None = None
    judged_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as it goes into the catalog."""

    row: dict[str, object]
    checkpoints: tuple[Checkpoint, ...]
    findings: tuple[Finding, ...]


def roll_up(
    root: str,
    run: str,
    folders: Sequence[KnownFolder],
    checkpoints: Sequence[Checkpoint],
    root_path: str,
    existing: Collection[str],
    ages: Ages,
    inputs: RunInputs,
) -> RunRecord:
    """Everything about one run. `existing` holds at least those prefixes that its state files name and that exist."""
    leftovers = [item for folder in folders for item in folder.leftovers]
    left = remains(checkpoints, leftovers)
    series = arrange([with_verification(item, inputs.verified) for item in checkpoints], left.values())
    changed_us = max((folder.newest_ns for folder in folders), default=0) // 1000 or None
    facts = RunFacts(
        run=run,
        root_path=root_path,
        series=series,
        states=[state for folder in folders for state in folder.states],
        leftovers=leftovers,
        existing=existing,
        changed=None if changed_us is None else from_us(changed_us),
        now=from_us(inputs.now_us),
        stale_after=timedelta(seconds=ages.stale_after),
        is_deleted=_is_deleted(run, folders),
        pinned=inputs.decisions.pinned,
        grace=timedelta(seconds=ages.write_grace),
    )
    judgement = judge(facts, inputs.decisions)
    members = with_health(series, judgement.further)
    return RunRecord(
        row={
            "root": root,
            "path": run,
            **_sizes(folders, members),
            **_times(series, changed_us, ages, inputs.ended_us),
            **_counts(judgement.findings),
            "series": len(series),
            "decided": inputs.decided,
            "outside": outside_text(inputs.outside),
            "turns_us": judgement.turns_us,
            "is_deleted": facts.is_deleted,
            "judged_by": inputs.judged_by,
            **_said(run, inputs.decisions.tags),
        },
        checkpoints=members,
        findings=judgement.findings,
    )


def _said(run: str, tags: RunTags) -> dict[str, object]:
    """What people said of a run, and all that a word of a search is looked for in."""
    best = tags.best_metric
    return {
        "tags": json.dumps(tags.tags) if tags.tags else "",
        "note": tags.note,
        "owner": tags.owner,
        "is_favourite": tags.favourite,
        "best_metric": None if best is None else best.name,
        "best_mode": None if best is None else best.mode.value,
        "search": run_text(to_text(run), tags.tags, tags.owner, tags.note),
    }


def _is_deleted(run: str, folders: Sequence[KnownFolder]) -> bool:
    own = "" if run == "." else run
    return any(folder.is_deleted for folder in folders if folder.path == own)


def _sizes(folders: Sequence[KnownFolder], members: Sequence[Checkpoint]) -> dict[str, object]:
    left = (file.size for folder in folders for item in folder.leftovers if not item.writing for file in item.files)
    return {
        "checkpoints": len(members),
        "restorable": sum(item.restorable for item in members),
        "bytes": bounded(sum(folder.bytes for folder in folders)),
        "leftover_bytes": bounded(sum(left)),
    }


def _times(
    series: Sequence[Sequence[Checkpoint]], changed_us: int | None, ages: Ages, ended_us: int | None
) -> dict[str, object]:
    intervals = [gap for one in series if (gap := median_interval(one)) is not None]
    interval = min(intervals, default=None)
    live_until_us, stale_from_us = turning_points(changed_us, interval, ages, ended_us)
    steps = [one[-1].facts.step.value for one in series if one[-1].facts.step is not None]
    return {
        "newest_step": max(steps, default=None),
        "last_saved_us": max((to_us(item.saved_at) for one in series for item in one), default=None),
        "changed_us": changed_us,
        "median_interval": interval,
        "live_until_us": live_until_us,
        "stale_from_us": stale_from_us,
    }


def _counts(findings: Sequence[Finding]) -> dict[str, object]:
    """Findings by severity; those that people accepted are a number of their own."""
    open_ = [item.severity for item in findings if item.accepted is None]
    return {
        "errors": open_.count(Severity.ERROR),
        "warnings": open_.count(Severity.WARNING),
        "infos": open_.count(Severity.INFO),
        "accepted": len(findings) - len(open_),
    }
