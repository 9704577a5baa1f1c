"""Saves a model before and after some training in each format, and an Orbax tree with other values; and what NumPy
makes of the values that TensorFlow, h5py and Orbax themselves read back. Run in a process of its own.
"""

import json
import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.update(JAX_PLATFORMS="cpu", KERAS_BACKEND="tensorflow")

import h5py
import jax
import keras
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import tensorflow as tf

FOLDER = Path(sys.argv[1]).absolute()
EXPECTED: dict[str, Any] = {}
Values = Mapping[str, Any]


def note(left: str, right: str, read: Callable[[Path], Values]) -> None:
    """What NumPy makes of two checkpoints: the relative distance, the cosine, the largest difference."""
    ours, theirs = read(FOLDER / left), read(FOLDER / right)
    told = {}
    for name, one in ours.items():
        if np.asarray(one).dtype.kind in "OSU":
            continue
        wide = np.complex128 if np.iscomplexobj(one) else np.float64
        a, b = (np.asarray(value).astype(wide).ravel() for value in (one, theirs[name]))
        apart, norms = np.linalg.norm(a - b), np.linalg.norm(a) * np.linalg.norm(b)
        norm = np.linalg.norm(a)
        relative = float(apart / norm) if norm else None
        cosine = float(np.vdot(a, b).real / norms) if norms else None
        told[name] = [relative, cosine, float(np.abs(a - b).max()), a.size]
    EXPECTED[f"{left} {right}"] = told


def of_bundle(prefix: Path) -> Values:
    """By TensorFlow's own reader."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def of_hdf5(path: Path) -> Values:
    """By h5py."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def of_keras(path: Path) -> Values:
    """By h5py, out of the zip."""
    with zipfile.ZipFile(path) as archive:
        target = FOLDER / "unpacked"
        return of_hdf5(Path(archive.extract("model.weights.h5", target)))


def of_folder(path: Path) -> Values:
    """By h5py, out of the folder."""
    return of_hdf5(path / "model.weights.h5")


def of_shards(path: Path) -> Values:
    """By h5py, all shards."""
    found: dict[str, Any] = {}
    for shard in sorted(path.parent.glob(f"{path.name.removesuffix('.weights.json')}_*.weights.h5")):
        found |= of_hdf5(shard)
    return found


def of_orbax(path: Path) -> Values:
    """By Orbax."""
    tree = ocp.PyTreeCheckpointer().restore(path)
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {"/".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path): leaf for path, leaf in leaves}


def of_training() -> None:
    """A model of Keras in each format, twice."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(40, "relu"), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    x, y = np.random.default_rng(1).random((32, 6)), np.random.default_rng(2).random((32, 3))
    model.fit(x, y, verbose=0)
    small = tf.train.CheckpointOptions(
        experimental_sharding_callback=tf.train.experimental.MaxShardSizePolicy(max_shard_size=300)
    )
    for name in ("keras", "h5", "whole", "folder", "pieces", "bundle", "cut"):
        (FOLDER / name).mkdir()
    for side in "ab":
        model.save(FOLDER / "keras" / f"{side}.keras")
        model.save_weights(FOLDER / "h5" / f"{side}.weights.h5")
        model.save(FOLDER / "whole" / f"{side}.h5")
        model.save(FOLDER / "folder" / side, zipped=False)
        model.save_weights(FOLDER / "pieces" / f"{side}.weights.json", max_shard_size=1e-6)
        both = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        both.write(str(FOLDER / "bundle" / side))
        both.write(str(FOLDER / "cut" / side), options=small)
        model.fit(x, y, epochs=3, verbose=0)
    note("keras/a.keras", "keras/b.keras", of_keras)
    note("h5/a.weights.h5", "h5/b.weights.h5", of_hdf5)
    note("whole/a.h5", "whole/b.h5", of_hdf5)
    note("folder/a", "folder/b", of_folder)
    note("pieces/a.weights.json", "pieces/b.weights.json", of_shards)
    note("bundle/a", "bundle/b", of_bundle)
    note("cut/a", "cut/b", of_bundle)


def of_jax() -> None:
    """A tree of several dtypes in the forms that Orbax has, twice."""

    def tree(seed: int) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        return {
            "params": {
                "kernel": random.normal(size=(300, 70)).astype("float32"),
                "layers": [random.normal(size=9).astype(ml_dtypes.bfloat16), random.random((2, 2)).astype("float16")],
            },
            "waves": (random.normal(size=5) + 1j * random.normal(size=5)).astype("complex64"),
            "flags": random.random(8) > 0.5,
            "count": np.int64(seed),
        }

    kinds: dict[str, dict[str, Any]] = {"ocdbt": {}, "plain": {"use_ocdbt": False}, "zarr3": {"use_zarr3": True}}
    for kind, options in kinds.items():
        for step in (1, 2):
            ocp.PyTreeCheckpointer(**options).save(FOLDER / kind / str(step), tree(step))
        note(f"{kind}/1", f"{kind}/2", of_orbax)


of_training()
of_jax()
(FOLDER / "expected-pairs.json").write_text(json.dumps(EXPECTED))
