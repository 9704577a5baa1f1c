"""Saves small models with Keras, tf-keras and Orbax, in every form they have; run in a process of its own.

Keras, tf-keras and JAX warn, start threads and keep memory: the tests read what this leaves in a folder, and compare
with `expected.json`, in which Keras says itself what it saved.
"""

import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow", JAX_PLATFORMS="cpu")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

FOLDER = sys.argv[1]
X, Y = np.zeros((16, 4), "float32"), np.zeros((16, 2), "float32")
EXPECTED: dict[str, object] = {"keras": keras.__version__, "tensorflow": tf.__version__}


def at(name: str) -> str:
    """A path in the folder; Orbax wants absolute ones."""
    return os.path.join(os.path.abspath(FOLDER), name)


def note(name: str, model: "keras.Model | tf_keras.Model") -> None:
    """What a model has, by its own word."""
    variables = getattr(getattr(model, "optimizer", None), "variables", ())
    EXPECTED[name] = {
        "weights": sorted([list(w.shape), keras.backend.standardize_dtype(w.dtype)] for w in model.weights),
        "parameters": int(model.count_params()),
        "optimizer": len(variables() if callable(variables) else variables),
    }


def network() -> keras.Model:
    """A layer of each kind that matters: plain, with untrained weights, with a generator's state."""
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2),
        ]
    )


class Nested(keras.Model):  # type: ignore[misc]
    """A subclassed model with its layers in a list, a recurrent one, and a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [keras.layers.Dense(2), keras.layers.LSTM(3)]
        self.scale = self.add_weight(shape=(2,), name="scale")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """The list's layers, one after the other."""
        y = self.parts[0](x) * self.scale
        return self.parts[1](keras.ops.expand_dims(y, 1))[:, :2]


class Gan(keras.Model):  # type: ignore[misc]
    """Two networks with an optimizer each, and metrics as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminator = network(), network()
        self.g_optimizer, self.d_optimizer = keras.optimizers.Adam(), keras.optimizers.SGD()
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Not needed for training."""
        return self.discriminator(x)


def fit(model: "keras.Model | tf_keras.Model", optimizer: object, callbacks: tuple[object, ...] = ()) -> None:
    """Two epochs of four steps."""
    model.compile(optimizer, "mse")
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=list(callbacks))


def save(name: str, model: keras.Model, *endings: str) -> None:
    """A model in several forms."""
    note(name, model)
    for ending in endings:
        (model.save_weights if ending == ".weights.h5" else model.save)(at(name + ending))


def keras_3() -> None:
    """Keras 3's formats."""
    save("plain", network(), ".keras", ".h5", ".weights.h5")
    model = network()
    backup = keras.callbacks.BackupAndRestore(at("backup"), delete_checkpoint=False)
    fit(model, "adam", (backup,))
    save("adam", model, ".keras", ".h5", ".weights.h5")
    model.save_weights(at("sharded.weights.json"), max_shard_size=3e-7)
    tf.saved_model.save(model, at("saved_model"))
    model.export(at("export"), verbose=False)
    for name, weights_only in (("orbax", False), ("orbax_weights", True)):
        callback = keras.callbacks.OrbaxCheckpoint(
            at(name), save_freq="epoch", max_to_keep=2, save_weights_only=weights_only
        )
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[callback])
    model = network()
    fit(model, keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
    save("scaled", model, ".keras", ".h5", ".weights.h5")
    model = Nested()
    fit(model, keras.optimizers.AdamW())
    save("nested", model, ".keras", ".weights.h5")
    gan = Gan()
    gan(X)
    gan.g_optimizer.build(gan.generator.trainable_variables)
    gan.d_optimizer.build(gan.discriminator.trainable_variables)
    gan.g_optimizer.iterations.assign(30)
    gan.d_optimizer.iterations.assign(50)
    gan.save_weights(at("gan.weights.h5"))
    keras.config.set_dtype_policy("bfloat16")
    save("bfloat", network(), ".weights.h5")
    keras.config.set_dtype_policy("float32")


def keras_2() -> None:
    """tf-keras' formats."""
    optimizers = {
        "tfk_new": tf_keras.optimizers.Adam(),
        "tfk_legacy": tf_keras.optimizers.legacy.Adam(),
        "tfk_scaled": tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.Adam()),
    }
    for name, optimizer in optimizers.items():
        model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(4,))])
        fit(model, optimizer)
        note(name, model)
        model.save(at(name + ".h5"))
        model.save(at(name + ".keras"))
        model.save_weights(at(name + ".weights.h5"))
    model.save_weights(at("tfk_weights.h5"))
    model.save(at("tfk_saved_model"), save_format="tf")


keras_3()
keras_2()
with open(at("expected.json"), "w", encoding="utf-8") as file:
    json.dump(EXPECTED, file)
