"""Where in the training a checkpoint was saved: epochs that are done, and batches of the epoch after them."""

from __future__ import annotations

from typing import NamedTuple, Optional


class Position(NamedTuple):
    """How many epochs are done, and how many batches of the next one."""

    epoch: int
    batch: int


def position_of(recorded: int | None, step: int | None, steps_per_epoch: int | None) -> Optional[Position]:  # noqa: UP045
    """The position from what a name or a record says of the epochs, and from the step; None where neither tells.

    They agree where the record counts the epoch in which it was saved as done (ModelCheckpoint with `save_freq=40`
    writes `epoch-03` in the midst of the third), and where it counts from 0 (a loop that writes `epoch-02` at the end
    of the third): then the step says how far the training is. Where they contradict each other the record stands, for a
    step counts other trainings too.
    """
    by_step = Position(*divmod(step, steps_per_epoch)) if step is not None and steps_per_epoch else None
    if recorded is None or by_step is None:
        return by_step if recorded is None else Position(recorded, 0)
    is_same = by_step.epoch == recorded or (by_step.batch > 0 and by_step.epoch + 1 == recorded)
    is_same = is_same or by_step == Position(recorded + 1, 0)
    return by_step if is_same else Position(recorded, 0)
