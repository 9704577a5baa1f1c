"""Series, attempts and latest: how the checkpoints of one run belong together. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Any, NamedTuple

from core.base.names import natural_key
from core.base.records import Checkpoint, Leftover, SavedAtSource
from core.runs.name_evidence import content_step, name_of, place_of, values
from core.runs.name_fractions import by_fraction
from core.runs.name_numbers import with_numbers, without_guesses
from core.runs.remains import is_remains, remains
from core.runs.trainings import by_training
from waypoint_resume.moments import has_year, in_one_year
from waypoint_resume.names import short_id

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


class Training(NamedTuple):
    """Checkpoints that are one training: the series' id as it follows from them, what their names share, and they."""

    id: str
    stem: str
    members: list[Checkpoint]


def trainings_of(items: Iterable[Checkpoint]) -> list[Training]:
    """One run's checkpoints (and `core.runs.remains`, which are evidence), by training."""
    places: dict[tuple[object, ...], list[Checkpoint]] = {}
    for item in items:
        name, folder = name_of(item), place_of(item)
        roles = "".join(number.role.name[:2] for number in name.numbers)  # `ckpt-20240131` may be a step or a day
        places.setdefault((folder, item.format.value, name.stem, roles), []).append(without_guesses(item))
    return [
        Training(short_id(str(place[0]), str(place[1]), stem, fingerprint), stem, members)
        for place, found in sorted(places.items(), key=lambda pair: [str(part) for part in pair[0]])
        for fingerprint, alike in _by_fingerprint(found).items()
        for similar, apart in by_fraction(alike)
        for stem, members in by_training(similar, times_are_useful, with_fractions=apart)
    ]


def arrange(checkpoints: Iterable[Checkpoint], beside: Iterable[Checkpoint] = ()) -> tuple[tuple[Checkpoint, ...], ...]:
    """One run's checkpoints as series, each ordered with the newest last; series, attempt and the latest are marked,
    and what the numbers in names count is told where all of a series fits. `beside` (of `core.runs.remains`) are
    evidence of what is one training, and no members.

    A series has the id that most of its members have already (a catalog keeps it, however many come and go), else one
    that follows from folder, format, stem and fingerprint.
    """
    trainings = [
        one._replace(members=members)
        for one in trainings_of([*checkpoints, *beside])
        if (members := [item for item in one.members if not is_remains(item)])
    ]
    ids = _ids([(one.id, one.members) for one in trainings])
    return tuple(
        _marked(with_numbers(ordered(one.members), times_are_useful), series, one.stem)
        for series, one in zip(ids, trainings, strict=True)
    )


def in_series(
    checkpoints: Sequence[Checkpoint], leftovers: Sequence[Leftover] = ()
) -> tuple[tuple[Checkpoint, ...], ...]:
    """The same, told by what a catalog kept of it when the run was judged. Some of a run's checkpoints will do. Where
    it kept nothing they are arranged here.
    """
    if any(item.series_order is None for item in checkpoints):
        return arrange(checkpoints, remains(checkpoints, leftovers).values())
    found: dict[str, list[Checkpoint]] = {}
    for item in sorted(checkpoints, key=lambda item: item.series_order or 0):
        found.setdefault(item.series, []).append(item)
    return tuple(sorted(map(tuple, found.values()), key=_series_key))


def _series_key(members: Sequence[Checkpoint]) -> tuple[str, ...]:
    first = members[0]
    return (first.path.rpartition("/")[0], first.format.value, first.stem, first.series)


def _ids(found: Sequence[tuple[str, Sequence[Checkpoint]]]) -> list[str]:
    """An id for each series: what most of its members are known by, if no other has more of those; else its own."""
    claims = []
    for place, (own, members) in enumerate(found):
        known = Counter(item.series for item in members if item.series)
        claims += [(-count, series != own, place, series) for series, count in known.items()]
    ids: dict[int, str] = {}
    for _, _, place, series in sorted(claims):
        if place not in ids and series not in ids.values():
            ids[place] = series
    for place, (own, _) in enumerate(found):
        if place not in ids:
            while own in ids.values():
                own = short_id(own)
            ids[place] = own
    return [ids[place] for place in range(len(found))]


def _by_fingerprint(items: Sequence[Checkpoint]) -> dict[str, list[Checkpoint]]:
    """Members by fingerprint; those that cannot be read belong to the one with the most members."""
    counts = Counter(item.facts.fingerprint for item in items if item.facts.fingerprint is not None)
    usual = counts.most_common(1)[0][0] if counts else ""
    groups: dict[str, list[Checkpoint]] = {}
    for item in items:
        groups.setdefault(item.facts.fingerprint or usual, []).append(item)
    return groups


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
        return sorted(by_name, key=lambda item: item.saved_at)
    if order is Order.DATES:
        dated = [(moment, item) for item in by_name if (moment := name_of(item).moment) is not None]
        turned = in_one_year(moment for moment, _ in dated)
        return [item for _, item in sorted(dated, key=lambda pair: (turned[pair[0]], pair[1].saved_at))]
    if order is Order.NAMES:
        return _resorted(by_name, _told_time)
    timed = _resorted(_resorted(by_name, content_step), _told_time)
    again = _resorted(timed, content_step)  # what times moved may stand against the steps of those that tell no time
    return again if _resorted(again, _told_time) == again else timed


def _told_time(item: Checkpoint) -> datetime | None:
    return None if item.saved_at_source is SavedAtSource.MTIME else item.saved_at


def _resorted(members: Sequence[Checkpoint], key: Callable[[Checkpoint], Any]) -> list[Checkpoint]:
    """Those of which a value is known in its order; whatever tells none, such as a damaged one, stays in its place."""
    rising = iter(sorted((item for item in members if key(item) is not None), key=key))
    return [item if key(item) is None else next(rising) for item in members]


def _name_key(item: Checkpoint) -> tuple[object, ...]:
    return (values(item), natural_key(base_name(item)))


def _step(item: Checkpoint) -> int | None:
    return None if item.facts.step is None else item.facts.step.value


def _marked(members: list[Checkpoint], series: str, stem: str) -> tuple[Checkpoint, ...]:
    attempts: list[int] = []
    attempt, highest = 1, None
    for item in members:
        step = _step(item)
        if step is not None:
            if highest is not None and step < highest:
                attempt += 1
            highest = step
        attempts.append(attempt)
    best = max((number for number, item in enumerate(members) if item.restorable), default=-1)
    orders = _orders(members)
    return tuple(
        item._replace(
            series=series,
            series_order=orders[number],
            stem=stem,
            attempt=attempts[number],
            is_latest=number == len(members) - 1,
            is_latest_restorable=number == best,
        )
        for number, item in enumerate(members)
    )


def _orders(members: Sequence[Checkpoint]) -> list[int]:
    """Rising numbers: those that the members have as far as these rise, so that a catalog writes only the new ones."""
    known = [item.series_order for item in members]
    there = [number for number in known if number is not None]
    if known[: len(there)] != there or any(later <= earlier for earlier, later in pairwise(there)):
        return list(range(len(members)))
    first = there[-1] + 1 if there else 0
    return [*there, *range(first, first + len(members) - len(there))]


def median_interval(members: Iterable[Checkpoint]) -> float | None:
    """The median seconds between two saves; None for fewer than two, or where times are useless."""
    items = sorted(members, key=lambda item: item.saved_at)
    if len(items) < 2 or times_are_useless(items):
        return None
    gaps = sorted((after.saved_at - before.saved_at).total_seconds() for before, after in pairwise(items))
    return gaps[len(gaps) // 2]
