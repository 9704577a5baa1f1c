"""Rules that time alone brings about: a run in which nothing happens any more, checkpoints that nobody needs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from core.base.records import Checkpoint, Finding
from core.health.rules import finding


def judge_age(run: str, changed: datetime, now: datetime, stale_after: timedelta) -> Iterable[Finding]:
    """The finding about a run whose last change was at a moment."""
    if changed <= now - stale_after:
        yield finding("stale-run", run, f"No file in it has changed since {_day(changed)}.")


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
            yield finding("stale-checkpoint", item.path, f"Saved on {_day(item.saved_at)}, superseded since.")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
