"""Trains and saves, again and again, as the jobs do that a test kills, moves, fills a disk with or looks at meanwhile.

`write_training.py ASKED` takes JSON: the job's name and its arguments. It says on stdout each save that is done.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf


def say(*words: object) -> None:
    """A line for the test, in one piece."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def values(size: int) -> tf.train.Checkpoint:
    """A step, and weights of so many bytes all of which change with `advance`."""
    return tf.train.Checkpoint(
        step=tf.Variable(0, dtype=tf.int64), weights=[tf.Variable(tf.zeros(size // 16)) for _ in range(4)]
    )


def advance(checkpoint: tf.train.Checkpoint) -> None:
    """A step of training in which every value changes."""
    for variable in (checkpoint.step, *checkpoint.weights):
        variable.assign_add(tf.ones_like(variable))


def manager(
    folder: str,
    size: int = 1024,
    keep: int = 3,
    saves: int = 1_000_000,
    hours: float | None = None,
    go_on: bool = False,
) -> None:
    """Save without a pause and rotate; by request from where the folder's latest stopped."""
    checkpoint = values(size)
    if go_on:
        checkpoint.restore(tf.train.latest_checkpoint(folder))
    rotating = tf.train.CheckpointManager(checkpoint, folder, keep, keep_checkpoint_every_n_hours=hours)
    for number in range(1, saves + 1):
        advance(checkpoint)
        rotating.save()
        say("saved", number)


def overwrite(folder: str, size: int = 1024, saves: int = 1_000_000) -> None:
    """Write one prefix again and again."""
    checkpoint = values(size)
    for number in range(1, saves + 1):
        advance(checkpoint)
        checkpoint.write(f"{folder}/cp.ckpt")
        say("saved", number)


def weights(folder: str, saves: int = 1_000_000) -> None:
    """Keras 2's own weights form, one prefix again and again, without an optimizer or any other counter."""
    import tf_keras

    model = tf_keras.Sequential([tf_keras.layers.Dense(64, input_shape=(64,)), tf_keras.layers.Dense(2)])
    for number in range(1, saves + 1):
        model.set_weights([np.full(value.shape, number, "float32") for value in model.get_weights()])
        model.save_weights(f"{folder}/cp.ckpt", save_format="tf")
        say("saved", number)


def saver(folder: str, relative: bool, saves: int = 6) -> None:
    """TF1's Saver, by default with absolute paths in its state file."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        step = v1.train.get_or_create_global_step()
        v1.get_variable("w", (8, 2))
        session.run(v1.global_variables_initializer())
        keeper = v1.train.Saver(max_to_keep=3, save_relative_paths=relative)
        for number in range(1, saves + 1):
            session.run(v1.assign_add(step, 10))
            keeper.save(session, f"{folder}/model.ckpt", global_step=step)
            say("saved", number)


def compiled(units: int) -> keras.Model:
    """A model with Adam, built."""
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(units), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def train(folder: str, every: float, keep: int) -> None:
    """Train a model and save it every so many seconds, with rotation."""
    model = compiled(32)
    rotating = tf.train.CheckpointManager(tf.train.Checkpoint(model=model, optimizer=model.optimizer), folder, keep)
    x, number = tf.ones((8, 16)), 0
    while True:
        end = time.monotonic() + every
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x) ** 2)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        rotating.save()
        number += 1
        say("saved", number)
        time.sleep(max(0.0, end - time.monotonic()))


def fill(folder: str, units: int) -> None:
    """Save in every form until none of them finds room any more, as a job that catches the error and goes on."""
    model = compiled(units)
    for name in ("managed", "overwritten", "keras"):
        Path(folder, name).mkdir()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    rotating = tf.train.CheckpointManager(checkpoint, f"{folder}/managed", None)

    def forms(number: int) -> Iterator[Callable[[], object]]:
        yield rotating.save
        yield lambda: checkpoint.write(f"{folder}/overwritten/cp.ckpt")
        yield lambda: model.save(f"{folder}/keras/m-{number:02}.keras")
        yield lambda: model.save_weights(f"{folder}/keras/w-{number:02}.weights.h5")
        yield lambda: model.save(f"{folder}/keras/h-{number:02}.h5")

    number, refused = 0, 0
    while refused < 5:
        number, refused = number + 1, 0
        model.optimizer.iterations.assign_add(1)
        for write in forms(number):
            try:
                write()
            except (tf.errors.OpError, OSError, RuntimeError) as error:
                refused += 1
                say("refused", type(error).__name__)
    say("saved", number)


def load(folder: str, units: int) -> None:
    """Load every Keras file below a folder: which can be."""
    for path in sorted(Path(folder).rglob("*")):
        try:
            if path.name.endswith(".weights.h5"):
                compiled(units).load_weights(path)
            elif path.suffix in (".keras", ".h5"):
                keras.models.load_model(path, compile=False)
            else:
                continue
        except Exception as error:  # noqa: BLE001 - whatever stops it, it cannot be loaded
            say("refused", path, type(error).__name__)
        else:
            say("loaded", path)


JOBS: dict[str, Callable[..., None]] = {
    job.__name__: job for job in (manager, overwrite, weights, saver, train, fill, load)
}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    JOBS[asked.pop("job")](**asked)
