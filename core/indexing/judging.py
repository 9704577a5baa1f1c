"""Every rule over one run, in one place: its checkpoints, leftovers and state files to findings. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.base.records import Checkpoint, Finding, Health
from core.catalog.known_folders import KnownFolder
from core.catalog.rows import to_us
from core.health.aging import judge_age, judge_superseded, superseded
from core.health.files import is_restorable
from core.health.left import judge_leftovers
from core.health.listing import judge_listing, lone_variables
from core.health.runs import DELETED_RUN, judge_run
from core.health.state import judge_state
from core.health.subject import Subjects, identity
from core.health.verified import CHECKSUM_MISMATCH, NON_FINITE, Verified, judge_verified
from core.indexing.checkpoints import health_of
from core.runfolder.decisions import Decisions
from waypoint_resume.names import to_text

# TensorFlow raises DataLossError for the one, and of the other no training comes back.
_REFUSED = frozenset({CHECKSUM_MISMATCH.id, NON_FINITE.id})

Series = Sequence[Sequence[Checkpoint]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run as its rules see it; `existing` holds at least those prefixes that its state files name and that exist.
    `changed` is its last change, None where nothing in it has a time; `is_deleted`: MLflow marks it so; within `grace`
    a save may still be going on.
    """

    run: str
    root_path: str
    folders: Sequence[KnownFolder]
    series: Series
    existing: Collection[str]
    changed: datetime | None
    is_deleted: bool = False
    grace: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Findings of a run: all, and those that are not about one checkpoint's own files; and when time alone will bring
    another (µs since the epoch).
    """

    findings: tuple[Finding, ...]
    further: tuple[Finding, ...]
    turns_us: int | None


def with_verification(item: Checkpoint, verified: Mapping[tuple[str, str], Verified]) -> Checkpoint:
    """A checkpoint with what its verification found, as long as its files are those that were verified.

    Its findings are those about its files alone; whether it is restorable follows anew, for it may have been kept with
    the result of a former verification.
    """
    if item.health is Health.WRITING:
        return item
    result = verified.get((item.path, item.format.value)) if verified else None
    bad = judge_verified(item.path, result) if result is not None and result.identity == identity(item.files) else ()
    restorable = is_restorable(item.format, item.findings) and not any(one.rule in _REFUSED for one in bad)
    if not bad and restorable == item.restorable:
        return item
    return item._replace(findings=(*item.findings, *bad), restorable=restorable)


def judge(facts: RunFacts, decisions: Decisions, now: datetime, stale_after: timedelta) -> Judgement:
    """All findings of a run; those that people accepted bear the note."""
    members = [item for one in facts.series for item in one]
    states = [state for folder in facts.folders for state in folder.states]
    leftovers = [item for folder in facts.folders for item in folder.leftovers]
    own = [one for item in members for one in item.findings]
    found: list[Finding] = []
    for state in states:
        found += judge_state(state, facts.root_path, facts.existing)
    found += judge_leftovers(leftovers)
    found += judge_run(facts.run, facts.series, leftovers)
    found += judge_listing(facts.series, states, facts.root_path)
    if facts.changed is not None:
        found += judge_age(facts.run, facts.changed, now, stale_after)
    if facts.is_deleted:
        found.append(DELETED_RUN.finding(facts.run, "MLflow marks it, or its experiment, as deleted."))
    lone, fresh = lone_variables(members, now - facts.grace)
    found += lone
    superseded_ones = _superseded_unpinned(facts, decisions)
    found += judge_superseded(superseded_ones, now, stale_after)
    every = own + found
    if decisions.accepted:
        every = list(_accepted(every, decisions, facts.run, Subjects(members, leftovers, states).identity))
    moments = [item.saved_at for item in superseded_ones] + ([] if facts.changed is None else [facts.changed])
    ahead = [moment for moment in moments if moment > now - stale_after]
    turns = [moment + stale_after for moment in ahead] + [moment + facts.grace for moment in fresh]
    turns_us = to_us(min(turns)) if turns else None
    return Judgement(findings=tuple(every), further=tuple(found), turns_us=turns_us)


def with_health(series: Series, further: Iterable[Finding]) -> tuple[Checkpoint, ...]:
    """The members with the health that follows from their own findings and from further ones about them."""
    about: dict[str, list[Finding]] = {}
    for one in further:
        if one.severity.rank:
            about.setdefault(one.path, []).append(one)
    return tuple(_with_worst_health(item, about.get(item.path, ())) for members in series for item in members)


def _with_worst_health(item: Checkpoint, about: Sequence[Finding]) -> Checkpoint:
    if item.health is Health.WRITING:
        return item
    health = health_of((*item.findings, *about))
    return item if item.health is health else item._replace(health=health)


def _superseded_unpinned(facts: RunFacts, decisions: Decisions) -> list[Checkpoint]:
    if decisions.pinned is None:
        return []
    before = 0 if facts.run == "." else len(facts.run) + 1
    is_pinned = {(item, form) for item, form in decisions.pinned}
    return [
        item
        for one in facts.series
        for item in superseded(one)
        if not is_pinned or (to_text(item.path[before:]) or ".", item.format.value) not in is_pinned
    ]


def _accepted(
    found: Iterable[Finding], decisions: Decisions, run: str, subject: Callable[[Finding], str]
) -> Iterable[Finding]:
    before = 0 if run == "." else len(run) + 1
    for one in found:
        known = decisions.accepted.get((one.rule, to_text(one.path[before:]) or "."))
        is_same = known is not None and known.identity == subject(one)
        yield replace(one, accepted=known.note) if known is not None and is_same else one
