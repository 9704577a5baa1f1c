"""What the names, steps and times of a series' checkpoints tell about the numbers in their names. Pure."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from core.base.facts import NUMBER_IN_NAME
from core.base.records import Checkpoint
from waypoint_resume.file_names import read_name, read_place
from waypoint_resume.name_parts import FileName, Role, Value

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


def is_in_order(members: Sequence[Checkpoint], has_times: Times) -> bool:
    """Whether times, where they tell anything, agree with the numbers."""
    if not has_times(members):
        return True
    times = [item.saved_at.timestamp() for item in sorted(members, key=values)]
    return all(before <= after + _FEW_S for before, after in pairwise(times))


def content_step(item: Checkpoint) -> int | None:
    """The step that the content or a word tells."""
    step = item.facts.step
    return None if step is None or step.source == NUMBER_IN_NAME else step.value


def counted_by_steps(members: Sequence[Checkpoint], place: int) -> Role | None:
    """STEP where the number is the step, EPOCH where there is one ratio of steps to it, counted from 1 or from 0."""
    known = _numbers_and_steps(members, place)
    if len({number for number, _ in known}) < 2:
        return None
    if all(number == step for number, step in known):
        return Role.STEP
    return None if _first_epoch(known) is None else Role.EPOCH


def is_counted_from_0(members: Sequence[Checkpoint], place: int) -> bool:
    """Whether steps show that the number at a place counts epochs from 0."""
    return _first_epoch(_numbers_and_steps(members, place)) == 0


def _numbers_and_steps(members: Sequence[Checkpoint], place: int) -> list[tuple[int, int]]:
    return [(int(values(item)[place][1]), step) for item in members if (step := content_step(item)) is not None]


def _first_epoch(known: Sequence[tuple[int, int]]) -> int | None:
    """What the first epoch is called, 1 or 0, where several numbers have one ratio of steps to epochs; else None."""
    if len({number for number, _ in known}) < 2:
        return None
    for offset in (0, 1):
        ratios = {step / (number + offset) if number + offset else -1.0 for number, step in known if step or number}
        if len(ratios) == 1 and min(ratios) > 1:
            return 1 - offset
    return None
