"""What of a checkpoint is held against the points of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.base.records import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAt:
    """What of a checkpoint is held against points: its step, the epochs that were done, its attempt in its series,
    when it was saved (seconds since 1970; None where save times are not to be believed), what its job recorded with it,
    and the metric in its name.
    """

    step: int | None = None
    epochs_done: int | None = None
    attempt: int = 1
    attempts: int = 1
    time: float | None = None
    recorded: tuple[tuple[str, float], ...] = ()
    named: tuple[str, float] | None = None

    @classmethod
    def of(cls, item: Checkpoint, *, attempts: int, has_times: bool, recorded: Mapping[str, float]) -> SavedAt:
        """That of a checkpoint of a series with so many attempts."""
        facts = item.facts
        return cls(
            step=None if facts.step is None else facts.step.value,
            epochs_done=_epochs_done(item),
            attempt=item.attempt,
            attempts=attempts,
            time=item.saved_at.timestamp() if has_times else None,
            recorded=tuple(recorded.items()),
            named=item.metric,
        )


def _epochs_done(item: Checkpoint) -> int | None:
    """Names of files count epochs from 1, as they are done; a folder of Orbax' that Keras named counts from 0."""
    epoch = item.facts.epoch
    if epoch is None:
        return None
    return epoch.value + 1 if epoch.is_from_0 else epoch.value
