"""Numbers with a fraction in front of what counts, and without a word: a setting of which each value is a training of
its own (`m_1e-3_10`), or a measured value (`0.31-10`). Pure.
"""

import re
from collections.abc import Iterator, Sequence

from core.base.records import Checkpoint
from core.runs.name_evidence import content_step, name_of, values
from core.runs.trainings import were_apart

_ONE_DIGIT = re.compile(r"0*\.?0*[1-9]\.?0*(?:[eE][-+]?\d+)?")


def by_fraction(members: Sequence[Checkpoint]) -> Iterator[tuple[list[Checkpoint], bool]]:
    """Checkpoints of one stem by the fractions in their names, and whether those tell trainings apart."""
    groups: dict[tuple[str, ...], list[Checkpoint]] = {}
    for item in members:
        groups.setdefault(tuple(text for _, text in name_of(item).fractions), []).append(item)
    if len(groups) > 1 and _tell_apart(groups):
        yield from ((items, True) for _, items in sorted(groups.items()))
    else:
        yield list(members), False


def _tell_apart(groups: dict[tuple[str, ...], list[Checkpoint]]) -> bool:
    found = list(groups.values())
    if len({len(texts) for texts in groups}) > 1:  # one has a hash or the like where others have a fraction
        return False
    if were_apart(found) or all(_are_rates(texts) for texts in zip(*groups, strict=True)):
        return True
    return _count_again(found) if name_of(found[0][0]).numbers else _are_as_far(found)


def _are_rates(texts: Sequence[str]) -> bool:
    """Whether values are round and of several sizes, as learning rates are: measured values have digits, one as many as
    the other.
    """
    are_round = all(_ONE_DIGIT.fullmatch(text) for text in texts)
    return are_round and (any("e" in text.lower() for text in texts) or len({len(text) for text in texts}) > 1)


def _count_again(groups: Sequence[Sequence[Checkpoint]]) -> bool:
    """Whether what is counted behind each value starts again: the same numbers for all, or for values that stay as they
    are from one save to the next. A loss is another one with nearly each save, also where a job started again.
    """
    counts = [{values(item) for item in items} for items in groups]
    every = set[object]().union(*counts)
    if len(every) == sum(map(len, counts)):
        return False
    return len(every) == 1 or 2 * len(groups) <= sum(map(len, counts))


def _are_as_far(groups: Sequence[Sequence[Checkpoint]]) -> bool:
    """Whether trainings, of which the name counts nothing, are as far as each other by their steps."""
    steps = [max(known) for items in groups if (known := [step for item in items if (step := content_step(item))])]
    return len(steps) > 1 and 2 * (len(steps) - len(set(steps))) >= len(steps) - 1
