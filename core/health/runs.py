"""Rules over a whole run."""

from collections.abc import Iterable, Sequence

from core.fs.names import to_text
from core.health.rules import finding
from core.model import Checkpoint, Finding, Health


def judge_run(run: str, series: Sequence[Sequence[Checkpoint]]) -> Iterable[Finding]:
    """Findings about a run; each series is ordered, newest last."""
    members = [item for one in series for item in one]
    if not any(item.restorable for item in members):
        if members and not any(item.health is Health.WRITING for item in members):
            yield finding("nothing-restorable", run, f"None of {len(members)} checkpoints can be restored.")
        return
    for every in series:
        one = [item for item in every if item.health is not Health.WRITING]
        newest = one[-1] if one else None
        best = next((item for item in reversed(one) if item.restorable), None)
        if newest is not None and best is not None and best is not newest:
            yield finding("newest-not-restorable", newest.path, _lost(one, best))


def _lost(series: Sequence[Checkpoint], best: Checkpoint) -> str:
    newest = series[-1]
    saves = len(series) - 1 - list(series).index(best)
    if (
        newest.facts.step is not None
        and best.facts.step is not None
        and newest.facts.step.value > best.facts.step.value
    ):
        lost = f"{newest.facts.step.value - best.facts.step.value:,} steps"
    else:
        lost = f"{saves} {'save' if saves == 1 else 'saves'}"
    return f"The newest that can is {to_text(best.path)}: {lost} would be lost."
