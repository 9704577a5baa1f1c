"""Values from which no training comes back: NaN, and infinities that the job's own fresh objects do not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

SHOWN = 3  # names of a list that are told


def non_finite_names(values: Iterable[tuple[str, Any, Callable[[], Any]]]) -> list[str]:
    """Return the names of arrays that hold such values, from (name, the file's array, the job's own array of now).

    An infinity that stands in the job's own array at the same place is meant, as in a mask; NaN never is.
    """
    import numpy as np

    found = []
    for name, theirs, own in values:
        array = np.asarray(theirs)
        try:
            bad = ~np.isfinite(array)
        except TypeError:  # whole numbers of a kind of their own, strings
            continue
        if bad.any() and (np.isnan(array).any() or not np.isinf(np.asarray(own())[bad]).all()):
            found.append(name)
    return found


def told_non_finite(names: list[str]) -> str:
    """Return what is wrong with a checkpoint that holds such values, as the end of a sentence."""
    rest = len(names) - SHOWN
    return f"holds NaN or infinite values in {', '.join(names[:SHOWN])}" + (f" and {rest} more" if rest > 0 else "")
