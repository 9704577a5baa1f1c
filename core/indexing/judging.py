"""Every rule over one run, in one place: its checkpoints, leftovers and state files to findings. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.base.records import Checkpoint, Finding, Health
from core.catalog.rows import to_us
from core.health.files import is_restorable
from core.health.rules import OF_RUNS, WITH_TIME
from core.health.run_facts import RunFacts
from core.health.subject import Subjects, identity
from core.health.verified import CHECKSUM_MISMATCH, NON_FINITE, Verified, judge_verified
from core.indexing.checkpoints import health_of
from core.runfolder.decisions import Decisions

# TensorFlow raises DataLossError for the one, and of the other no training comes back.
_REFUSED = frozenset({CHECKSUM_MISMATCH.id, NON_FINITE.id})

Series = Sequence[Sequence[Checkpoint]]


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


def judge(facts: RunFacts, decisions: Decisions) -> Judgement:
    """All findings of a run; those that people accepted bear the note."""
    members = facts.members
    found = tuple(one for module in OF_RUNS for one in module.findings(facts))
    every = [one for item in members for one in item.findings] + list(found)
    if decisions.accepted:
        subjects = Subjects(members, facts.leftovers, facts.states)
        every = [_with_acceptance(one, facts, decisions, subjects) for one in every]
    turns = min((moment for module in WITH_TIME for moment in module.due(facts)), default=None)
    return Judgement(findings=tuple(every), further=found, turns_us=None if turns is None else to_us(turns))


def _with_acceptance(one: Finding, facts: RunFacts, decisions: Decisions, subjects: Subjects) -> Finding:
    known = decisions.accepted.get((one.rule, facts.name_of(one.path)))
    return one if known is None or known.identity != subjects.identity(one) else replace(one, accepted=known.note)


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
