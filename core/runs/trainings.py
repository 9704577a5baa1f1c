"""Trainings told apart by the numbers in their names: which of them begin something that starts again. Pure.

A number that a word names (fold, seed, trial, rank, version, learning rate) stays in the stem (`waypoint_resume`'s
`file_names`), so that each value is a series. Here those without a word are judged, by all names together and by what
is known of steps and times. What no evidence settles is kept apart: no plan takes more of two series that are one.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any

from core.base.records import Checkpoint
from core.runs.name_evidence import (
    Times,
    content_step,
    counted_by_steps,
    is_epoch_and_batch,
    is_in_order,
    name_of,
    values,
)
from core.runs.remains import is_remains
from waypoint_resume.name_parts import FileName, Role, Value

_COUNTING = (Role.EPOCH, Role.STEP, Role.BATCH)


def by_training(
    members: Sequence[Checkpoint], has_times: Times, *, with_fractions: bool = False
) -> list[tuple[str, list[Checkpoint]]]:
    """Checkpoints of one place, whose names differ in numbers only, as trainings of their own: stem and members.
    `with_fractions`: the fractions in their names told them apart already.
    """
    return [
        (name_of(items[0]).stem_with(sorted(kept), with_fractions=with_fractions), items)
        for kept, items in _split(list(members), frozenset(), has_times)
    ]


def _split(
    members: list[Checkpoint], kept: frozenset[int], has_times: Times
) -> Iterator[tuple[frozenset[int], list[Checkpoint]]]:
    for place in range(len(name_of(members[0]).numbers)):
        groups: dict[Value, list[Checkpoint]] = {}
        for item in members:
            groups.setdefault(values(item)[place], []).append(item)
        ordered = [groups[value] for value in sorted(groups)]
        if len(groups) > 1 and _tells_apart(members, ordered, place, has_times):
            for items in ordered:
                yield from _split(items, kept | {place}, has_times)
            return
    yield kept, members


def _tells_apart(
    members: Sequence[Checkpoint], groups: Sequence[Sequence[Checkpoint]], place: int, has_times: Times
) -> bool:
    """Whether each value of the number at a place is a training of its own: what follows it starts again."""
    numbers = name_of(members[0]).numbers
    role, is_last = numbers[place].role, place == len(numbers) - 1
    if role in _COUNTING and place >= name_of(members[0]).of_folder:
        return False
    if role is Role.SIZE:
        if counted_by_steps(members, place) is not None:
            return False
        follows = not is_last and (_steps_reach_back(groups) or _begins_again(members, groups, place, has_times))
        return follows or not _rise_with(members, groups, has_times)
    if is_last:
        is_alone = len({values(item)[:place] for item in members if not is_remains(item)}) <= 1
        may_tell = role is Role.COUNT or place < name_of(members[0]).of_folder
        return may_tell and is_alone and _steps_start_again(groups)
    was_apart = were_apart(groups) or _remains_were_apart(groups, place)
    return was_apart or _begins_again(members, groups, place, has_times)


def _steps_reach_back(groups: Sequence[Sequence[Checkpoint]]) -> bool:
    """Whether the steps of one group, as far as they are known, begin before those of the one before end."""
    steps = [known for items in groups if (known := _known_steps(items))]
    return len(steps) > 1 and _starts_again(steps)


def _begins_again(
    members: Sequence[Checkpoint], groups: Sequence[Sequence[Checkpoint]], place: int, has_times: Times
) -> bool:
    """Whether the numbers behind the one at a place start again with each value of it, and no training goes on so."""
    after = [[values(item)[place + 1 :] for item in items] for items in groups]
    return _starts_again(after) and not _goes_on(members, groups, place, has_times)


def _goes_on(
    members: Sequence[Checkpoint], groups: Sequence[Sequence[Checkpoint]], place: int, has_times: Times
) -> bool:
    """Whether it is one training although what follows a number starts again, as batches do with each epoch: times,
    where they tell anything, agree with the names, and so do steps, which the first ones of each value must know.
    """
    if not is_in_order(members, has_times) or _steps_reach_back(groups):
        return False
    firsts = [min(items, key=values) for items in groups]
    return all(content_step(item) for item in firsts) or is_epoch_and_batch(members, place)


def were_apart(groups: Sequence[Sequence[Checkpoint]]) -> bool:
    """Whether a former look told trainings apart by more checkpoints than there are now: of two folds each of which has
    lost its first epochs, nothing starts again any more.
    """
    known = [{item.series for item in items if item.series} for items in groups]
    known = [ids for ids, items in zip(known, groups, strict=True) if not all(is_remains(item) for item in items)]
    return len(known) > 1 and all(known) and len(set().union(*known)) == sum(map(len, known))


def _remains_were_apart(groups: Sequence[Sequence[Checkpoint]], place: int) -> bool:
    """Whether a former look knew the number at a place for a training's own, where all but one of those trainings have
    left nothing but remains by now, which no catalog keeps a series of.
    """
    saved = [items for items in groups if not all(is_remains(item) for item in items)]
    return len(saved) == 1 and any(item.series and _keeps(item.stem, name_of(item), place) for item in saved[0])


def _keeps(stem: str, name: FileName, place: int) -> bool:
    """Whether a stem of this name has the number at a place as it is, and not as one that counts."""
    others = [other for other in range(len(name.numbers)) if other != place]
    kept = [(place, *also) for count in range(len(others) + 1) for also in combinations(others, count)]
    return stem in {name.stem_with(one, with_fractions=told) for one in kept for told in (False, True)}


def _starts_again(groups: Sequence[Sequence[Any]]) -> bool:
    return not all(max(before) < min(after) for before, after in pairwise(groups))


def _steps_start_again(groups: Sequence[Sequence[Checkpoint]]) -> bool:
    """Whether steps do not rise with a number: as far through the same training as the one before, or less far."""
    steps = [max(known) for items in groups if (known := _known_steps(items))]
    falls = sum(after <= before for before, after in pairwise(steps))
    return len(steps) > 1 and 2 * falls >= len(steps) - 1


def _rise_with(members: Sequence[Checkpoint], groups: Sequence[Sequence[Checkpoint]], has_times: Times) -> bool:
    """Whether a number that may be a size counts: steps rise with it more often than they begin again, as they do once
    where a training goes on with a new optimizer; and times agree.
    """
    steps = [max(known) for items in groups if (known := _known_steps(items))]
    rises = sum(before < after for before, after in pairwise(steps))
    falls = sum(after < before for before, after in pairwise(steps))
    return rises > max(1, falls) and is_in_order(members, has_times)


def _known_steps(items: Sequence[Checkpoint]) -> list[int]:
    """Steps that tell how far a training is; a counter at 0 may be one that the job never used."""
    return [step for item in items if (step := content_step(item))]
