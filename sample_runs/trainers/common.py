"""What several trainers share: seeds, pacing, one training step, and the check that a model really learned."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# TensorFlow and Keras ship no types; these names say what is meant.
Tensor = Any
Model = Any
Optimizer = Any
Callback = Any

BATCH = 32
PAUSE_S = 0.6
"""Seconds waited before a save. These models train in milliseconds; with every save inside the same two seconds a
copied tree and a run would look alike, and the order of saves could not be told from their times."""


def seed_everything(seed: int) -> None:
    """Make a Keras 3 training on TensorFlow repeatable."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def pause() -> None:
    """Let some time pass, as a longer training would."""
    time.sleep(PAUSE_S)


def batches(*arrays: NDArray[Any], seed: int = 0) -> Iterator[tuple[Any, ...]]:
    """Endless random batches of BATCH rows out of arrays of equal length, always in the same order."""
    rng = np.random.default_rng(seed)
    while True:
        rows = rng.integers(0, len(arrays[0]), BATCH)
        yield tuple(array[rows] for array in arrays)


def make_step(model: Model, optimizer: Optimizer, loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """One compiled step of a custom loop: forward, backward, update; returns the batch's loss."""
    import tensorflow as tf

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(targets, model(inputs, training=True)))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    compiled: Callable[..., Tensor] = tf.function(step)
    return compiled


def must_fall(losses: Sequence[float], what: str) -> None:
    """Refuse a run whose loss did not go down: the samples are trained models, not random numbers."""
    part = max(1, len(losses) // 5)
    first, last = float(np.mean(losses[:part])), float(np.mean(losses[-part:]))
    print(f"  {what}: loss {first:.4f} -> {last:.4f}", flush=True)
    if not last < first:
        raise RuntimeError(f"{what}: the loss did not go down ({first:.4f} -> {last:.4f})")
