"""Rules that time alone brings about: a run in which nothing happens any more, checkpoints that nobody needs."""

from collections.abc import Iterable
from datetime import UTC, datetime

from core.base.records import Checkpoint, Finding, Severity
from core.health.rule import Family, Rule
from core.health.run_facts import RunFacts

STALE_RUN = Rule(
    id="stale-run",
    family=Family.RUN,
    severity=Severity.INFO,
    meaning="Nothing in the run has changed for a long time.",
    why="It is finished, or it was given up.",
    action="Nothing. If it is not needed any more, it is a place to free disk.",
)
STALE_CHECKPOINT = Rule(
    id="stale-checkpoint",
    family=Family.RUN,
    severity=Severity.INFO,
    meaning="Old and superseded: neither the latest, nor the best, nor pinned.",
    why="Nothing deletes it: TensorFlow rotates only what its state file lists.",
    action="Nothing. A retention policy can let it go.",
)
RULES = (
    STALE_RUN,
    STALE_CHECKPOINT,
)


def findings(facts: RunFacts) -> Iterable[Finding]:
    """The finding about a run whose last change is long ago, and those about superseded checkpoints that are old."""
    until = facts.now - facts.stale_after
    if facts.changed is not None and facts.changed <= until:
        yield STALE_RUN.finding(facts.run, f"No file in it has changed since {_day(facts.changed)}.")
    for item in _superseded(facts):
        if item.saved_at <= until:
            yield STALE_CHECKPOINT.finding(item.path, f"Saved on {_day(item.saved_at)}, superseded since.")


def due(facts: RunFacts) -> Iterable[datetime]:
    """When the run, or one of its superseded checkpoints, will be old."""
    moments = [item.saved_at for item in _superseded(facts)] + ([] if facts.changed is None else [facts.changed])
    return (moment + facts.stale_after for moment in moments if moment > facts.now - facts.stale_after)


def _superseded(facts: RunFacts) -> list[Checkpoint]:
    """The complete checkpoints that are neither pinned nor the latest of their series nor the best by the metric in
    their names (the lowest and the highest: which is better stands nowhere).
    """
    if facts.pinned is None:
        return []
    found: list[Checkpoint] = []
    for series in facts.series:
        whole = [item for item in series if item.restorable]
        values = [item.metric[1] for item in whole if item.metric is not None]
        best = {min(values), max(values)} if values else set()
        found += [
            item
            for item in whole
            if not (item.is_latest or item.is_latest_restorable)
            and (item.metric is None or item.metric[1] not in best)
            and not (facts.pinned and (facts.name_of(item.path), item.format.value) in facts.pinned)
        ]
    return found


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
