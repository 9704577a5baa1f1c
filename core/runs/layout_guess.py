"""A guess at how the parts of runs' paths are called, where it is plain."""

from collections.abc import Sequence

from core.base.layout import Layout
from core.search.values import day_in

_MOST = 0.8  # of the runs: so many must have a part, and so many of its values be dates


def guess_layout(paths: Sequence[str]) -> Layout:
    """A part whose values are dates is the date; the first, where runs share its values, is the project."""
    split = [path.split("/") for path in paths]
    names: list[str | None] = []
    while True:
        depth = len(names)
        values = [parts[depth] for parts in split if len(parts) > depth + 1]
        if not values or len(values) < _MOST * len(split):
            break
        if "date" not in names and sum(day_in(value) is not None for value in values) >= _MOST * len(values):
            names.append("date")
        elif depth == 0 and 2 * len(set(values)) <= len(values):
            names.append("project")
        else:
            names.append(None)
    while names and names[-1] is None:
        names.pop()
    return Layout(above=tuple(names))
