"""The learning rate that stands after a restore, where the job's script and the checkpoint have different ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

# Callbacks that set the rate by themselves: what the script made its optimizer with tells nothing of what it wants now.
_SETTING = frozenset({"LearningRateScheduler", "ReduceLROnPlateau"})


def told_rate(
    script: Sequence[float], file: Sequence[float], now: Sequence[float], overrides: Mapping[str, Any]
) -> str | None:
    """Which of two learning rates stands, as a sentence with both and the way to the other one; None where they are
    one, or where somebody has said by an override which.

    `script` are the rates with which the job made its optimizers, `file` those of the checkpoint (none where they are
    not told), `now` those that stand.
    """
    if "learning_rate" in overrides or len(script) != len(now):
        return None
    if pairs := _different(now, script):
        own, theirs = pairs
        return f"{_shown(own)}, as the checkpoint says, not the script's {_shown(theirs)}{_way(theirs, 'keep')}"
    if len(file) == len(now) and (pairs := _different(now, file)):
        own, theirs = pairs
        return f"{_shown(own)}, as the script says; the checkpoint's was {_shown(theirs)}{_way(theirs, 'take')}"
    return None


def _different(one: Sequence[float], other: Sequence[float]) -> tuple[list[float], list[float]] | None:
    pairs = dict.fromkeys((a, b) for a, b in zip(one, other) if not math.isclose(a, b, rel_tol=1e-6))
    return ([a for a, _ in pairs], [b for _, b in pairs]) if pairs else None


def _shown(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:.6g}" for rate in rates)


def _way(rates: Sequence[float], verb: str) -> str:
    """How to have the other one, where there is only one."""
    if len(rates) != 1:
        return ""
    return f" (handed over with the override learning_rate={rates[0]:.6g}, the job would {verb} that one)"


def sets_rate(state: Mapping[str, Any] | None, callbacks: Sequence[Any]) -> bool:
    """Whether a callback sets the rate, in the training whose state this is, or among the job's own."""
    records = (state or {}).get("callbacks")
    kinds = [one.get("class") for one in records or () if isinstance(one, Mapping)]
    names = [str(kind).rpartition(".")[2] for kind in kinds] + [type(item).__name__ for item in callbacks]
    return not _SETTING.isdisjoint(names)
