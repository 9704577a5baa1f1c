"""Rules that time alone brings about: a run in which nothing happens any more, checkpoints that nobody needs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from core.base.records import Checkpoint, Finding, Severity
from core.health.rule import Family, Rule

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


def judge_age(run: str, changed: datetime, now: datetime, stale_after: timedelta) -> Iterable[Finding]:
    """The finding about a run whose last change was at a moment."""
    if changed <= now - stale_after:
        yield STALE_RUN.finding(run, f"No file in it has changed since {_day(changed)}.")


def superseded(series: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The complete members of a series (newest last) that are neither the latest nor the best by the metric in their
    names (the lowest and the highest: which is better stands nowhere).
    """
    whole = [item for item in series if item.restorable]
    values = [item.metric[1] for item in whole if item.metric is not None]
    best = {min(values), max(values)} if values else set()
    return [
        item
        for item in whole
        if not (item.is_latest or item.is_latest_restorable) and (item.metric is None or item.metric[1] not in best)
    ]


def judge_superseded(items: Sequence[Checkpoint], now: datetime, stale_after: timedelta) -> Iterable[Finding]:
    """Findings about superseded checkpoints that are old."""
    for item in items:
        if item.saved_at <= now - stale_after:
            yield STALE_CHECKPOINT.finding(item.path, f"Saved on {_day(item.saved_at)}, superseded since.")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
