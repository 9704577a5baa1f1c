"""The place in the data of Keras 3's loop: its EpochIterator, on any backend."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from waypoint_resume.data_doubts import doubts_of_arrays, doubts_of_dataset, doubts_of_object
from waypoint_resume.data_order import Replay, dataset_replay
from waypoint_resume.data_position import DataPosition, Reading


class IteratorPosition(DataPosition):
    """A place in the data of an EpochIterator, which is driven through the epochs that are done as fit() does it.

    With steps_per_epoch one iterator goes through all epochs, so they are read; else each epoch makes its own.
    """

    def need(self, *, draws_go_on: bool) -> Replay | None:
        """By the kind of data that fit() was given."""
        data, kind = self.fit.data, type(self.fit.data.data_adapter).__name__
        if kind == "GeneratorDataAdapter":
            return None
        if data.steps_per_epoch or _is_read_ahead(data.data_adapter):
            return Replay.EVERYTHING
        if kind == "TFDatasetAdapter":
            return dataset_replay(data.data_adapter.get_tf_dataset())
        if kind == "ArrayDataAdapter" and not self.fit.shuffle:
            return Replay.NOTHING
        is_of_tensorflow = hasattr(data, "_distributed_dataset")
        if kind == "ArrayDataAdapter" and is_of_tensorflow:
            return Replay.ITERATORS
        return Replay.ITERATORS if draws_go_on or not self.fit.shuffle else Replay.ONE_BATCH

    def doubts(self) -> list[str]:
        """By the kind of data that fit() was given."""
        adapter, is_within = self.fit.data.data_adapter, self.first_batch > 0
        if type(adapter).__name__ == "TFDatasetAdapter":
            return doubts_of_dataset(adapter.get_tf_dataset(), within_epoch=is_within)
        if type(adapter).__name__ == "ArrayDataAdapter" and hasattr(self.fit.data, "_distributed_dataset"):
            return doubts_of_arrays(within_epoch=is_within) if self.fit.shuffle else []
        return doubts_of_object(adapter.py_dataset) if hasattr(adapter, "py_dataset") else []

    def replay_epochs(self, need: Replay) -> None:
        """Drive the EpochIterator through them."""
        data = self.fit.data
        if need is Replay.NOTHING:
            return
        total = self.batches * self.epochs_done if self.batches else None
        sizes = {Replay.EVERYTHING: total, Replay.ONE_BATCH: self.epochs_done}
        reading = Reading(sizes.get(need, self.batches))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Keras says at the end of data of unknown length
            for number in range(self.epochs_done):
                is_read = need is Replay.EVERYTHING or (number == 0 and need is Replay.FIRST_EPOCH)
                is_read = is_read or (data.num_batches is None and self.batches is None)
                with data.catch_stop_iteration():
                    self._run_epoch(reading, is_read=is_read, draws=need is Replay.ONE_BATCH)
                if is_read and self.batches is None:
                    self.batches = reading.done

    def _run_epoch(self, reading: Reading, *, is_read: bool, draws: bool) -> None:
        data = self.fit.data
        ends_by_itself = data.num_batches is not None and data.num_batches <= (self.batches or 0)
        for item in data:
            begin, end, iterator = self._execution(item)
            if is_read:
                reading.read(iterator, end - begin + 1)
            elif draws and begin == 0:
                reading.read(iterator)
            elif not ends_by_itself and self.batches is not None and end >= self.batches:
                raise StopIteration  # here the loop would find that the data are over

    def _execution(self, item: tuple[Any, ...]) -> tuple[int, int, Any]:
        """The first and the last batch of what an EpochIterator yields, and the iterator; before Keras 3.11 it does not
        tell the last.
        """
        begin, iterator = item[0], item[-1]
        return begin, item[1] if len(item) > 2 else begin + self.fit.steps_per_execution - 1, iterator

    def start_anew(self) -> None:
        """As at the start of fit()."""
        self.fit.data.reset()

    def arm(self, model: Any, when_skipped: Callable[[int], None]) -> None:  # noqa: ANN401
        """Override how this one EpochIterator enumerates, once."""
        data = self.fit.data
        enumerate_batches = data._enumerate_iterator  # noqa: SLF001 - no public way leads past its batches
        result_of = model._get_metrics_result_or_logs  # noqa: SLF001
        is_readable = self.need(draws_go_on=True) is not None

        def after_the_skipped() -> Iterator[tuple[Any, ...]]:
            del data._enumerate_iterator  # noqa: SLF001 - the class' own from here on
            is_told = False
            for item in enumerate_batches():
                begin, end, iterator = self._execution(item)
                if begin < self.first_batch:
                    if is_readable and not _can_read(iterator, end - begin + 1):
                        break
                    continue
                if self.first_batch and self.first_batch == self.batches:
                    # The step that finds no data was made too, and it advances random generators. By it Keras counts.
                    data._num_batches = data.num_batches or data._steps_seen  # noqa: SLF001
                    data._current_iterator = None  # noqa: SLF001 - as catch_stop_iteration() does
                    break
                if not is_told:
                    is_told = True
                    when_skipped(self.first_batch)
                yield item
            if not is_told:
                when_skipped(self.first_batch)
                if self.first_batch and not hasattr(data, "_distributed_dataset"):
                    yield from self._only_its_end(model)

        def result_or_logs(logs: Any) -> Any:  # noqa: ANN401
            # An epoch of which nothing but its end was left has no logs of a last batch.
            del model._get_metrics_result_or_logs  # noqa: SLF001
            return result_of(logs) if logs else model.get_metrics_result()

        data._enumerate_iterator = after_the_skipped  # noqa: SLF001
        if self.first_batch:
            model._get_metrics_result_or_logs = result_or_logs  # noqa: SLF001

    def _only_its_end(self, model: Any) -> Iterator[tuple[int, int, Any]]:  # noqa: ANN401
        """A step that trains nothing and that no callback hears of: JAX' loop wants the logs of one."""
        hooks, train, logs = self.fit.callback_list, model.train_function, model.get_metrics_result()
        hooks.on_train_batch_begin = hooks.on_train_batch_end = lambda *_args, **_named: None
        model.train_function = lambda state, _iterator: (logs, state)
        try:
            yield self.first_batch - 1, self.first_batch - 1, None
        finally:
            del hooks.on_train_batch_begin, hooks.on_train_batch_end
            model.train_function = train


def _can_read(iterator: Any, batches: int) -> bool:  # noqa: ANN401
    """Read and drop so many batches; False where the data end before."""
    try:
        for _ in range(batches):
            next(iterator)
    except StopIteration:
        return False
    return True


def _is_read_ahead(adapter: Any) -> bool:  # noqa: ANN401
    """Whether threads or processes of a PyDataset read ahead: what they hold of an epoch must be taken from them."""
    return int(getattr(getattr(adapter, "py_dataset", None), "workers", 1) or 1) > 1
