"""A fresh start passes over nothing in silence that the catalog names: it is refused, or says what it passed over."""

import bz2
import gzip
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
import tensorflow as tf

from waypoint_resume import ResumeError, resume

Model = Any  # Keras has no types
SHARD = "data-00000-of-00001"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 99\n"

pytestmark = pytest.mark.usefixtures("one_job")


def a_model() -> Model:
    """A model as every start makes it anew."""
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def bundle(prefix: Path) -> None:
    """A bundle of a model."""
    tf.train.Checkpoint(model=a_model()).write(str(prefix))


def pack(path: Path, ending: str = "gz") -> None:
    """A compressed file in the place of a plain one."""
    data = path.read_bytes()
    path.with_name(f"{path.name}.{ending}").write_bytes((bz2 if ending == "bz2" else gzip).compress(data))
    path.unlink()


def save(path: Path) -> Path:
    """A model that Keras saved."""
    path.parent.mkdir(exist_ok=True)
    a_model().save(path)
    return path


def packed_bundle(run: Path) -> None:
    """A bundle of which every file is compressed."""
    bundle(run / "ckpt-1")
    pack(run / "ckpt-1.index")
    pack(run / f"ckpt-1.{SHARD}")


def an_export(run: Path) -> Path:
    """A SavedModel below folders."""
    module = tf.Module()
    module.w = tf.Variable(1.0)
    tf.saved_model.save(module, str(run / "out/export/1"))
    return run / "out/export/1"


def temp_save(run: Path) -> None:
    """A save that a kill ended before its parts were merged."""
    (run / "ckpt-1_temp").mkdir()
    bundle(run / "ckpt-1_temp/part-00000-of-00001")


def temp_save_of_two(run: Path) -> None:
    """The same of a save of two parts."""
    temp_save(run)
    for path in list((run / "ckpt-1_temp").iterdir()):
        ending = path.name[len("part-00000-of-00001") :]
        for number in (0, 1):
            shutil.copy(path, path.with_name(f"part-{number:05}-of-00002{ending}"))
        path.unlink()


def pointer_for_shard(run: Path) -> None:
    """A bundle whose values were not fetched."""
    bundle(run / "ckpt-1")
    (run / f"ckpt-1.{SHARD}").write_text(POINTER)


def pointer_for_sharded(run: Path) -> None:
    """Sharded weights of which a shard was not fetched."""
    a_model().save_weights(run / "w.weights.json", max_shard_size=1e-7)
    next(iter(sorted(run.glob("w_*.weights.h5")))).write_text(POINTER)


def keras_folder(run: Path) -> Path:
    """A model that Keras saved into a folder."""
    a_model().save(run / "m", zipped=False)
    return run / "m"


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a packed .keras": (lambda run: pack(save(run / "e1.keras")), r"e1\.keras\.gz: .*gunzip"),
    "a packed model in HDF5": (lambda run: pack(save(run / "sub/m.h5"), "bz2"), r"sub/m\.h5\.bz2: .*bunzip2"),
    "a packed bundle": (packed_bundle, r"ckpt-1\.index\.gz: .*gunzip"),
    "a packed SavedModel": (lambda run: pack(an_export(run) / "saved_model.pb"), "saved_model.pb.gz: .*gunzip"),
    "packed weights of a folder": (lambda run: pack(keras_folder(run) / "model.weights.h5"), "gunzip"),
    "a SavedModel below": (an_export, r"out/export/1: it is of a kind \(saved-model\)"),
    "a folder of checkpoints that is not mounted": (
        lambda run: (run / "ckpts").symlink_to("/not/mounted/ckpts"),
        "ckpts: it is a link to /not/mounted/ckpts, where nothing is",
    ),
    "a checkpoint that is not mounted": (
        lambda run: (run / "best.keras").symlink_to("/not/mounted/e3.keras"),
        "best.keras: it is a link to",
    ),
    "a whole save in a temporary folder": (temp_save_of_two, "ckpt-1_temp: it is a whole save"),
    "a shard that is a pointer": (pointer_for_shard, "git lfs pull"),
    "a shard of weights that is a pointer": (pointer_for_sharded, r"w\.weights\.json is sharded"),
    "a part of a folder that is a pointer": (
        lambda run: (keras_folder(run) / "config.json").write_text(POINTER),
        "git lfs pull",
    ),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_training_could_go_on_from_stops_a_fresh_start(
    run: Path, make: Callable[[Path], object], said: str
) -> None:
    make(run)
    with pytest.raises(ResumeError, match=said):
        resume(run, model=a_model())
    start = resume(run, model=a_model(), fresh=True)
    assert start.source is None
    assert start._decision.lease is not None
    start._decision.lease.release()


def without(run: Path, name: str) -> None:
    """A bundle without one of its files."""
    bundle(run / "ckpt-1")
    (run / name).unlink()


def cut_temp_save(run: Path) -> None:
    """A save that a kill ended while a part was written."""
    temp_save(run)
    (run / f"ckpt-1_temp/part-00000-of-00001.{SHARD}").write_bytes(b"")


def safetensors(run: Path) -> None:
    """What another framework's job reads."""
    (run / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


SAID: dict[str, tuple[Callable[[Path], object], str]] = {
    "shards without an index": (lambda run: without(run, "ckpt-1.index"), "ckpt-1 is passed over.*index is missing"),
    "an index without shards": (lambda run: without(run, f"ckpt-1.{SHARD}"), "ckpt-1 is passed over.*shards are"),
    "half a save in a temporary folder": (
        cut_temp_save,
        "ckpt-1_temp/part-00000-of-00001 is passed over, it cannot be restored",
    ),
    "what a save was writing": (
        lambda run: (run / f"ckpt-1.{SHARD}.tempstate17").write_bytes(b"x"),
        "tempstate17 is passed over.*not finished",
    ),
    "an Orbax save that holds nothing yet": (
        lambda run: (run / "7.orbax-checkpoint-tmp-12/default").mkdir(parents=True),
        r"7\.orbax-checkpoint-tmp-12 is passed over.*not finished",
    ),
    "safetensors": (safetensors, r"model\.safetensors: passed over"),
    "Flax": (lambda run: (run / "checkpoint_3").write_bytes(b"\x81\xa1w\xc7"), "checkpoint_3: passed over"),
    "a link to data that are not mounted": (lambda run: (run / "data").symlink_to("/not/mounted/d"), "data is passed"),
    "a state file about what is gone": (
        lambda run: (run / "checkpoint").write_text('model_checkpoint_path: "ckpt-5"\n'),
        "checkpoint names .*/ckpt-5, which is not there",
    ),
    "an archive of checkpoints": (
        lambda run: (run / "checkpoints.tgz").write_bytes(gzip.compress(b"x")),
        r"checkpoints\.tgz is passed over: it is an archive",
    ),
    "what cannot be unpacked here": (lambda run: (run / "m.h5.zst").write_bytes(b"x"), r"m\.h5\.zst is passed over"),
}


@pytest.mark.parametrize(("make", "said"), SAID.values(), ids=SAID)
def test_remains_and_other_formats_are_said(run: Path, make: Callable[[Path], object], said: str) -> None:
    make(run)
    start = resume(run, model=a_model())
    assert start.source is None
    (warning,) = start.warnings
    assert re.search(said, warning)


def test_a_project_with_data_logs_and_weights_beside_the_run_begins_without_a_word(run: Path) -> None:
    save(run.parent / "pretrained/base.keras")
    bundle(run.parent / "pretrained/ckpt-1")
    (run / "data").mkdir()
    with h5py.File(run / "data/train.h5", "w") as file:
        file["x"] = np.zeros((100, 3))
    shutil.copy(run / "data/train.h5", run / "data/test.hdf5")
    pack(run / "data/test.hdf5")
    np.savez(run / "data/x.npz", x=np.zeros(99))
    (run / "data/words.index").write_bytes(b"x" * 200)
    (run / "data/images.tar.gz").write_bytes(gzip.compress(b"x"))
    (run / "data/text.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (run / "data/records.msgpack").write_bytes(b"\x93\x01\x02\x03")
    (run / "model_temp").mkdir()
    (run / "model_temp/notes.txt").write_text("x" * 200)
    (run / "latest.log").symlink_to(run / "gone.log")
    (run / "training.csv").write_text("epoch,loss\n")
    with tf.summary.create_file_writer(str(run / "logs/train")).as_default():
        tf.summary.scalar("loss", 1.0, step=1)
    start = resume(run, model=a_model())
    assert (start.source, start.warnings) == (None, [])
