"""The place in the data of Keras 2's loop (tf-keras too): its DataHandler."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from waypoint_resume.data_doubts import doubts_of_arrays, doubts_of_dataset, doubts_of_object
from waypoint_resume.data_order import Replay, dataset_replay
from waypoint_resume.data_position import DataPosition, Reading


class HandlerPosition(DataPosition):
    """A place in the data of a DataHandler, whose own enumeration of epochs runs from the first one.

    Arrays, generators and a dataset with another `steps_per_epoch` than its length have one iterator for all epochs.
    """

    def __init__(self, *given: Any) -> None:  # noqa: ANN401
        super().__init__(*given)
        self._epochs: Iterator[tuple[int, Any]] | None = None

    @property
    def _adapter(self) -> Any:  # noqa: ANN401
        return self.fit.data._adapter  # noqa: SLF001 - no public name

    def need(self, *, draws_go_on: bool) -> Replay | None:
        """By the kind of data that fit() was given."""
        kinds = {kind.__name__ for kind in type(self._adapter).__mro__}
        if "KerasSequenceAdapter" in kinds:
            return Replay.ITERATORS if draws_go_on or not self.fit.shuffle else Replay.ONE_BATCH
        if kinds & {"GeneratorDataAdapter", "DatasetCreatorAdapter"}:
            return None
        if "DatasetAdapter" in kinds and self._adapter.should_recreate_iterator():
            return dataset_replay(self.fit.data._dataset)  # noqa: SLF001
        if "DatasetAdapter" not in kinds and not self.fit.shuffle:
            return Replay.NOTHING
        return Replay.EVERYTHING

    def doubts(self) -> list[str]:
        """By the kind of data that fit() was given."""
        kinds, is_within = {kind.__name__ for kind in type(self._adapter).__mro__}, self.first_batch > 0
        if "DatasetAdapter" in kinds:
            return doubts_of_dataset(self.fit.data._dataset, within_epoch=is_within)  # noqa: SLF001
        if "KerasSequenceAdapter" in kinds:
            return doubts_of_object(self._adapter._keras_sequence)  # noqa: SLF001
        return doubts_of_arrays(within_epoch=is_within) if self.fit.shuffle else []

    def replay_epochs(self, need: Replay) -> None:
        """Run the handler's enumeration through them; it stays where it is, to be gone on with."""
        data = self.fit.data
        if need is Replay.NOTHING or not self._can_replay:
            return
        data._initial_epoch = self.begun_at  # noqa: SLF001
        self._epochs = data.enumerate_epochs()
        reading = Reading(self._total_to_read(need))
        for number in range(self.epochs_done):
            _, iterator = next(self._epochs, (None, None))
            if iterator is None:
                return  # the data are over, as the loop will find
            if need is Replay.EVERYTHING or (number == 0 and (need is Replay.FIRST_EPOCH or self.batches is None)):
                self._read_epoch(iterator, reading)
            elif need is Replay.ONE_BATCH:
                reading.read(iterator)
            if data._inferred_steps is None:  # noqa: SLF001
                data._inferred_steps = self.batches  # noqa: SLF001 - as the end of the data told the loop

    def _read_epoch(self, iterator: Any, reading: Reading) -> None:  # noqa: ANN401
        with contextlib.suppress(StopIteration):
            while self.batches is None:
                reading.read(iterator)
            reading.read(iterator, self.batches)
        self.batches = self.batches or reading.done

    def _total_to_read(self, need: Replay) -> int | None:
        if need is Replay.ONE_BATCH:
            return self.epochs_done
        if self.batches is None:
            return None
        return self.batches * {Replay.EVERYTHING: self.epochs_done, Replay.FIRST_EPOCH: 1}.get(need, 0)

    @property
    def _can_replay(self) -> bool:
        """Arrays give as many epochs as fit() was to run; what came before initial_epoch is not among them."""
        return self.begun_at >= self.fit.initial_epoch or self._makes_iterators

    @property
    def _makes_iterators(self) -> bool:
        return bool(self._adapter.should_recreate_iterator())

    def start_anew(self) -> None:
        """The handler makes its iterators when the loop begins."""
        self._epochs = None

    def _batches_to_skip(self, need: Replay | None) -> int:
        """Batches to read in the first epoch. Arrays that are not shuffled go round and round in one iterator."""
        if need is None:
            return 0
        if need is Replay.NOTHING and not self._makes_iterators and self.batches:
            done = self.epochs_done * self.batches + self.first_batch
            return done % (self._adapter.get_size() or self.batches)
        return self.first_batch

    def arm(self, model: Any, when_skipped: Callable[[int], None]) -> None:  # noqa: ANN401
        """Override how this one DataHandler enumerates epochs, and once how it enumerates steps."""
        data = self.fit.data
        enumerate_epochs, enumerate_steps = data.enumerate_epochs, data.steps
        to_skip = self._batches_to_skip(self.need(draws_go_on=True))
        # No iterator outlives fit(): TensorFlow 2.15 may wait for ever for one that ends with the process.
        to_read: list[Any] = []

        def epochs() -> Iterator[tuple[int, Any]]:
            del data.enumerate_epochs
            made, self._epochs = self._epochs or enumerate_epochs(), None
            for epoch, iterator in made:
                to_read[:] = [iterator]
                yield epoch, iterator
                to_read.clear()

        def steps() -> Iterator[int]:
            del data.steps  # the class' own from here on
            iterator = to_read.pop()
            with contextlib.suppress(StopIteration):
                for _ in range(to_skip):
                    next(iterator)
            del iterator
            when_skipped(self.first_batch)
            if self.first_batch and self.first_batch == (data.inferred_steps or self.batches):
                data._inferred_steps = self.first_batch  # noqa: SLF001 - as the end of the data told the loop
                yield from self._only_its_end(model)
            else:
                yield from enumerate_steps()

        data.enumerate_epochs, data.steps = epochs, steps

    def _only_its_end(self, model: Any) -> Iterator[int]:  # noqa: ANN401
        """A step that trains nothing and that no callback hears of: the loop wants logs of one for the epoch's end."""
        self.fit.data._initial_step = 0  # noqa: SLF001 - what the handler's own steps() would have set
        hooks, train = self.fit.callback_list, model.train_function
        wanted = hooks._should_call_train_batch_hooks  # noqa: SLF001
        hooks._should_call_train_batch_hooks = False  # noqa: SLF001
        model.train_function = lambda _iterator: model.get_metrics_result()
        try:
            yield self.first_batch - 1
        finally:
            hooks._should_call_train_batch_hooks = wanted  # noqa: SLF001
            model.train_function = train
