"""What the numbers in the names of one series count, where no word tells it: epochs, steps, or nothing. Pure."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from core.base.facts import EPOCH_BY_STEPS, NUMBER_FROM_0, NUMBER_IN_NAME, Sourced
from core.base.records import EPOCH_IN_NAME, Checkpoint
from core.formats.registry import spec_of
from core.runs.name_evidence import (
    Times,
    content_step,
    counted_by_steps,
    is_counted_from_0,
    is_epoch_and_batch,
    is_in_order,
    name_of,
    values,
)
from waypoint_resume.name_parts import Role

_MOST_EPOCHS = 100_000  # above, a number without a word is more likely `202401` or a clock than an epoch
_YEARS = range(1990, 2040)


def without_guesses(item: Checkpoint) -> Checkpoint:
    """A checkpoint as it is known by itself: without what its series told of the numbers in its name."""
    facts = item.facts
    if facts.step is not None and facts.step.source == NUMBER_IN_NAME:
        facts = facts._replace(step=None)
    if facts.epoch is not None and facts.epoch.source in (NUMBER_IN_NAME, NUMBER_FROM_0, EPOCH_BY_STEPS):
        told = name_of(item).epoch
        facts = facts._replace(epoch=None if told is None else Sourced(value=told, source=EPOCH_IN_NAME))
    return item if facts is item.facts else item._replace(facts=facts)


def with_numbers(series: Sequence[Checkpoint], has_times: Times) -> list[Checkpoint]:
    """A series with what the numbers in its names count, where no word and no content tells and all of it fits."""
    members = _with_epochs_by_steps(series)
    name = name_of(members[0])
    for place in reversed(range(name.of_folder, len(name.numbers))):  # a folder's number tells the order alone
        meaning = _meaning(members, place, has_times)
        if meaning is not None:
            is_from_0 = meaning is Role.EPOCH and is_counted_from_0(members, place)
            source = NUMBER_FROM_0 if is_from_0 else NUMBER_IN_NAME
            return [_with_number(item, place, meaning, source) for item in members]
    return members


def _meaning(members: Sequence[Checkpoint], place: int, has_times: Times) -> Role | None:
    """What the number at a place counts: STEP, EPOCH, or None where that is not known."""
    numbers = name_of(members[0]).numbers
    role = numbers[place].role
    if role not in (Role.COUNT, Role.SAVE, Role.SIZE):
        return None
    if place and is_epoch_and_batch(members, place - 1):
        return None
    if (
        sum(content_step(item) is not None for item in members) > 1
        and len({values(item)[place] for item in members}) > 1
    ):
        return counted_by_steps(members, place)
    is_trusted = role is Role.SAVE or is_epoch_and_batch(members, place)
    is_trusted = is_trusted or all(name_of(item).by_metric and place == len(numbers) - 1 for item in members)
    return _by_name(members, place, has_times, is_trusted=is_trusted)


def _by_name(members: Sequence[Checkpoint], place: int, has_times: Times, *, is_trusted: bool) -> Role | None:
    """By names and times alone. In a Keras file's name it is the epoch: ModelCheckpoint knows no other whole number."""
    role = name_of(members[0]).numbers[place].role
    rising = sorted(members, key=lambda item: values(item)[place])
    if not is_trusted:
        is_one = len({values(item)[place] for item in members}) < 2
        if role is Role.SIZE or is_one or not is_in_order(members, has_times):
            return None
    if role is Role.COUNT and not is_trusted and _are_years(members, place):
        return None
    is_epoch = is_epoch_and_batch(members, place) or all(name_of(item).by_metric for item in members)
    is_epoch = is_epoch or spec_of(members[0].format).names_epochs
    for item in rising:
        number, step = int(values(item)[place][1]), content_step(item)
        if step is None or step == number:
            is_epoch = is_epoch and step is None
        elif number == 0 or step < number or step % number:
            return None
        else:
            is_epoch = True
    if is_epoch and not is_trusted and values(rising[-1])[place][1] > _MOST_EPOCHS:
        return None
    return Role.EPOCH if is_epoch else Role.STEP


def _are_years(members: Sequence[Checkpoint], place: int) -> bool:
    """Whether numbers without a word may be years: none is anything else, and they lie close together."""
    numbers = sorted({int(values(item)[place][1]) for item in members})
    return all(number in _YEARS for number in numbers) and all(
        after - before < 5 for before, after in pairwise(numbers)
    )


def _with_number(item: Checkpoint, place: int, meaning: Role, source: str) -> Checkpoint:
    facts, name = item.facts, name_of(item)
    number = name.numbers[place].value
    is_version = spec_of(item.format).names_version
    if (
        not isinstance(number, int)
        or number < 0
        or facts.save_counter is not None
        or facts.problem is not None
        or is_version
    ):
        return item
    told = Sourced(value=number, source=source)
    if meaning is Role.EPOCH and facts.epoch is None and name.epoch is None:
        return item._replace(facts=facts._replace(epoch=told))
    if meaning is Role.STEP and facts.step is None and facts.epoch is None and name.epoch is None:
        return item._replace(facts=facts._replace(step=told))
    return item


def _with_epochs_by_steps(members: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Epochs in names put right by steps, where the series shows how many an epoch has.

    `epoch-03` is written in the midst of the third epoch as well as at its end, and loops that count from 0 write
    `epoch-02` at its end. Steps that are further away count other trainings too: then the name stands.
    """
    known = [
        (facts.epoch.value, facts.step.value)
        for facts in (item.facts for item in members)
        if facts.epoch is not None and facts.epoch.source == EPOCH_IN_NAME and facts.step is not None
    ]
    ratios = Counter(
        (step // (epoch + first), first)
        for epoch, step in known
        for first in (0, 1)
        if step and epoch + first and step % (epoch + first) == 0
    )
    best = ratios.most_common(1)
    if not best or best[0][1] < 2 or best[0][0][0] < 2:
        return list(members)
    (steps, first), _ = best[0]
    return [_with_epochs_done(item, steps, first) for item in members]


def _with_epochs_done(item: Checkpoint, steps: int, first: int) -> Checkpoint:
    facts = item.facts
    if facts.epoch is None or facts.epoch.source != EPOCH_IN_NAME or facts.step is None:
        return item
    done, named = facts.step.value // steps, facts.epoch.value + first
    if done == facts.epoch.value or not named - 1 <= done <= named:
        return item
    return item._replace(facts=facts._replace(epoch=Sourced(value=done, source=EPOCH_BY_STEPS)))
