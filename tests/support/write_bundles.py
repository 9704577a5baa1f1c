"""Saves small models as bundles in every way there is, with Keras 3 (`keras`) or tf-keras (`tf_keras`), in a process of
its own.

What each save holds is written to `expected-KIND.json`, by the word of the models and optimizers themselves.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

FOLDER, KIND = Path(sys.argv[1]), sys.argv[2]
X, Y = np.zeros((8, 4), "float32"), np.zeros((8, 2), "float32")
EXPECTED: dict[str, Any] = {}


def nbytes(variables: Iterable[tf.Variable]) -> int:
    """Stored bytes of some variables, each counted once."""
    return sum(int(np.asarray(v).nbytes) for v in {id(v): v for v in variables}.values())


def note(prefix: str, weights: Sequence[tf.Variable], state: Sequence[tf.Variable] = (), **more: object) -> None:
    """What the bundle `prefix` holds: weights, the optimizers' own variables, and numbers of its own."""
    count = sum(int(np.prod(v.shape)) for v in weights)
    EXPECTED[prefix] = {"parameters": count, "weights": nbytes(weights), "optimizer": nbytes(state), **more}


def at(name: str) -> str:
    """A prefix in the folder, its own subfolder made."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def network() -> keras.Model:
    """A layer with trained, and one with untrained weights."""
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    )


def fitted(model: keras.Model, optimizer: keras.Optimizer) -> keras.Model:
    """A model after two steps."""
    model.compile(optimizer, "mse", run_eagerly=True)
    model.fit(X, Y, batch_size=4, verbose=0)
    return model


class Nested(keras.Model):  # type: ignore[misc]
    """A subclassed model: a layer, a model inside, weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner = keras.layers.Dense(4), network()
        self.scale = self.add_weight(shape=(2,), name="scale")
        self.last_gain = self.add_weight(shape=(2,), name="last_gain")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """One after the other."""
        return self.inner(self.first(x)) * self.scale * self.last_gain


class Gan(keras.Model):  # type: ignore[misc]
    """Two networks with an optimizer each, as Keras' examples have it, with trackers as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminator = network(), network()
        self.g_optimizer, self.d_optimizer = keras.optimizers.Adam(), keras.optimizers.RMSprop()
        self.gen_loss_tracker = keras.metrics.Mean(name="generator_loss")
        self.disc_loss_tracker = keras.metrics.Mean(name="discriminator_loss")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """The generator alone."""
        return self.generator(x)


class Tracked(tf_keras.Model):  # type: ignore[misc]
    """Metrics as attributes, which Keras 2 stores beside the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = tf_keras.layers.Dense(2)
        self.loss_tracker = tf_keras.metrics.Mean(name="loss")
        self.accuracy = tf_keras.metrics.MeanSquaredError()
        self.auc = tf_keras.metrics.AUC(num_thresholds=3)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """The layer alone."""
        return self.layer(x)


class Module(tf.Module):  # type: ignore[misc]
    """No Keras at all."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(tf.zeros((3, 2)), name="w")
        self.step_size = tf.Variable(tf.zeros((3,)), name="b")
        self.count = tf.Variable(0, dtype=tf.int64, trainable=False)


def apply(optimizer: keras.Optimizer, variables: Iterable[tf.Variable], times: int) -> None:
    """Train some variables with zero gradients."""
    for _ in range(times):
        optimizer.apply_gradients([(tf.zeros_like(v), v) for v in variables])


def optimizers() -> None:
    """A compiled model with each optimizer, saved through the model."""
    kinds = {
        "adam": keras.optimizers.Adam(),
        "sgd": keras.optimizers.SGD(momentum=0.9),
        "adamw": keras.optimizers.AdamW(),
        "schedule": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    }
    for name, optimizer in kinds.items():
        model = fitted(network(), optimizer)
        prefix = f"{name}/ckpt-1"
        tf.train.Checkpoint(model).save(at(f"{name}/ckpt"))
        note(prefix, model.weights, optimizer.variables, step=[2, "optimizer/_iterations"], saves=1)
    keras.config.set_dtype_policy("mixed_float16")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    model = fitted(network(), scaled)
    tf.train.Checkpoint(model=model, optimizer=scaled).write(at("scaled/w"))
    source = "optimizer/inner_optimizer/_iterations"
    note("scaled/w", model.weights, [*scaled.variables, *scaled.inner_optimizer.variables], step=[2, source])
    keras.config.set_dtype_policy("float32")


def shapes_of_models() -> None:
    """Models of several kinds, and several ways to hand them over."""
    model = network()
    tf.train.Checkpoint(model).write(at("plain/w"))
    note("plain/w", model.weights)
    model = fitted(Nested(), "adam")
    tf.train.Checkpoint(model).write(at("nested/w"))
    note("nested/w", model.weights, model.optimizer.variables, step=[2, "optimizer/_iterations"])
    rnn = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Embedding(7, 3),
            keras.layers.Bidirectional(keras.layers.LSTM(2)),
            keras.layers.Dense(1),
        ]
    )
    rnn.compile("adam", "mse", run_eagerly=True)
    rnn.fit(np.zeros((8, 5), "int32"), np.zeros((8, 1)), batch_size=4, verbose=0)
    tf.train.Checkpoint(model=rnn, optimizer=rnn.optimizer).save(at("rnn/ckpt"))
    note("rnn/ckpt-1", rnn.weights, rnn.optimizer.variables, step=[2, "optimizer/_iterations"], saves=1)
    gan = Gan()
    gan(X)
    apply(gan.g_optimizer, gan.generator.trainable_variables, 3)
    apply(gan.d_optimizer, gan.discriminator.trainable_variables, 5)
    state = [*gan.g_optimizer.variables, *gan.d_optimizer.variables]
    weights = [*gan.generator.weights, *gan.discriminator.weights]
    tf.train.Checkpoint(gan).write(at("gan/whole"))
    note("gan/whole", weights, state, step=[5, "d_optimizer/_iterations"])
    parts = {"generator": gan.generator, "discriminator": gan.discriminator}
    tf.train.Checkpoint(**parts, go=gan.g_optimizer, do=gan.d_optimizer).save(at("gan/parts"))
    note("gan/parts-1", weights, state, step=[5, "do/_iterations"], saves=1)
    tf.train.Checkpoint(**parts).write(at("gan/models"))
    note("gan/models", weights)


def hand_made() -> None:
    """Checkpoints of training loops: other names, only the optimizer, counters, modules, generators, iterators."""
    model = fitted(network(), "adam")
    opt = model.optimizer
    own = {"net": model, "opt": opt, "epoch": tf.Variable(4, dtype=tf.int64), "best_loss": tf.Variable(0.5)}
    tf.train.Checkpoint(**own).write(at("names/w"))
    note("names/w", model.weights, opt.variables, step=[2, "opt/_iterations"], epoch=[4, "epoch"])
    step = tf.Variable(9, dtype=tf.int64)
    tf.train.Checkpoint(optimizer=opt, step=step).write(at("only_optimizer/w"))
    note("only_optimizer/w", model.trainable_variables, opt.variables, step=[2, "optimizer/_iterations"])
    tf.train.Checkpoint(opt).save(at("root_optimizer/ckpt"))
    note("root_optimizer/ckpt-1", model.trainable_variables, opt.variables, step=[2, "_iterations"], saves=1)
    tf.train.Checkpoint(model=network(), step=step).write(at("step/w"))
    note("step/w", network().weights, step=[9, "step"])
    tf.train.Checkpoint(model=network(), step=tf.Variable(3.0)).write(at("float_step/w"))
    note("float_step/w", network().weights)
    small = tf.Variable(200, dtype=tf.uint8)
    tf.train.Checkpoint(model=network(), global_step=small, step=step).write(at("global_step/w"))
    note("global_step/w", network().weights, step=[200, "global_step"])
    parts = {"model": network(), "step": tf.Variable(2**63 + 1, dtype=tf.uint64)}
    tf.train.Checkpoint(**parts).write(at("huge_step/w"))
    note("huge_step/w", network().weights)
    module = Module()
    tf.train.Checkpoint(module=module).write(at("module/w"))
    note("module/w", [module.w, module.step_size])
    generator = tf.random.Generator.from_seed(1)
    tf.train.Checkpoint(model=model, optimizer=opt, rng=generator).write(at("generator/w"))
    note("generator/w", model.weights, opt.variables, step=[2, "optimizer/_iterations"], other=24)
    iterator = iter(tf.data.Dataset.range(9))
    next(iterator)
    tf.train.Checkpoint(model=model, iterator=iterator).write(at("iterator/w"))
    note("iterator/w", model.weights, opt.variables, step=[2, "model/optimizer/_iterations"])
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
    table.insert(["a", "bc"], [1.0, 2.0])
    names = tf.Variable(["x", "yz"])
    tf.train.Checkpoint(model=network(), table=table, names=names).write(at("table/w"))
    note("table/w", network().weights)


def sharded() -> None:
    """Several shards, with variables cut at their borders; the series of one model."""
    model = fitted(network(), "adam")
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=100)
    options = tf.train.CheckpointOptions(experimental_sharding_callback=policy)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(at("sharded/w"), options=options)
    note("sharded/w", model.weights, model.optimizer.variables, step=[2, "optimizer/_iterations"])
    one = fitted(network(), "adam")
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=one, optimizer=one.optimizer), at("series/"), 5)
    for number in range(1, 4):
        manager.save()
        step = [2 * number, "optimizer/_iterations"]
        note(f"series/ckpt-{number}", one.weights, one.optimizer.variables, step=step, saves=number)
        one.fit(X, Y, batch_size=4, verbose=0)


def name_based() -> None:
    """TF1's Saver, with a partitioned variable."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        step = v1.train.get_or_create_global_step()
        with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(3)):
            cut = v1.get_variable("cut", (7, 2), use_resource=False)
        whole = v1.get_variable("whole", (5,))
        loss = tf.reduce_sum(tf.convert_to_tensor(cut)) + tf.reduce_sum(whole)
        train = v1.train.AdamOptimizer().minimize(loss, step)
        session.run(v1.global_variables_initializer())
        for _ in range(4):
            session.run(train)
        v1.train.Saver().save(session, at("tf1/model.ckpt"), global_step=step)
    EXPECTED["tf1/model.ckpt-4"] = {"parameters": 19, "weights": 76, "optimizer": 160, "step": [4, "global_step"]}


def graph_optimizers() -> None:
    """Keras 2's optimizers in a graph under TF1's Saver, as TF2's Estimators save them."""
    v1 = tf.compat.v1
    kinds = {  # with how many slots for each variable, and how many settings
        "tfk_graph_adam": (tf_keras.optimizers.legacy.Adam, {}, 2, 4),
        "tfk_graph_ftrl": (tf_keras.optimizers.legacy.Ftrl, {}, 2, 6),
        "tfk_graph_adagrad": (tf_keras.optimizers.legacy.Adagrad, {}, 1, 2),
        "tfk_graph_momentum": (tf_keras.optimizers.legacy.SGD, {"momentum": 0.9}, 1, 3),
    }
    for name, (kind, options, slots, settings) in kinds.items():
        with tf.Graph().as_default(), v1.Session() as session:
            v1.train.get_or_create_global_step()
            weights = [v1.get_variable("linear/w", (5, 3)), v1.get_variable("linear/b", (3,))]
            with v1.name_scope("training"):
                made = kind(**options)
                train = made.get_updates(tf.add_n([tf.reduce_sum(w * w) for w in weights]), weights)
            session.run(v1.global_variables_initializer())
            for _ in range(4):
                session.run(train)
            v1.train.Saver().save(session, at(f"{name}/model.ckpt"))
        state = slots * 72 + settings * 4 + 8
        source = f"training/{kind.__name__}/iter"
        EXPECTED[f"{name}/model.ckpt"] = {"parameters": 18, "weights": 72, "optimizer": state, "step": [4, source]}


def tf_keras_forms() -> None:
    """Keras 2: its own weights form and Checkpoint, with new and legacy optimizers."""
    decay = tf_keras.optimizers.schedules.CosineDecay(0.1, 10)
    legacy = tf_keras.optimizers.legacy
    # With the bytes that are stored beside what `variables` lists: learning rate, `beta_1` and the like, loss scale.
    kinds = {
        "tfk_adam": (tf_keras.optimizers.Adam(), 4),
        "tfk_schedule": (tf_keras.optimizers.SGD(decay), 4),
        "tfk_legacy_adam": (legacy.Adam(), 16),
        "tfk_legacy_sgd": (legacy.SGD(), 12),
        "tfk_legacy_momentum": (legacy.SGD(momentum=0.9), 12),
        "tfk_legacy_schedule": (legacy.SGD(decay), 8),
        "tfk_scaled": (tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.Adam()), 16),
        "tfk_legacy_scaled": (tf_keras.mixed_precision.LossScaleOptimizer(legacy.SGD()), 24),
    }
    for name, (optimizer, more) in kinds.items():
        layers = [tf_keras.layers.Dense(3, input_shape=(4,)), tf_keras.layers.BatchNormalization()]
        model = tf_keras.Sequential([*layers, tf_keras.layers.Dense(2)])
        model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
        model.fit(X, Y, batch_size=4, verbose=0)
        model.save_weights(at(f"{name}/cp.ckpt"), save_format="tf")
        tf.train.Checkpoint(model=model, optimizer=optimizer).save(at(f"{name}/ckpt"))
        variables = optimizer.variables
        found = list(variables() if callable(variables) else variables)
        source = "optimizer/iter" if "legacy" in name else "optimizer/_iterations"
        state = [*found, np.zeros(more, "int8")]
        note(f"{name}/cp.ckpt", model.weights, state, step=[2, source])
        note(f"{name}/ckpt-1", model.weights, state, step=[2, source], saves=1)
    model = tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,))])
    model.save_weights(at("tfk_plain/w"), save_format="tf")
    note("tfk_plain/w", model.weights)
    tracked = Tracked()
    tracked(X)
    tracked.save_weights(at("tfk_tracked/w"), save_format="tf")
    note("tfk_tracked/w", tracked.layer.weights, other=4 * (2 + 2 + 4 * 3))


if KIND == "keras":
    optimizers()
    shapes_of_models()
    hand_made()
    sharded()
    name_based()
else:
    tf_keras_forms()
    graph_optimizers()
(FOLDER / f"expected-{KIND}.json").write_text(json.dumps(EXPECTED), encoding="utf-8")
