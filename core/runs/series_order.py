"""What tells the order of a series' checkpoints: save times, dates in names, steps, or names. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Any

from core.base.names import natural_key
from core.base.records import Checkpoint, SavedAtSource
from core.runs.name_evidence import content_step, name_of, values
from waypoint_resume.moments import has_year, in_one_year

COPIED_WITHIN_NS = 2_000_000_000
_APART_S = 60.0  # a state file is written within a minute after the checkpoint that it names


def base_name(item: Checkpoint) -> str:
    """The last component of a checkpoint's path."""
    return item.path.rpartition("/")[2]


class Order(Enum):
    """What the order of a series follows."""

    TIMES = "save times"
    DATES = "dates in the names"
    STEPS = "steps"
    NAMES = "names"


def why_times_are_useless(members: Sequence[Checkpoint]) -> str | None:
    """Why save times do not tell the order, as a sentence's beginning; None where they do.

    A copied tree has the times of its copying: all within two seconds, or, where a state file or the format kept some
    true times, mtimes of the same checkpoints that are far from those.
    """
    if len(members) < 2 or all(item.saved_at_source is not SavedAtSource.MTIME for item in members):
        return None
    stamps = [max((file.mtime_ns for file in item.files), default=0) for item in members]
    if max(stamps) - min(stamps) <= COPIED_WITHIN_NS:
        return "All files were written within 2 seconds"
    told = [
        abs(stamp / 1e9 - item.saved_at.timestamp())
        for stamp, item in zip(stamps, members, strict=True)
        if item.saved_at_source is not SavedAtSource.MTIME
    ]
    if told and max(told) > _APART_S:
        if any(item.saved_at_source is SavedAtSource.FORMAT for item in members):
            return "The files' times are not those that the checkpoints tell"
        return "The files' times are not those in the state file"
    return None


def times_are_useless(members: Sequence[Checkpoint]) -> bool:
    """Whether save times do not tell the order."""
    return why_times_are_useless(members) is not None


def times_are_useful(members: Sequence[Checkpoint]) -> bool:
    """Whether save times tell the order."""
    return why_times_are_useless(members) is None


def order_of(members: Sequence[Checkpoint]) -> Order:
    """What tells the order of a series. A date in a name was written with it, while a file's time is that of its last
    copy: where all names have one, they tell, unless the format or a state file knows better.
    """
    has_times = times_are_useful(members)
    if has_times and all(item.saved_at_source is not SavedAtSource.MTIME for item in members):
        return Order.TIMES
    moments = {name_of(item).moment for item in members}
    is_dated = len(moments) > 1 and None not in moments
    if is_dated and not (has_times and any(moment is not None and not has_year(moment) for moment in moments)):
        return Order.DATES
    if has_times:
        return Order.TIMES
    known = sum(content_step(item) is not None for item in members)
    return Order.STEPS if known > 1 or known == len(members) else Order.NAMES


def ordered(members: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The newest last, by what `order_of` says; ties by save time or name."""
    order = order_of(members)
    by_name = sorted(members, key=_name_key)
    if order is Order.TIMES:
        return sorted(by_name, key=_saved_at)
    if order is Order.DATES:
        # Of those with one date, as that of their training's beginning, times tell, or steps in a copied tree.
        alike = _resorted(by_name, content_step) if times_are_useless(members) else sorted(by_name, key=_saved_at)
        dated = [(moment, item) for item in alike if (moment := name_of(item).moment) is not None]
        turned = in_one_year(moment for moment, _ in dated)
        return [item for _, item in sorted(dated, key=lambda pair: turned[pair[0]])]
    if order is Order.NAMES:
        return _resorted(by_name, _told_time)
    timed = _resorted(_resorted(by_name, content_step), _told_time)
    again = _resorted(timed, content_step)  # what times moved may stand against the steps of those that tell no time
    return again if _resorted(again, _told_time) == again else timed


def _saved_at(item: Checkpoint) -> datetime:
    return item.saved_at


def _told_time(item: Checkpoint) -> datetime | None:
    return None if item.saved_at_source is SavedAtSource.MTIME else item.saved_at


def _resorted(members: Sequence[Checkpoint], key: Callable[[Checkpoint], Any]) -> list[Checkpoint]:
    """Those of which a value is known in its order; whatever tells none, such as a damaged one, stays in its place."""
    rising = iter(sorted((item for item in members if key(item) is not None), key=key))
    return [item if key(item) is None else next(rising) for item in members]


def _name_key(item: Checkpoint) -> tuple[object, ...]:
    return (values(item), natural_key(base_name(item)))


def median_interval(members: Iterable[Checkpoint]) -> float | None:
    """The median seconds between two saves; None for fewer than two, or where times are useless."""
    items = sorted(members, key=lambda item: item.saved_at)
    if len(items) < 2 or times_are_useless(items):
        return None
    gaps = sorted((after.saved_at - before.saved_at).total_seconds() for before, after in pairwise(items))
    return gaps[len(gaps) // 2]
