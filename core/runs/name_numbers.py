"""Numbers in the names of one series: which of them tell trainings apart, and what the others count. Pure.

A number that a word names (fold, seed, trial, rank, version, learning rate) stays in the stem (`waypoint_resume`'s
`file_names`), so that each value is a series. Here those without a word are judged, by all names together and by what
is known of steps and times. What no evidence settles is kept apart: no plan takes more of two series that are one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from core.base.facts import EPOCH_BY_STEPS, NUMBER_IN_NAME, Sourced
from core.base.records import EPOCH_IN_NAME, Checkpoint
from core.formats.registry import spec_of
from core.runs.remains import is_remains
from waypoint_resume.file_names import read_name, read_place
from waypoint_resume.name_parts import FileName, Role, Value

_COUNTING = (Role.EPOCH, Role.STEP, Role.BATCH)
_MOST_EPOCHS = 100_000  # above, a number without a word is more likely `202401` or a clock than an epoch
_YEARS = range(1990, 2040)
_FEW_S = 2.0  # seconds: saves that are no further apart are in no order

Times = Callable[[Sequence[Checkpoint]], bool]


def name_of(item: Checkpoint) -> FileName:
    """The last component of a checkpoint's path, read; and its folder's, where that is a save in the run."""
    folder, _, base = item.path.rpartition("/")
    return read_name(base) if folder in ("", item.run) else read_place(folder.rpartition("/")[2], base)


def place_of(item: Checkpoint) -> str:
    """The folder in which the other saves of a checkpoint's training may lie."""
    folder = item.path.rpartition("/")[0]
    return folder.rpartition("/")[0] if name_of(item).of_folder else folder


def values(item: Checkpoint) -> tuple[Value, ...]:
    """The numbers of a checkpoint's name, to be compared with those of another one of its series."""
    return name_of(item).order


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
        return _counted_by_steps(members, place) is None and not _rise_with(members, groups, has_times)
    if is_last:
        is_alone = len({values(item)[:place] for item in members if not is_remains(item)}) <= 1
        may_tell = role is Role.COUNT or place < name_of(members[0]).of_folder
        return may_tell and is_alone and _steps_start_again(groups)
    if were_apart(groups):
        return True
    after = [[values(item)[place + 1 :] for item in items] for items in groups]
    return _starts_again(after) and not _goes_on(members, groups, place, has_times)


def _goes_on(
    members: Sequence[Checkpoint], groups: Sequence[Sequence[Checkpoint]], place: int, has_times: Times
) -> bool:
    """Whether it is one training although what follows a number starts again, as batches do with each epoch: times,
    where they tell anything, agree with the names, and so do steps, which the first ones of each value must know.
    """
    steps = [known for items in groups if (known := _known_steps(items))]
    if not _is_in_order(members, has_times) or (len(steps) > 1 and _starts_again(steps)):
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
    return rises > max(1, falls) and _is_in_order(members, has_times)


def _known_steps(items: Sequence[Checkpoint]) -> list[int]:
    """Steps that tell how far a training is; a counter at 0 may be one that the job never used."""
    return [step for item in items if (step := content_step(item))]


def is_epoch_and_batch(members: Sequence[Checkpoint], place: int) -> bool:
    """Whether names end as Keras' `{epoch:02d}-{batch:04d}` makes them: two padded numbers, the second one wider."""
    numbers = [name_of(item).numbers for item in members]
    if place != len(numbers[0]) - 2 or numbers[0][place].role not in (Role.COUNT, Role.SAVE):
        return False
    pairs = [(one[place].text, one[place + 1].text) for one in numbers]
    return (
        numbers[0][place + 1].role in (Role.COUNT, Role.BATCH)
        and all(2 <= len(epoch) < len(batch) for epoch, batch in pairs)
        and any(text.startswith("0") for pair in pairs for text in pair)
    )


def _is_in_order(members: Sequence[Checkpoint], has_times: Times) -> bool:
    """Whether times, where they tell anything, agree with the numbers."""
    if not has_times(members):
        return True
    times = [item.saved_at.timestamp() for item in sorted(members, key=values)]
    return all(before <= after + _FEW_S for before, after in pairwise(times))


def content_step(item: Checkpoint) -> int | None:
    """The step that the content or a word tells."""
    step = item.facts.step
    return None if step is None or step.source == NUMBER_IN_NAME else step.value


def without_guesses(item: Checkpoint) -> Checkpoint:
    """A checkpoint as it is known by itself: without what its series told of the numbers in its name."""
    facts = item.facts
    if facts.step is not None and facts.step.source == NUMBER_IN_NAME:
        facts = facts._replace(step=None)
    if facts.epoch is not None and facts.epoch.source in (NUMBER_IN_NAME, EPOCH_BY_STEPS):
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
            return [_with_number(item, place, meaning) for item in members]
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
        return _counted_by_steps(members, place)
    is_trusted = role is Role.SAVE or is_epoch_and_batch(members, place)
    is_trusted = is_trusted or all(name_of(item).by_metric and place == len(numbers) - 1 for item in members)
    return _by_name(members, place, has_times, is_trusted=is_trusted)


def _counted_by_steps(members: Sequence[Checkpoint], place: int) -> Role | None:
    """STEP where the number is the step, EPOCH where there is one ratio of steps to it, counted from 1 or from 0."""
    known = [(int(values(item)[place][1]), step) for item in members if (step := content_step(item)) is not None]
    if len({number for number, _ in known}) < 2:
        return None
    if all(number == step for number, step in known):
        return Role.STEP
    for offset in (0, 1):
        ratios = {step / (number + offset) if number + offset else -1.0 for number, step in known if step or number}
        if len(ratios) == 1 and min(ratios) > 1:
            return Role.EPOCH
    return None


def _by_name(members: Sequence[Checkpoint], place: int, has_times: Times, *, is_trusted: bool) -> Role | None:
    """By names and times alone. In a Keras file's name it is the epoch: ModelCheckpoint knows no other whole number."""
    role = name_of(members[0]).numbers[place].role
    rising = sorted(members, key=lambda item: values(item)[place])
    if not is_trusted:
        is_one = len({values(item)[place] for item in members}) < 2
        if role is Role.SIZE or is_one or not _is_in_order(members, has_times):
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


def _with_number(item: Checkpoint, place: int, meaning: Role) -> Checkpoint:
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
    told = Sourced(value=number, source=NUMBER_IN_NAME)
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
