"""Saves small models with Keras 3 (`keras`) or tf-keras (`tf_keras`), in every form they have, in a process of its own.

Keras, tf-keras and Orbax warn, start threads and keep memory: the tests read what this leaves in a folder, and compare
with `expected-KIND.json`, in which the models say themselves what was saved.
"""

import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow", JAX_PLATFORMS="cpu")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

FOLDER, KIND = sys.argv[1:3]
X, Y = np.zeros((16, 4), "float32"), np.zeros((16, 2), "float32")
EXPECTED: dict[str, object] = {"keras": keras.__version__, "tensorflow": tf.__version__}


def at(name: str) -> str:
    """A path in the folder; Orbax wants absolute ones."""
    return os.path.join(os.path.abspath(FOLDER), name)


def note(name: str, model: "keras.Model | tf_keras.Model") -> None:
    """What a model has, by its own word."""
    optimizer = getattr(model, "optimizer", None)
    variables = getattr(optimizer, "variables", ())
    counted = getattr(optimizer, "inner_optimizer", optimizer)
    EXPECTED[name] = {
        "weights": sorted([list(w.shape), keras.backend.standardize_dtype(w.dtype)] for w in model.weights),
        "parameters": int(model.count_params()),
        "bytes": sum(int(np.asarray(w).nbytes) for w in model.weights),
        "optimizer": len(variables() if callable(variables) else variables),
        "class": type(optimizer).__name__ if optimizer else None,
        "step": int(counted.iterations) if counted else None,
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


def recurrent() -> keras.Model:
    """Layers with cells, wrapped."""
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((4,)), layers.Embedding(7, 3), layers.Bidirectional(layers.LSTM(2)), layers.Dense(2)]
    )


def stacked() -> keras.Model:
    """A functional model in another, with a layer that is used twice."""
    inputs, twice = keras.Input((4,)), keras.layers.Dense(4)
    return keras.Model(inputs, keras.layers.add([network()(twice(twice(inputs))), keras.layers.Dense(2)(inputs)]))


class Trainer(Gan):
    """Keras' own example of a GAN: `compile` takes both optimizers, and makes an unused one besides."""

    def compile(self, d_optimizer: keras.Optimizer, g_optimizer: keras.Optimizer) -> None:
        """Both optimizers as attributes."""
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer


def fit(model: "keras.Model | tf_keras.Model", optimizer: object, callbacks: tuple[object, ...] = ()) -> None:
    """Two epochs of four steps."""
    model.compile(optimizer, "mse", run_eagerly=True)
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=list(callbacks))


def save(name: str, model: keras.Model, *endings: str) -> None:
    """A model in several forms."""
    note(name, model)
    for ending in endings:
        (model.save_weights if ending == ".weights.h5" else model.save)(at(name + ending))


def optimizers() -> None:
    """Models of several kinds, each with another optimizer or none, by Keras 3."""
    save("plain", network(), ".keras", ".h5", ".weights.h5")
    model = network()
    model.compile("adam", "mse")
    save("compiled", model, ".keras", ".h5", ".weights.h5")
    tf.saved_model.save(network(), at("plain_saved_model"))
    decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
    kinds: dict[str, tuple[keras.Model, keras.Optimizer]] = {
        "momentum": (network(), keras.optimizers.SGD(momentum=0.9)),
        "schedule": (stacked(), keras.optimizers.AdamW(decay)),
        "rnn": (recurrent(), keras.optimizers.RMSprop()),
        "gathered": (network(), keras.optimizers.Adam(gradient_accumulation_steps=3)),
    }
    for name, (model, optimizer) in kinds.items():
        fit(model, optimizer)
        save(name, model, ".keras", ".h5", ".weights.h5")


def keras_3() -> None:
    """Keras 3's formats."""
    keras.utils.clear_session()  # names are numbered from here, and some tests tell them
    model = network()
    backup = keras.callbacks.BackupAndRestore(at("backup"), delete_checkpoint=False)
    double = keras.callbacks.BackupAndRestore(at("double"), double_checkpoint=True, delete_checkpoint=False)
    fit(model, "adam", (backup, double))
    save("adam", model, ".keras", ".h5", ".weights.h5")
    model.save_weights(at("sharded.weights.json"), max_shard_size=3e-7)
    tf.saved_model.save(model, at("saved_model"))
    model.export(at("export"), verbose=False)
    for name, weights_only in (("orbax", False), ("orbax_weights", True)):
        callback = keras.callbacks.OrbaxCheckpoint(
            at(name), save_freq="epoch", max_to_keep=2, save_weights_only=weights_only
        )
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[callback])
    note("orbax", model)
    model = network()
    fit(model, keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
    save("scaled", model, ".keras", ".h5", ".weights.h5")
    subclassed()
    keras.config.set_dtype_policy("bfloat16")
    save("bfloat", network(), ".weights.h5")
    keras.config.set_dtype_policy("mixed_float16")
    model = network()
    callback = keras.callbacks.OrbaxCheckpoint(at("orbax_mixed"), save_freq=8)
    fit(model, "adam", (callback,))
    save("mixed", model, ".keras", ".h5", ".weights.h5")
    keras.config.set_dtype_policy("float32")
    module = tf.Module()
    module.w, module.n = tf.Variable(tf.zeros((3, 2))), tf.Variable(0, dtype=tf.int64, trainable=False)
    tf.saved_model.save(module, at("module"))
    optimizers()


def subclassed() -> None:
    """Classes of models with several networks and optimizers, by Keras 3."""
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
    gan.save(at("gan.keras"))
    trainer = Trainer()
    trainer(X)
    trainer.compile(keras.optimizers.SGD(), keras.optimizers.Adam())
    trainer.g_optimizer.build(trainer.generator.trainable_variables)
    trainer.d_optimizer.build(trainer.discriminator.trainable_variables)
    trainer.g_optimizer.iterations.assign(30)
    trainer.d_optimizer.iterations.assign(50)
    trainer.save_weights(at("trainer.weights.h5"))
    note("trainer", trainer)


def keras_2() -> None:
    """tf-keras' formats."""
    optimizers = {
        "tfk_new": tf_keras.optimizers.Adam(),
        "tfk_legacy": tf_keras.optimizers.legacy.Adam(),
        "tfk_scaled": tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.Adam()),
    }
    optimizers["tfk_legacy_sgd"] = tf_keras.optimizers.legacy.SGD(momentum=0.9)
    optimizers["tfk_adamw"] = tf_keras.optimizers.AdamW()
    for name, optimizer in optimizers.items():
        model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(4,))])
        fit(model, optimizer)
        note(name, model)
        model.save(at(name + ".h5"))
        model.save(at(name + ".keras"))
        model.save_weights(at(name + ".weights.h5"))
    model.save(at("tfk_hdf5.keras"), save_format="h5")
    model.save_weights(at("tfk_weights.h5"))
    model.save(at("tfk_saved_model"), save_format="tf")
    note("tfk_saved_model", model)
    layers = tf_keras.layers
    plain = tf_keras.Sequential([layers.Embedding(7, 3, input_length=4), layers.GRU(2), layers.BatchNormalization()])
    for ending in (".h5", ".keras", ".weights.h5"):
        (plain.save_weights if ending == ".weights.h5" else plain.save)(at("tfk_plain" + ending))
    plain.save(at("tfk_plain_saved_model"), save_format="tf")
    note("tfk_plain", plain)
    model = tf_keras.Sequential([layers.Dense(2, input_shape=(4,))])
    backup = tf_keras.callbacks.BackupAndRestore(at("tfk_backup"), delete_checkpoint=False)
    fit(model, tf_keras.optimizers.Adam(), (backup,))
    note("tfk_backup", model)


(keras_3 if KIND == "keras" else keras_2)()
with open(at(f"expected-{KIND}.json"), "w", encoding="utf-8") as file:
    json.dump(EXPECTED, file)
