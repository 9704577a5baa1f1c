"""The order of a tf.data.Dataset after the epochs that are done, against one whose epochs were all read."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from waypoint_resume.data_doubts import UNSEEDED, doubts_of_arrays, doubts_of_dataset, doubts_of_object
from waypoint_resume.data_order import Replay, dataset_replay

Data: Any = tf.data.Dataset  # TensorFlow has no types
EPOCHS = 3


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()  # the process runs other files' tests too


def shuffled() -> Any:  # noqa: ANN401
    return Data.range(12).shuffle(12)


CHAINS: dict[str, Callable[[], Any]] = {
    "one shuffle": lambda: shuffled().batch(2).prefetch(1),
    "files, then rows": lambda: (
        Data.range(4)
        .shuffle(4)
        .interleave(lambda i: Data.range(12).shard(4, i), cycle_length=2, num_parallel_calls=2)
        .shuffle(4)
    ),
    "a shuffle of batches": lambda: shuffled().map(lambda x: x + 1).batch(2).shuffle(3),
    "a shuffle that stays, of another": lambda: shuffled().shuffle(5, reshuffle_each_iteration=False),
    "two in turns": lambda: Data.sample_from_datasets(
        [shuffled().shuffle(5), shuffled().shuffle(5)], weights=[0.1, 0.9]
    ),
    "in the inner one": lambda: shuffled().flat_map(lambda x: Data.range(x % 3).shuffle(3)),
    "a cache between": lambda: shuffled().cache().shuffle(5),
    "a cache between three": lambda: shuffled().cache().shuffle(12).shuffle(5),
    "repeated": lambda: shuffled().repeat(2).shuffle(5),
}


def drive(dataset: Any, need: Replay, epoch: int) -> None:  # noqa: ANN401
    """What a replay does for an epoch that is done."""
    if need is Replay.NOTHING:
        return
    iterator = iter(dataset)
    if need is Replay.ONE_BATCH:
        next(iterator)
    if need is Replay.EVERYTHING or (need is Replay.FIRST_EPOCH and epoch == 0):
        list(iterator)


@pytest.mark.parametrize("name", CHAINS)
def test_the_next_epoch_comes_in_the_order_of_an_unbroken_training(name: str) -> None:
    keras.utils.set_random_seed(1)
    whole = CHAINS[name]()
    epochs = [[item.tolist() for item in whole.as_numpy_iterator()] for _ in range(EPOCHS + 1)]
    keras.utils.set_random_seed(1)
    again = CHAINS[name]()
    for epoch in range(EPOCHS):
        drive(again, dataset_replay(again), epoch)
    assert [item.tolist() for item in again.as_numpy_iterator()] == epochs[EPOCHS]
    assert epochs[0] != epochs[1]  # else nothing was shown


def drawing(x: Any) -> Any:  # noqa: ANN401 - a tensor
    return x + tf.random.uniform((), maxval=9, dtype=tf.int64)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (shuffled, "no seed is set"),
        (lambda: Data.range(4).flat_map(lambda _: Data.range(3).map(drawing)), "no seed is set"),
        (lambda: Data.range(4).map(lambda x: x, num_parallel_calls=2, deterministic=False), "deterministic=False"),
        (lambda: Data.range(4).map(drawing, num_parallel_calls=2), "several threads"),
        (lambda: Data.range(4).map(lambda x: tf.numpy_function(np.negative, [x], tf.int64)), "a Python function"),
        (lambda: Data.from_generator(lambda: iter("ab"), output_signature=tf.TensorSpec((), tf.string)), "a Python"),
    ],
)
def test_what_is_not_proven_to_repeat_itself_is_said(made: Callable[[], Any], told: str) -> None:
    disable_op_determinism()
    tf.random.set_seed(None)
    assert any(told in text for text in doubts_of_dataset(made(), within_epoch=True))
    assert UNSEEDED not in doubts_of_dataset(made(), within_epoch=False)  # no part of an epoch to come twice
    assert doubts_of_arrays(within_epoch=True) == [UNSEEDED]


@pytest.mark.parametrize("name", CHAINS)
def test_nothing_is_said_of_what_is_proven(name: str) -> None:
    keras.utils.set_random_seed(1)
    assert doubts_of_dataset(CHAINS[name](), within_epoch=True) == []
    assert doubts_of_arrays(within_epoch=True) == []


def test_a_generator_of_the_jobs_own_in_a_sequence_is_named() -> None:
    drawn = np.random.default_rng(5)

    class Noisy(keras.utils.PyDataset):  # type: ignore[misc]
        """Draws from a generator that nobody knows of."""

        def __getitem__(self, _index: int) -> float:
            return drawn.normal()

    assert "drawn of the Noisy" in doubts_of_object(Noisy())[0]
