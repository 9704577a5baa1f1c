"""Series, attempts and latest: how the checkpoints of one run belong together. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from core.base.records import Checkpoint, Leftover
from core.runs.name_evidence import name_of, place_of
from core.runs.name_fractions import by_fraction
from core.runs.name_numbers import with_numbers, without_guesses
from core.runs.remains import is_remains, remains
from core.runs.series_order import ordered, times_are_useful
from core.runs.trainings import by_training
from waypoint_resume.names import short_id


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
