"""Jobs for the tests of snippets: `snippet_job.py save FOLDER` trains and saves below `FOLDER/runs`, each form in a run
of its own; `snippet_job.py run FOLDER` runs every `FOLDER/snippets/RUN.py` after what such a job has already.

`saved.json` holds the values that were saved, `ran.json` for each run what became of it: the start's source and step,
the epochs that were trained, and (for plain calls) the values after the restore. Values are hexadecimal digits.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow", JAX_PLATFORMS="cpu")

import keras
import numpy as np
import orbax.checkpoint as ocp
import tensorflow as tf
import tf_keras

FOLDER = Path(sys.argv[2]).resolve()
RUNS = FOLDER / "runs"
STEPS, SAVED_EPOCHS, EPOCHS = 2, 2, 4
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
GRAPH_VALUES = np.arange(3, dtype="float32")


def built(package: Any, seed: int, *, is_compiled: bool = True) -> Any:  # noqa: ANN401 - either Keras
    """A small model, its first values by a seed; names are counted anew, as in a process of its own."""
    keras.utils.clear_session()
    tf_keras.backend.clear_session()
    package.utils.set_random_seed(seed)
    layers = package.layers
    model = package.Sequential([layers.Input((3,)), layers.Dense(2), layers.Dense(1)])
    if is_compiled:
        model.compile(package.optimizers.Adam(0.01), "mse", run_eagerly=True)
    return model


def data() -> Any:  # noqa: ANN401
    """Four rows a step."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def values(*things: Any) -> list[str]:  # noqa: ANN401
    """The bytes of some variables, or of what holds them."""
    found: list[str] = []
    for thing in things:
        own = getattr(thing, "variables", thing)
        own = own() if callable(own) else own
        found += [np.asarray(value).tobytes().hex() for value in own]
    return found


def save() -> None:
    """Train and save in every form."""
    saved: dict[str, list[str]] = {}

    def place(run: str, name: str) -> str:
        (RUNS / run).mkdir(parents=True, exist_ok=True)
        return str(RUNS / run / name)

    plain = built(keras, 1, is_compiled=False)
    plain.save_weights(place("weights-alone", "last.weights.h5"))
    model, fit = built(keras, 1), {"epochs": SAVED_EPOCHS, "verbose": 0}
    (RUNS / "orbax").mkdir(parents=True)
    orbax = keras.callbacks.OrbaxCheckpoint(str(RUNS / "orbax"), save_on_background=False)
    backup = keras.callbacks.BackupAndRestore(place("bkp", ""), double_checkpoint=True, delete_checkpoint=False)
    model.fit(data(), callbacks=[orbax, backup], **fit)
    model.save(place("keras", "m.keras"))
    model.save(place("h5", "m.h5"))
    model.save_weights(place("weights", "epoch-2.weights.h5"))
    model.save_weights(place("sharded", "w.weights.json"), max_shard_size=2e-7)
    tf.saved_model.save(model, place("export", "m"))
    tf.train.Checkpoint(model).write(place("root", "m"))
    whole = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    tf.train.CheckpointManager(whole, str(RUNS / "manager"), max_to_keep=2).save()
    whole.write(place("checkpoint", "last"))
    # Of BackupAndRestore's two copies the second is the one before the last; alone it stands where a write was killed.
    (RUNS / "bkp" / "latest.weights.h5").unlink()
    saved |= {"sharded": values(model, model.optimizer), "export": values(model)}
    older = built(tf_keras, 1)
    older.fit(data(), **fit)
    older.save(place("tfk-keras", "m.keras"))
    older.save(place("tfk-h5", "m.h5"))
    older.save_weights(place("tfk-weights", "m.weights.h5"))
    older.save_weights(place("tfk-bundle", "cp-2"))
    older.save(place("tfk-saved-model", "m"), save_format="tf")
    tree = {"w": GRAPH_VALUES}
    ocp.PyTreeCheckpointer().save(RUNS / "jax" / "7", tree)
    with ocp.CheckpointManager(RUNS / "jax-manager") as manager:
        manager.save(7, args=ocp.args.StandardSave(tree))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weight = tf.compat.v1.get_variable("w", initializer=GRAPH_VALUES)
        session.run(weight.initializer)
        tf.compat.v1.train.Saver().save(session, place("tf1", "model.ckpt"), global_step=7)
    saved |= dict.fromkeys(("tf1", "jax", "jax-manager"), values([GRAPH_VALUES]))
    (FOLDER / "saved.json").write_text(json.dumps(saved))


def job(run: str) -> dict[str, Any]:
    """What a job of this run has before the snippet; other first values than those that were saved."""
    if run.startswith("jax") or run == "tf1":
        return {"w": tf.compat.v1.get_variable("w", initializer=GRAPH_VALUES * 0)} if run == "tf1" else {}
    package = tf_keras if run.startswith("tfk") else keras
    model = built(package, 2)
    seen: list[int] = []
    note = package.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _logs: seen.append(epoch))
    names: dict[str, Any] = {"model": model, "data": data(), "callbacks": [note], "seen": seen}
    names |= {"EPOCHS": EPOCHS, "STEPS": STEPS, "FIRST": SAVED_EPOCHS}
    if run in ("manager", "checkpoint", "root"):
        parts = {"model": model, "optimizer": model.optimizer}
        names["checkpoint"] = tf.train.Checkpoint(model) if run == "root" else tf.train.Checkpoint(**parts)
        names["manager"] = tf.train.CheckpointManager(names["checkpoint"], str(RUNS / "manager"), max_to_keep=2)

        def train(epoch: int, batch: int) -> None:
            if batch == 0:
                seen.append(epoch)
            model.train_on_batch(X[:4], Y[:4])

        names["train"] = train
    return names


# What a job does with what a plain call restored.
AFTER = {
    "tf1": "    restored = [session.run(w)]\n",
    "jax": "restored = [state['w']]\n",
    "jax-manager": "restored = [state['w']]\n",
    "sharded": "restored = [*model.variables, *model.optimizer.variables]\n",
    "export": "restored = model.variables\n",
}


def run_all() -> None:
    """Run each snippet as it is."""
    ran: dict[str, Any] = {}
    for path in sorted((FOLDER / "snippets").iterdir()):
        ran[path.stem] = ran_one(path.stem, path)
    (FOLDER / "ran.json").write_text(json.dumps(ran))


def ran_one(run: str, path: Path) -> dict[str, Any]:
    """One of them, in a graph of its own where it is TF1's."""
    with tf.Graph().as_default() if run == "tf1" else tf.device(None):
        names = job(run)
        exec(compile(path.read_text() + AFTER.get(run, ""), path, "exec"), names)
        start = names["waypoint"].start if "waypoint" in names else names.get("start")
        told = {} if start is None else {"source": start.source, "step": start.step}
        return {**told, "epochs": names.get("seen"), "values": values(names.get("restored", ()))}


{"save": save, "run": run_all}[sys.argv[1]]()
