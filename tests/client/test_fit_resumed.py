"""Real fits of Keras 3 and tf-keras, interrupted and resumed by Waypoint or start.guard, against unbroken ones."""

import gc
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from waypoint_resume import Waypoint, resume

EPOCHS, STEPS = 4, 4
X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(1, keepdims=True)
Steps = list[tuple[int, int, float, float]]


def a_model(kit: Any) -> Any:  # noqa: ANN401 - either Keras
    """A model with Dropout, made as by a new process with the same seed."""
    kit.backend.clear_session()
    kit.utils.set_random_seed(5)
    if kit.__name__ == "tf_keras":
        kit.backend.experimental.enable_tf_random_generator()
    model = kit.Sequential([kit.layers.Input((3,)), kit.layers.Dense(4), kit.layers.Dropout(0.5), kit.layers.Dense(1)])
    model.compile(kit.optimizers.Adam(0.5), "mse")
    model.optimizer.learning_rate = 0.01  # as jobs set it before fit()
    return model


def a_dataset() -> tf.data.Dataset:
    """Shuffled anew in each epoch."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(32).batch(8)


def noting(kit: Any, steps: Steps, stop: int | None = None) -> Any:  # noqa: ANN401
    """A callback that notes epoch, batch, loss and rate of each step, and ends the training after so many."""

    def end(batch: int, logs: dict[str, float]) -> None:
        steps.append((note.epoch, batch, float(logs["loss"]), float(np.array(note.model.optimizer.learning_rate))))
        if len(steps) == stop:
            raise KeyboardInterrupt

    note: Any = kit.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, _logs: setattr(note, "epoch", epoch), on_train_batch_end=end
    )
    return note


def train(kit: Any, run: Path, way: str, *, every: int | str, stop: int | None = None) -> tuple[Steps, list[bytes]]:  # noqa: ANN401
    """Train with a schedule that begins anew in each process, saving into a run; what was trained, and all values."""
    model, steps = a_model(kit), Steps()
    where = f"{run}/e-{{epoch:02d}}-{{batch:02d}}.keras" if every != "epoch" else f"{run}/e-{{epoch:02d}}.keras"
    rate = kit.callbacks.LearningRateScheduler(lambda epoch, _rate: 0.02 / (epoch + 1))
    callbacks = [rate, kit.callbacks.ModelCheckpoint(where, save_freq=every), noting(kit, steps, stop)]
    first = {}
    if way == "waypoint":
        callbacks.insert(1, Waypoint(run))
    elif way == "guard":
        start = resume(run, model=model, steps_per_epoch=STEPS)
        first, callbacks = {"initial_epoch": start.epoch}, [*callbacks, start.guard]
    try:
        model.fit(a_dataset(), epochs=EPOCHS, verbose=0, callbacks=callbacks, **first)
    except KeyboardInterrupt:
        assert stop is not None
    own = model.optimizer.variables
    return steps, [np.array(item).tobytes() for item in [*model.weights, *(own() if callable(own) else own)]]


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()  # the process runs other files' tests too


@pytest.mark.filterwarnings("ignore:.*shuffle=True. was passed:UserWarning")
@pytest.mark.parametrize("way", ["waypoint", "guard"])
@pytest.mark.parametrize("every", ["epoch", 3], ids=["epoch-end", "mid-epoch"])
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_a_fit_that_was_interrupted_twice_ends_as_an_unbroken_one(
    tmp_path: Path, name: str, every: int | str, way: str
) -> None:
    kit = importlib.import_module(name)
    whole, values = train(kit, tmp_path / "whole", "none", every="epoch")
    run = tmp_path / "run"
    first, _ = train(kit, run, way, every=every, stop=7)
    second, _ = train(kit, run, way, every=every, stop=5)
    third, ended = train(kit, run, way, every=every)
    assert first == whole[:7]
    saved = (1 if every == "epoch" else 2) * (STEPS if every == "epoch" else 3)
    assert second == whole[saved : saved + 5]
    assert third == whole[-len(third) :]
    assert len(third) == len(whole) - (8 if every == "epoch" else 9)
    assert ended == values


def legacy() -> Any:  # noqa: ANN401
    """The optimizers of Keras 2's old kind."""
    return importlib.import_module("tf_keras").optimizers.legacy


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "keras": lambda: keras.optimizers,
    "tf_keras": lambda: importlib.import_module("tf_keras").optimizers,
    "legacy": legacy,
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("names", [("generator_optimizer", "discriminator_optimizer"), ("first", "second")])
def test_optimizers_that_were_not_built_get_back_what_the_checkpoint_says_they_trained(
    tmp_path: Path, kind: str, names: tuple[str, str]
) -> None:
    kit, adam = importlib.import_module("keras" if kind == "keras" else "tf_keras"), OPTIMIZERS[kind]().Adam

    def parts() -> tuple[list[Any], list[Any], tf.train.Checkpoint]:
        models = [kit.Sequential([kit.layers.Input((3,)), kit.layers.Dense(3)]) for _ in names]
        optimizers = [adam(0.1) for _ in names]
        owned = dict(zip(names, optimizers, strict=True))
        return models, optimizers, tf.train.Checkpoint(generator=models[0], discriminator=models[1], **owned)

    def values(models: list[Any], optimizers: list[Any]) -> list[bytes]:
        own = [item.variables() if callable(item.variables) else item.variables for item in optimizers]
        return [item.numpy().tobytes() for group in [*(model.weights for model in models), *own] for item in group]

    models, optimizers, checkpoint = parts()
    start = resume(tmp_path, checkpoint=checkpoint)
    assert start.source is None
    for model, optimizer in zip(models, optimizers, strict=True):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(tf.ones((1, 3))) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    checkpoint.save(str(tmp_path / "ckpt"))
    start.finish()
    wanted = values(models, optimizers)
    models, optimizers, checkpoint = parts()
    start = resume(tmp_path, checkpoint=checkpoint)
    start.finish()
    assert (start.source, start.step) == ("ckpt-1", 1)
    assert values(models, optimizers) == wanted


def test_a_history_is_kept_when_the_run_goes_on_and_begun_anew_when_it_does_not(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss\n7,1.0\n")

    def fit(run: Path, epochs: int) -> list[str]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(1)])  # which has no variables before it meets data
        model.compile("adam", "mse")
        saves = keras.callbacks.ModelCheckpoint(f"{run}/e-{{epoch}}.weights.h5", save_weights_only=True)
        callbacks = [keras.callbacks.CSVLogger(str(log)), Waypoint(run), saves]
        model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
        assert int(model.optimizer.iterations) == epochs * STEPS
        return [line.partition(",")[0] for line in log.read_text().split()]

    assert fit(tmp_path / "run", 2) == ["epoch", "0", "1"]
    assert fit(tmp_path / "run", 3) == ["epoch", "0", "1", "2"]


def test_a_later_fit_trains_on_and_one_of_another_model_is_given_nothing_of_the_first(tmp_path: Path) -> None:
    watch = Waypoint(tmp_path)
    model, other = a_model(keras), a_model(keras)
    for item in (model, model, other):
        saves = keras.callbacks.ModelCheckpoint(f"{tmp_path}/{'other' if item is other else 'first'}-{{epoch}}.keras")
        item.fit(X, Y, batch_size=8, epochs=1, verbose=0, callbacks=[watch, saves])
    assert [int(item.optimizer.iterations) for item in (model, other)] == [2 * STEPS, STEPS]


def test_an_interrupted_fit_of_tf_keras_leaves_no_iterator(tmp_path: Path) -> None:
    def iterators() -> list[object]:
        gc.collect()
        return [item for item in gc.get_objects() if type(item).__name__ == "OwnedIterator"]

    kit, watches = importlib.import_module("tf_keras"), []
    before = iterators()
    for _ in range(2):  # the second goes on where an epoch ended
        watches.append(Waypoint(tmp_path))
        saver = kit.callbacks.ModelCheckpoint(f"{tmp_path}/e-{{epoch:02d}}.keras")
        callbacks = [saver, noting(kit, [], 5), watches[-1]]
        with pytest.raises(KeyboardInterrupt):
            a_model(kit).fit(X, Y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    start = watches[-1].start
    assert start is not None
    assert start.epoch > 0
    known = set(map(id, before))
    assert not [item for item in iterators() if id(item) not in known]
