"""What several trainers share: seeds, pacing, the two kinds of training, and the check that a model really learned.

A builder makes a training ready to start: model, optimizer, data and what saves it. A trainer builds one and trains it
from the start; resumed.py builds the same one and goes on from a checkpoint.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# TensorFlow and Keras ship no types; these names say what is meant.
Tensor = Any
Model = Any
Optimizer = Any
Callback = Any
Manager = Any  # tf.train.CheckpointManager

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


def pace(package: Any) -> Callback:  # noqa: ANN401 - keras or tf_keras
    """A callback that lets some time pass at the end of each epoch."""
    return package.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: pause())


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A training in a loop of its own, which a CheckpointManager saves every so many steps."""

    manager: Manager
    step: Callable[..., Tensor]
    stream: Iterator[Any]
    every: int
    save: Callable[[], object]
    note: Callable[[float], object] | None = None
    """Is told the loss of each step."""
    begin: Callable[[], object] | None = None
    """Is called when the training begins: writes the settings down."""

    def train(self, saves: int) -> list[float]:
        """Train until so many saves are done; the loss of each step."""
        if self.begin is not None:
            self.begin()
        losses = []
        for _ in range(saves):
            for _ in range(self.every):
                losses.append(float(self.step(*next(self.stream))))
                if self.note is not None:
                    self.note(losses[-1])
            pause()
            self.save()
        return losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A training by fit(), which callbacks save; `steps` make an epoch."""

    model: Model
    data: Mapping[str, Any]
    steps: int
    callbacks: Callable[[], Sequence[Callback]]
    """Makes them when the training begins: some remember what they find on the disk."""
    begin: Callable[[], object] | None = None
    """Is called when the training begins: writes the settings down."""

    def train(self, epochs: int, first: int = 0, more: Sequence[Callback] = (), verbose: int = 0) -> list[float]:
        """Train so many epochs after `first`, with more callbacks at the end; the loss of each epoch."""
        if self.begin is not None:
            self.begin()
        fitted = self.model.fit(
            **self.data,
            initial_epoch=first,
            epochs=first + epochs,
            callbacks=[*self.callbacks(), *more],
            batch_size=BATCH,
            verbose=verbose,
        )
        losses: list[float] = fitted.history["loss"]
        return losses


def must_fall(losses: Sequence[float], what: str) -> None:
    """Refuse a run whose loss did not go down: the samples are trained models, not random numbers."""
    part = max(1, len(losses) // 5)
    first, last = float(np.mean(losses[:part])), float(np.mean(losses[-part:]))
    print(f"  {what}: loss {first:.4f} -> {last:.4f}", flush=True)
    if not last < first:
        raise RuntimeError(f"{what}: the loss did not go down ({first:.4f} -> {last:.4f})")
