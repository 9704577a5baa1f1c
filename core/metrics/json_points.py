"""Points out of JSON objects that tell a step or an epoch and numbers beside it."""

from __future__ import annotations

from collections.abc import Mapping

from core.formats.json_values import flat
from core.metrics.columns import SeriesBuilder
from core.metrics.limits import DEEPEST
from core.metrics.parameters import bounded
from core.metrics.x_names import as_wall_time, clock_in, counters_in
from core.runs.trial_names import RAY_OWN_RESULTS


def number(value: object) -> float | None:
    """A number, also one that is not finite; None for every other value, and for a truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if isinstance(value, int) and abs(value) < 1 << 63 else float(value)
    except OverflowError:
        return None


def add_object(builder: SeriesBuilder, found: Mapping[str, object], mark: str = "/") -> bool:
    """Add an object's numbers, inner ones under names joined by a mark; False where it tells no step and no epoch. What
    Ray and Weights & Biases add for themselves is no metric.
    """
    counter = next(((name, kind) for name, kind in counters_in(found) if is_finite(found[name])), None)
    if counter is None:
        return False
    x_name, kind = counter
    x = number(found[x_name])
    clock = clock_in(found)
    wall = as_wall_time(number(found[clock]) if clock is not None else None)
    told = {key: value for key, value in found.items() if key not in (x_name, clock) and _may_be_metric(key)}
    for name, value in flat(told, depth=DEEPEST, mark=mark):
        measured = number(value)
        if measured is not None and x is not None:
            builder.add(bounded(name), kind, x, measured, wall)
    return True


def is_finite(value: object) -> bool:
    """Whether a value can be a step or an epoch."""
    found = number(value)
    return found is not None and abs(found) < 1 << 63


def _may_be_metric(name: str) -> bool:
    return name not in RAY_OWN_RESULTS and not name.startswith("_")
