"""Series, attempts and latest: how the checkpoints of one run belong together (design.md, Words). Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from core.fs.names import natural_key
from core.model import Checkpoint, SavedAtSource
from waypoint_resume.names import short_id

COPIED_WITHIN_NS = 2_000_000_000
_APART_S = 60.0  # a state file is written within a minute after the checkpoint that it names


def base_name(item: Checkpoint) -> str:
    """The last component of a checkpoint's path."""
    return item.path.rpartition("/")[2]


def arrange(checkpoints: Iterable[Checkpoint]) -> tuple[tuple[Checkpoint, ...], ...]:
    """One run's checkpoints as series, each ordered with the newest last; series, attempt and the latest are marked."""
    places: dict[tuple[str, str, str], list[Checkpoint]] = {}
    for item in checkpoints:
        places.setdefault((item.path.rpartition("/")[0], item.format.value, item.stem), []).append(item)
    return tuple(
        _marked(ordered(members), short_id(*place, fingerprint))
        for place, items in sorted(places.items())
        for fingerprint, members in _by_fingerprint(items).items()
    )


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

    A copied tree has the times of its copying: all within two seconds, or, where a state file kept some true times,
    mtimes of the same checkpoints that are far from those.
    """
    if len(members) < 2 or any(item.saved_at_source is SavedAtSource.FORMAT for item in members):
        return None
    if all(item.saved_at_source is SavedAtSource.STATE_FILE for item in members):
        return None
    stamps = [max((file.mtime_ns for file in item.files), default=0) for item in members]
    if max(stamps) - min(stamps) <= COPIED_WITHIN_NS:
        return "All files were written within 2 seconds"
    told = [
        abs(stamp / 1e9 - item.saved_at.timestamp())
        for stamp, item in zip(stamps, members, strict=True)
        if item.saved_at_source is SavedAtSource.STATE_FILE
    ]
    if told and max(told) > _APART_S:
        return "The files' times are not those in the state file"
    return None


def times_are_useless(members: Sequence[Checkpoint]) -> bool:
    """Whether save times do not tell the order."""
    return why_times_are_useless(members) is not None


def ordered(members: Sequence[Checkpoint]) -> list[Checkpoint]:
    """By save time, newest last, ties by natural name order; where times are useless by step, or else by name."""
    if not times_are_useless(members):
        by_time = sorted(members, key=lambda item: item.saved_at)
        if any(one.saved_at == next_.saved_at for one, next_ in pairwise(by_time)):
            by_time.sort(key=lambda item: (item.saved_at, natural_key(base_name(item))))
        return by_time
    if all(item.facts.step is not None for item in members):
        return sorted(members, key=lambda item: (_step(item) or 0, natural_key(base_name(item))))
    return sorted(members, key=lambda item: natural_key(base_name(item)))


def _step(item: Checkpoint) -> int | None:
    return None if item.facts.step is None else item.facts.step.value


def _marked(members: list[Checkpoint], series: str) -> tuple[Checkpoint, ...]:
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
    return tuple(
        item._replace(
            series=series,
            attempt=attempts[number],
            is_latest=number == len(members) - 1,
            is_latest_restorable=number == best,
        )
        for number, item in enumerate(members)
    )


def median_interval(members: Iterable[Checkpoint]) -> float | None:
    """The median seconds between two saves; None for fewer than two, or where times are useless."""
    items = sorted(members, key=lambda item: item.saved_at)
    if len(items) < 2 or times_are_useless(items):
        return None
    gaps = sorted((after.saved_at - before.saved_at).total_seconds() for before, after in pairwise(items))
    return gaps[len(gaps) // 2]
