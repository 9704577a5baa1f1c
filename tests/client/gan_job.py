"""A GAN as Keras' examples write it: `compile(d_optimizer, g_optimizer)`, a train_step of its own, two inner models.

`gan_job.py FRAMEWORK FOLDER` trains it unbroken without the client, and for each kind of save once more with it: killed
with -9 in mid-epoch and started again. Each life is a forked process. `FOLDER/<case>.json` has the losses and final
values, `FOLDER/<case>.txt` what the lives said.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")

import numpy as np
import tensorflow as tf

KIT: Any = importlib.import_module(sys.argv[1])
EPOCHS, BATCH, KILLED_AFTER = 4, 8, 9
X = np.random.default_rng(0).normal(size=(4 * BATCH, 5)).astype("float32")
# Name of a case: where it saves, how often, and whether the model has a call(), without which Keras saves no weights.
CASES: dict[str, tuple[str, Any, bool]] = {
    "keras": ("e-{epoch:02d}.keras", "epoch", False),
    "weights": ("e-{epoch:02d}.weights.h5", "epoch", True),
    "mid-epoch": ("b-{epoch:02d}-{batch:02d}.weights.h5", 3, True),
}
if KIT.__version__.startswith("2."):
    CASES["tf-form"] = ("e-{epoch:02d}", "epoch", False)


def network(*sizes: int, dropout: float = 0.0) -> Any:  # noqa: ANN401 - Keras has no types
    """A small model."""
    layers = [KIT.layers.Dense(6), KIT.layers.BatchNormalization(), KIT.layers.Dropout(dropout)]
    return KIT.Sequential([KIT.layers.Input((sizes[0],)), *layers, KIT.layers.Dense(sizes[1])])


class Gan(KIT.Model):  # type: ignore[misc]
    """What the DCGAN example of Keras has, on vectors; its noise comes from a tf.random.Generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.discriminator, self.generator = network(5, 1, dropout=0.3), network(3, 5)
        self.noise = tf.random.Generator.from_seed(7)
        self.steps_seen = tf.Variable(0.0, trainable=False)

    def compile(self, d_optimizer: Any, g_opt: Any) -> None:  # noqa: ANN401
        """As the example has it."""
        super().compile()
        self.d_optimizer, self.g_opt = d_optimizer, g_opt
        self.d_loss, self.g_loss = KIT.metrics.Mean(name="d_loss"), KIT.metrics.Mean(name="g_loss")

    @property
    def metrics(self) -> list[Any]:
        """What each epoch begins anew."""
        return [self.d_loss, self.g_loss]

    def get_config(self) -> dict[str, Any]:
        """Without which a .keras file cannot be written."""
        return {}

    def train_step(self, real: Any) -> dict[str, Any]:  # noqa: ANN401
        """The discriminator's step, then the generator's."""
        cross_entropy = KIT.losses.BinaryCrossentropy(from_logits=True)
        ones, zeros = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))
        made = self.generator(self.noise.normal((BATCH, 3)), training=True)
        with tf.GradientTape() as tape:
            judged = self.discriminator(tf.concat([made, real], 0), training=True)
            d_loss = cross_entropy(tf.concat([ones, zeros], 0), judged)
        apply(self.d_optimizer, tape, d_loss, self.discriminator)
        with tf.GradientTape() as tape:
            made = self.generator(self.noise.normal((BATCH, 3)), training=True)
            g_loss = cross_entropy(zeros, self.discriminator(made, training=True)) / (1 + self.steps_seen)
        apply(self.g_opt, tape, g_loss, self.generator)
        self.steps_seen.assign_add(0.1)
        self.d_loss.update_state(d_loss)
        self.g_loss.update_state(g_loss)
        return {"d_loss": self.d_loss.result(), "g_loss": self.g_loss.result()}


class CallableGan(Gan):
    """One that Keras can call, and so save by weights."""

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: ANN401
        """Judge data."""
        return self.discriminator(x, training=training)


def apply(optimizer: Any, tape: Any, loss: Any, model: Any) -> None:  # noqa: ANN401
    """One step of an optimizer."""
    gradients = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights))  # noqa: B905 - Python 3.9


def live(case: str, folder: Path, *, is_whole: bool, stop: int | None) -> None:
    """One life of the job: to its end, or until it kills itself."""
    from waypoint_resume import Waypoint

    tf.config.experimental.enable_op_determinism()
    name, every, has_call = CASES[case]
    KIT.utils.set_random_seed(1)
    if KIT.__version__.startswith("2."):
        KIT.backend.experimental.enable_tf_random_generator()
    model = (CallableGan if has_call else Gan)()
    model.compile(KIT.optimizers.Adam(0.01), KIT.optimizers.Adam(0.02))
    run, noted = folder / case, folder / f"{case}-losses.txt"
    saver = KIT.callbacks.ModelCheckpoint(
        f"{run}/{name}", save_freq=every, save_weights_only=not name.endswith(".keras")
    )
    batches = iter(range(10_000))

    def note(_batch: int, logs: dict[str, float]) -> None:
        with noted.open("a") as file:
            file.write(
                f"{int(model.g_opt.iterations.numpy())} {float(logs['d_loss']).hex()} {float(logs['g_loss']).hex()}\n"
            )
        if next(batches) + 1 == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    noting = KIT.callbacks.LambdaCallback(on_train_batch_end=note)
    data = tf.data.Dataset.from_tensor_slices(X).shuffle(len(X), seed=3).batch(BATCH)
    callbacks = [noting] if is_whole else [noting, saver, Waypoint(run)]
    model.fit(data, epochs=EPOCHS, callbacks=callbacks, verbose=0)
    own = [item.variables for item in (model.d_optimizer, model.g_opt)]
    values = [
        *model.weights,
        *(value for held in own for value in (held() if callable(held) else held)),
        model.steps_seen,
    ]
    ended = {"values": [np.asarray(value).tobytes().hex() for value in values], "losses": noted.read_text()}
    (folder / f"{case}{'-whole' * is_whole}.json").write_text(json.dumps(ended))
    noted.unlink()


def forked(case: str, folder: Path, *, is_whole: bool, stop: int | None = None) -> int:
    """Run a life in a process of its own; how it ended."""
    if pid := os.fork():
        return os.waitpid(pid, 0)[1]
    with (folder / f"{case}.txt").open("a") as said:
        os.dup2(said.fileno(), 2)
    status = 1
    with contextlib.suppress(BaseException):
        try:
            live(case, folder, is_whole=is_whole, stop=stop)
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    """Run the cases."""
    folder = Path(sys.argv[2])
    for case in CASES:
        assert forked(case, folder, is_whole=True) == 0, case
        assert forked(case, folder, is_whole=False, stop=KILLED_AFTER) == signal.SIGKILL, case
        assert forked(case, folder, is_whole=False) == 0, case


if __name__ == "__main__":
    main()
