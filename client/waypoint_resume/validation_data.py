"""Validation data that come in another order, or go on, from one validation to the next: go on as in an unbroken run.

Each validation makes an iterator of its own. Where its order depends on how many were made before (a shuffle), those of
the validations that are done are made, and read where nothing less will do, before the first one of a resumed fit().
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from waypoint_resume.data_doubts import doubts_of_dataset
from waypoint_resume.data_order import Replay, dataset_replay
from waypoint_resume.data_position import Reading, ReadingTakesTooLongError
from waypoint_resume.log import LOG
from waypoint_resume.random_state import put_back_random, read_random
from waypoint_resume.watch_parts import PARTS, WatchPart

if TYPE_CHECKING:
    from waypoint_resume.watch import TrainingWatch

OTHER_DATA = (
    "The validation data of this fit() are not those of an unbroken training: %s. EarlyStopping, ReduceLROnPlateau and "
    "save_best_only may decide otherwise."
)


class ValidationData(WatchPart):
    """Brings the validation data to where they were, once: at the first validation of a fit() that was resumed."""

    def __init__(self) -> None:
        self._is_due = False

    def after_restore(self, watch: TrainingWatch) -> None:
        """Only where something was restored, and epochs were done."""
        start = watch.start
        is_resumed = start is not None and start.source is not None and not watch.is_later and not start.passes
        self._is_due = is_resumed and watch.data is not None and watch.data.epochs_done > 0

    def validation_begin(self, watch: TrainingWatch) -> None:
        """The validation's data are known, and no iterator was made of them."""
        is_due, self._is_due = self._is_due, False
        if not is_due or watch.fit is None or watch.data is None:
            return
        try:
            told = _go_on(watch.model, watch.fit.generation, _validations_done(watch))
        except ReadingTakesTooLongError:
            told = "reading those of the validations that are done would take too long"
        except Exception as error:  # noqa: BLE001 - what has no public name in a framework; the training goes on
            told = f"they could not be brought to where they were ({type(error).__name__}: {error})"
        if told:
            LOG.warning(OTHER_DATA, told)


def _validations_done(watch: TrainingWatch) -> int:
    """How many validations an unbroken training would have made before this epoch's."""
    assert watch.fit is not None
    assert watch.data is not None
    epochs, every = range(watch.data.begun_at, watch.epoch), watch.fit.validation_freq
    return sum(bool(watch.model._should_eval(epoch, every)) for epoch in epochs)  # noqa: SLF001 - no public name


def _go_on(model: Any, generation: int, done: int) -> str:  # noqa: ANN401
    """Do with the data what so many validations did; why they are others all the same, "" where they are not."""
    data = getattr(model, "_eval_epoch_iterator" if generation == 3 else "_eval_data_handler", None)
    if data is None or not done:
        return ""
    adapter = data.data_adapter if generation == 3 else data._adapter  # noqa: SLF001
    kinds = {kind.__name__ for kind in type(adapter).__mro__}
    if "GeneratorDataAdapter" in kinds and "KerasSequenceAdapter" not in kinds:
        return "they are a Python generator, which begins anew"
    if not kinds & {"TFDatasetAdapter", "DatasetAdapter"}:
        return ""
    dataset = adapter.get_tf_dataset() if generation == 3 else data._dataset  # noqa: SLF001
    need = dataset_replay(dataset)
    if need is Replay.NOTHING:
        return ""
    drawn, _ = read_random([model])
    size = data.num_batches if generation == 3 else data.inferred_steps
    total = {Replay.EVERYTHING: int(size or 0) * done, Replay.FIRST_EPOCH: size, Replay.ONE_BATCH: done}.get(need)
    reading = Reading(total or None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Keras says at the end of data of unknown length
        for number in range(done):
            is_read = need is Replay.EVERYTHING or (need is Replay.FIRST_EPOCH and number == 0)
            most = None if is_read else int(need is Replay.ONE_BATCH)
            (_run_epoch_iterator if generation == 3 else _run_handler)(data, reading, most)
    put_back_random([model], drawn)
    return "; ".join(doubts_of_dataset(dataset, within_epoch=True))


def _run_epoch_iterator(data: Any, reading: Reading, most: int | None) -> None:  # noqa: ANN401
    """One validation of Keras 3: all of its batches, or `most`."""
    with data.catch_stop_iteration():
        for item in data:
            if most is None:
                reading.read(item[-1], item[1] - item[0] + 1 if len(item) > 2 else int(data.steps_per_execution))
            elif item[0] == 0:
                reading.read(item[-1], most)
            if most is not None and data.num_batches is None:
                break  # where the number is known one more iterator is made at the end
    data.reset()


def _run_handler(data: Any, reading: Reading, most: int | None) -> None:  # noqa: ANN401
    """One validation of Keras 2."""
    for _, iterator in data.enumerate_epochs():
        if most is not None:
            reading.read(iterator, most)
        else:
            _read_steps(data, iterator, reading)


def _read_steps(data: Any, iterator: Iterator[Any], reading: Reading) -> None:  # noqa: ANN401
    with data.catch_stop_iteration():
        for _ in data.steps():
            reading.read(iterator, int(data._steps_per_execution.numpy()))  # noqa: SLF001


PARTS.append(ValidationData)
