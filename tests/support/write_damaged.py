"""Saves small checkpoints of every format, damages copies of them, and asks the library that restores each: run in a
process of its own, `tensorflow` for what TensorFlow, Keras 3 and tf-keras write, `orbax` for Orbax.

In `library-KIND.json` stands, for each damage, why the library does not restore it ('' where it does), and what the
trial restore says. A restore is the whole of it: into the objects that were saved, every value read.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow", JAX_PLATFORMS="cpu")
import h5py
import keras
import numpy as np
import tensorflow as tf

from core.verify import run, trial, trial_program, worker
from tests.support.damages import damaged_copies
from tests.support.keras_files import checkpoints

FOLDER, KIND = Path(sys.argv[1]).absolute(), sys.argv[2]
SAMPLES, COPIES = FOLDER / f"samples-{KIND}", FOLDER / f"copies-{KIND}"
X, Y = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")
warnings.simplefilter("ignore")
logging.getLogger("absl").setLevel(logging.CRITICAL)
tf.get_logger().setLevel(logging.CRITICAL)


def at(sample: str, name: str = "") -> str:
    """A path in a sample's folder, which is made."""
    folder = SAMPLES / sample
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / name) if name else str(folder)


def trained() -> keras.Model:
    """A small model with its optimizer, always the same."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2, name="b")])
    model.compile(keras.optimizers.Adam(), keras.losses.MeanSquaredError(), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    if KIND == "orbax":
        model.train_on_batch(X, Y)
    return model


def reader() -> keras.Model:
    """A model whose vocabulary lies in files of its own."""
    keras.utils.set_random_seed(1)
    words = keras.layers.TextVectorization(name="words")
    words.adapt(["a b", "c d e"])
    return keras.Sequential([keras.Input((), dtype="string"), words, keras.layers.Embedding(9, 2)])


Restore = Callable[[Path], object]
RESTORES: dict[str, tuple[Restore, str]] = {}  # sample → (restore, name of the checkpoint in its folder)


# TensorFlow


class Module(tf.Module):  # type: ignore[misc]
    """A variable, an asset, a table made of it, and a function."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.w = tf.Variable(tf.reshape(tf.range(50.0), (5, 10)))
        self.words = tf.saved_model.Asset(words)
        init = tf.lookup.TextFileInitializer(self.words, tf.string, 0, tf.int64, 1, delimiter=" ")
        self.table = tf.lookup.StaticHashTable(init, -1)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])  # type: ignore[untyped-decorator]
    def __call__(self, word: tf.Tensor) -> tf.Tensor:
        """A word's number."""
        return self.table.lookup(word)


def checkpoint(model: keras.Model) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def graph_saver(version: int) -> tuple[tf.Graph, Any]:
    """A TF1 graph with its Saver."""
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        step = v1.train.get_or_create_global_step()
        w = v1.get_variable("w", (5, 3), use_resource=False, initializer=v1.constant_initializer(2.0))
        v1.train.AdamOptimizer().minimize(tf.reduce_sum(w * w), step)
        return graph, v1.train.Saver(write_version=version)


def write_tensorflow() -> None:
    """Every sample of TensorFlow, Keras 3 and tf-keras."""
    v1 = tf.compat.v1
    model = trained()
    checkpoint(model).write(at("TF2 bundle", "ckpt-1"))
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=100)
    options = tf.train.CheckpointOptions(experimental_sharding_callback=policy)
    checkpoint(model).write(at("TF2 bundle in shards", "ckpt-1"), options=options)
    for sample, version in (("TF1 bundle", v1.train.SaverDef.V2), ("TF1 V1 file", v1.train.SaverDef.V1)):
        graph, saver = graph_saver(version)
        with v1.Session(graph=graph) as session:
            with graph.as_default():
                session.run(v1.global_variables_initializer())
            saver.save(session, at(sample, "model.ckpt"), global_step=7, write_state=False)
    (FOLDER / "words").write_text("a 1\nb 2\n")
    tf.saved_model.save(Module(str(FOLDER / "words")), at("SavedModel", "1"))
    model.save(at("Keras 3 file", "m.keras"))
    reader().save(at("Keras 3 file with words", "m.keras"))
    reader().save(at("Keras folder", "m"), zipped=False)
    model.save_weights(at("Keras 3 weights", "m.weights.h5"))
    model.save_weights(at("Keras 3 weights in shards", "m.weights.json"), max_shard_size=3e-7)
    model.save(at("legacy HDF5", "m.h5"))
    import tf_keras

    model = old_model()
    model.save(at("SavedModel of Keras 2", "1"), save_format="tf")
    model.save_weights(at("legacy HDF5 weights", "m.h5"), save_format="h5")
    model.save(at("Keras 2 file", "m.keras"))
    model.save_weights(at("Keras 2 bundle", "cp-01.ckpt"), save_format="tf")
    assert tf_keras.__version__


def old_model() -> Any:  # noqa: ANN401 (tf-keras has no types)
    import tf_keras

    layers = [tf_keras.layers.Dense(3, input_shape=(4,), name="a"), tf_keras.layers.Dense(2, name="b")]
    model = tf_keras.Sequential(layers)
    model.compile(tf_keras.optimizers.Adam(), tf_keras.losses.MeanSquaredError(), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


def tensorflow_restores() -> None:
    """How each of these samples is restored."""
    import tf_keras

    model, old = trained(), old_model()
    v1 = tf.compat.v1

    def bundle(folder: Path) -> None:
        checkpoint(model).read(str(folder / "ckpt-1")).assert_consumed()

    def saver(version: int) -> Restore:
        graph, made = graph_saver(version)
        session = v1.Session(graph=graph)

        def restore(folder: Path) -> None:
            with graph.as_default():
                made.restore(session, str(folder / "model.ckpt-7"))

        return restore

    def legacy(folder: Path) -> None:
        """Without a model's config the file is one of weights, and a manifest names the other call."""
        with h5py.File(folder / "m.h5") as file:
            is_model = "model_config" in file.attrs
        (keras.models.load_model if is_model else model.load_weights)(folder / "m.h5")

    def saved_model(folder: Path) -> None:
        loaded = tf.saved_model.load(str(folder / "1"))
        assert int(loaded(tf.constant("b"))) == 2

    RESTORES.update(
        {
            "TF2 bundle": (bundle, "ckpt-1"),
            "TF2 bundle in shards": (bundle, "ckpt-1"),
            "TF1 bundle": (saver(v1.train.SaverDef.V2), "model.ckpt-7"),
            "TF1 V1 file": (saver(v1.train.SaverDef.V1), "model.ckpt-7"),
            "SavedModel": (saved_model, "1"),
            "Keras 3 file": (lambda folder: keras.models.load_model(folder / "m.keras"), "m.keras"),
            "Keras 3 file with words": (lambda folder: keras.models.load_model(folder / "m.keras"), "m.keras"),
            "Keras folder": (lambda folder: keras.models.load_model(folder / "m"), "m"),
            "Keras 3 weights": (lambda folder: model.load_weights(folder / "m.weights.h5"), "m.weights.h5"),
            "Keras 3 weights in shards": (
                lambda folder: model.load_weights(folder / "m.weights.json"),
                "m.weights.json",
            ),
            "legacy HDF5": (legacy, "m.h5"),
            "SavedModel of Keras 2": (
                lambda folder: tf.saved_model.load(str(folder / "1")),
                "1",
            ),
            "legacy HDF5 weights": (lambda folder: old.load_weights(folder / "m.h5"), "m.h5"),
            "Keras 2 file": (lambda folder: tf_keras.models.load_model(folder / "m.keras"), "m.keras"),
            "Keras 2 bundle": (
                lambda folder: old.load_weights(str(folder / "cp-01.ckpt")).assert_consumed(),
                "cp-01.ckpt",
            ),
        }
    )


# Orbax


def tree(array: Callable[[Any], Any] = np.asarray) -> dict[str, Any]:
    """A tree as JAX programs have it, with arrays small and large; no flipped byte makes one of its numbers NaN."""
    large = np.random.default_rng(1).integers(0, 1 << 30, (100, 100), "int32")
    return {"params": {"w": array(np.arange(10, dtype="int32")), "large": array(large)}, "step": 7}


def write_orbax() -> None:
    """Every sample of Orbax."""
    import jax.numpy as jnp
    import msgpack  # type: ignore[import-untyped]
    import orbax.checkpoint as ocp

    model = trained()
    for sample, alone in (("Orbax of Keras 3", False), ("Orbax weights of Keras 3", True)):
        callback = keras.callbacks.OrbaxCheckpoint(at(sample), save_weights_only=alone, save_on_background=False)
        model.fit(X, Y, epochs=1, verbose=0, callbacks=[callback])
    options = ocp.CheckpointManagerOptions(best_fn=lambda metrics: metrics["loss"])  # without it none are kept
    with ocp.CheckpointManager(at("Orbax manager"), options=options) as manager:
        manager.save(50, args=ocp.args.StandardSave(tree()), metrics={"loss": 0.3})
    with ocp.CheckpointManager(at("Orbax of JAX")) as manager:
        manager.save(20, args=ocp.args.StandardSave(tree(jnp.asarray)))
    with ocp.CheckpointManager(at("early Orbax")) as manager:
        manager.save(10, args=ocp.args.StandardSave(tree()))
    (SAMPLES / "early Orbax/10/_CHECKPOINT_METADATA").unlink()
    with ocp.CheckpointManager(at("Orbax items")) as manager:
        items = {"state": ocp.args.StandardSave(tree()), "extra": ocp.args.StandardSave({"w": np.zeros(3)})}
        manager.save(60, args=ocp.args.Composite(**items))
    ocp.PyTreeCheckpointer(use_ocdbt=False).save(Path(at("Orbax without a database")) / "30", tree())
    ocp.PyTreeCheckpointer(use_zarr3=True).save(Path(at("Orbax with Zarr 3")) / "40", tree())
    folder = Path(at("T5X")) / "checkpoint_1000"
    ocp.PyTreeCheckpointer(use_ocdbt=False).save(folder, {"target": tree()["params"]})
    for name in ("_CHECKPOINT_METADATA", "_METADATA", "commit_success.txt"):
        (folder / name).unlink(missing_ok=True)
    (folder / "checkpoint").write_bytes(
        msgpack.packb({"target": {n: f"PLACEHOLDER://target.{n}" for n in ("w", "large")}})
    )


def orbax_restores() -> None:
    """How each of these samples is restored."""
    import orbax.checkpoint as ocp

    plain = ocp.PyTreeCheckpointer()

    def manager(folder: Path, step: int) -> None:
        with ocp.CheckpointManager(folder) as made:
            assert made.latest_step() == step, f"latest_step() is {made.latest_step()}"
            made.restore(step, args=ocp.args.StandardRestore())

    def items(folder: Path) -> None:
        with ocp.CheckpointManager(folder) as made:
            assert made.latest_step() == 60, f"latest_step() is {made.latest_step()}"
            args = ocp.args.Composite(state=ocp.args.StandardRestore(), extra=ocp.args.StandardRestore())
            assert made.restore(60, args=args)["extra"] is not None

    def weights(folder: Path) -> None:
        plain.restore(folder / "0" / "pytree")

    RESTORES.update(
        {
            "Orbax of Keras 3": (keras.models.load_model, "0"),
            "Orbax weights of Keras 3": (weights, "0"),
            "Orbax manager": (lambda folder: manager(folder, 50), "50"),
            "Orbax items": (items, "60"),
            "Orbax of JAX": (lambda folder: manager(folder, 20), "20"),
            "early Orbax": (lambda folder: manager(folder, 10), "10"),
            "T5X": (lambda folder: plain.restore(folder / "checkpoint_1000"), "checkpoint_1000"),
            "Orbax without a database": (lambda folder: plain.restore(folder / "30"), "30"),
            "Orbax with Zarr 3": (lambda folder: plain.restore(folder / "40"), "40"),
        }
    )


def refusal(restore: Restore, folder: Path) -> str:
    """Why the library does not restore a folder, '' where it does."""
    try:
        restore(folder)
    except Exception as error:  # noqa: BLE001 (the library's own words are the answer)
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
    return ""


def ours(folder: Path, path: str) -> list[Any]:
    """What Waypoint says of the one checkpoint: a scan's findings, or None where it lists none, what a verification
    comes to, and a trial restore.
    """
    found = checkpoints(folder).get(path)
    if found is None:
        return [None, "", "", False, ""]
    request = run.request_for(str(folder), found)
    answer = worker.answer_to(request, lambda _message: None)
    if "error" in answer:
        outcome, detail = answer["error"]
    else:
        result = run.result_of(answer["result"], found.files, 0.0)
        outcome, detail = result.outcome.value, result.detail
    tried = trial_program.answer_to(trial.request_for(str(folder), found), lambda _message: None)
    rules = [] if found.restorable else [f"{one.rule}: {one.reason}" for one in found.findings]
    return [rules, outcome, detail, tried[0], tried[3]]


def main() -> None:
    """Write, damage, ask."""
    (write_tensorflow if KIND == "tensorflow" else write_orbax)()
    (tensorflow_restores if KIND == "tensorflow" else orbax_restores)()
    answers = []
    for damage in damaged_copies(SAMPLES, COPIES):
        folder = COPIES / damage.folder
        restore, name = RESTORES[damage.sample]
        answers.append([damage.sample, damage.file, damage.kind, refusal(restore, folder), *ours(folder, name)])
    (FOLDER / f"library-{KIND}.json").write_text(json.dumps(answers), encoding="utf-8")


main()
