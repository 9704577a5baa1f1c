"""A fresh start: only where nothing lies that training could go on from, or all of it is proven damaged."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
import orbax.checkpoint as ocp
import tensorflow as tf

from core.config.settings import load
from core.services.quarantine import undo_batch
from core.services.workspace import Workspace
from waypoint_resume import ResumeError, resume

Model = Any  # Keras has no types
X, Y = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3), np.ones((8, 1), "float32")


pytestmark = pytest.mark.usefixtures("one_job")


def a_model() -> Model:
    """A model that was trained for one step, as every start makes it anew."""
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


def trained() -> Model:
    """The same after a step."""
    model = a_model()
    model.fit(X, Y, batch_size=8, verbose=0)
    return model


def content(run: Path) -> dict[str, bytes]:
    """Every file of a run that is not Waypoint's own."""
    files = (path for path in run.rglob("*") if path.is_file() and ".waypoint" not in path.parts)
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


def bundle(prefix: str) -> None:
    """A bundle of the job's objects."""
    model = trained()
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(prefix)


def orbax_step(folder: Path) -> None:
    """A step of Orbax' own, which no Keras callback wrote."""
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.resolve(), {"w": np.ones(3)})


def renamed(run: Path, name: str, other: str, save: Callable[[Path], object]) -> None:
    """Saved under one name, found under another."""
    save(run / name)
    os.rename(run / name, run / other)


def an_export(run: Path) -> None:
    """A SavedModel for serving."""
    module = tf.Module()
    module.w = tf.Variable(1.0)
    tf.saved_model.save(module, str(run / "export/1"))


def unmarked_orbax(run: Path) -> None:
    """A step as early Orbax left it: without its mark."""
    orbax_step(run / "7")
    (run / "7/_CHECKPOINT_METADATA").unlink()


def unfinished_orbax(run: Path, *, is_whole: bool) -> None:
    """A save that was never renamed; whole or not."""
    orbax_step(run / "7")
    if not is_whole:
        mark = run / "7/_CHECKPOINT_METADATA"
        mark.write_text('{"init_timestamp_nsecs": 1, "commit_timestamp_nsecs": null}')
    os.rename(run / "7", run / "7.orbax-checkpoint-tmp-12")


def killed_in_the_merge(run: Path) -> None:
    """A save that was killed when its data had their name, and its index lay in the temporary folder still."""
    part = run / "ckpt-1_temp/part-00000-of-00001"
    part.parent.mkdir()
    bundle(str(part))
    os.rename(f"{part}.data-00000-of-00001", run / "ckpt-1.data-00000-of-00001")


WHOLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "export": (an_export, "export/1: it is of a kind (saved-model)"),
    "sharded weights": (
        lambda run: trained().save_weights(run / "w.weights.json", max_shard_size=1e-7),
        "w.weights.json is sharded",
    ),
    "Orbax step of another writer": (lambda run: orbax_step(run / "7"), "7: it does not fit"),
    "Orbax step without a mark": (unmarked_orbax, "7: it is of a kind (orbax)"),
    "whole Orbax save under its first name": (
        lambda run: unfinished_orbax(run, is_whole=True),
        "7.orbax-checkpoint-tmp-12: it is a whole Orbax save that was never renamed",
    ),
    "renamed .keras": (
        lambda run: renamed(run, "best.keras", "best.keras.bak", lambda path: trained().save(path)),
        "best.keras.bak: it is of a kind (keras)",
    ),
    "renamed weights": (
        lambda run: renamed(run, "b.weights.h5", "b.old", lambda path: trained().save_weights(path)),
        "b.old: it is of a kind (hdf5)",
    ),
    "renamed index": (
        lambda run: renamed(run, "ckpt-3.index", "ckpt-3.idx", lambda _: bundle(str(run / "ckpt-3"))),
        "ckpt-3.idx: it is a bundle's index under another name",
    ),
    "renamed shard": (
        lambda run: renamed(
            run,
            "ckpt-3.data-00000-of-00001",
            "ckpt-3.data-00000-of-00001.bak",
            lambda _: bundle(str(run / "ckpt-3")),
        ),
        "ckpt-3.data-00000-of-00001.bak: it is a shard under another name",
    ),
    "name that is a dot": (lambda run: bundle(str(run) + "/."), "..index: its name is a dot"),
    "killed in the merge": (
        killed_in_the_merge,
        "move ckpt-1_temp/part-00000-of-00001.index to ckpt-1.index, and it can be restored",
    ),
    "pointer of Git LFS": (
        lambda run: (run / "m.keras").write_text(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 99\n"
        ),
        "git lfs pull",
    ),
    "TF1's": (
        lambda run: tf.raw_ops.SaveV2(
            prefix=str(run / "model-1"), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant([1.0])]
        ),
        "is TF1's kind",
    ),
}


@pytest.mark.parametrize(("save", "said"), WHOLE.values(), ids=WHOLE)
def test_whole_checkpoints_that_are_not_used_stop_a_fresh_start_until_it_is_asked_for(
    run: Path, save: Callable[[Path], object], said: str
) -> None:
    save(run)
    before = content(run)
    with pytest.raises(ResumeError) as caught:
        resume(run, model=a_model())
    assert said in str(caught.value)
    assert "fresh=True" in str(caught.value)
    assert content(run) == before
    start = resume(run, model=a_model(), fresh=True)
    assert start.source is None
    assert content(run) == {}
    assert "Set aside" in start.warnings[0]
    assert start._decision.lease is not None
    start._decision.lease.release()
    settings = load(roots_override=[run.parent]).model_copy(update={"home": run.parents[1] / "home"})
    workspace = Workspace.open(settings)
    workspace.refresh()
    (batch,) = (run / ".waypoint/rewound").iterdir()
    undo_batch(workspace, workspace.find_run("a"), batch.name)
    workspace.close()
    assert content(run) == before


def cut(path: Path, length: int) -> None:
    """A file that ends too early."""
    path.write_bytes(path.read_bytes()[:length])


def cut_bundle(run: Path, part: str, length: int) -> None:
    """A bundle whose part ends too early."""
    bundle(str(run / "ckpt-1"))
    cut(run / f"ckpt-1.{part}", length)


def without_shard(run: Path) -> None:
    """A bundle whose values are gone."""
    bundle(str(run / "ckpt-1"))
    (run / "ckpt-1.data-00000-of-00001").unlink()


def cut_keras(run: Path) -> None:
    """What a kill leaves of a first save."""
    trained().save(run / "e.keras")
    cut(run / "e.keras", 900)


def flipped_keras(run: Path) -> None:
    """A zip whose checksum does not hold."""
    trained().save(run / "e.keras")
    data = bytearray((run / "e.keras").read_bytes())
    data[len(data) // 2] ^= 255
    (run / "e.keras").write_bytes(data)


def cut_weights(run: Path) -> None:
    """An HDF5 file that is shorter than it says."""
    trained().save_weights(run / "e.weights.h5")
    cut(run / "e.weights.h5", 3000)


def data_set(run: Path) -> None:
    """Data for training, which are no checkpoint."""
    with h5py.File(run / "train.h5", "w") as file:
        file["x"] = X


DAMAGED: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "index cut": lambda run: cut_bundle(run, "index", 40),
    "shard cut": lambda run: cut_bundle(run, "data-00000-of-00001", 40),
    "shard gone": without_shard,
    "keras cut": cut_keras,
    "keras flipped": flipped_keras,
    "weights cut": cut_weights,
    "weights empty": lambda run: (run / "e.weights.h5").write_bytes(b""),
    "Orbax save that was not finished": lambda run: unfinished_orbax(run, is_whole=False),
    "a data set in HDF5": data_set,
    "text and tables of others": lambda run: (
        (run / "notes.txt").write_text("x" * 200),
        (run / "000005.ldb").write_bytes(b"x" * 100 + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"),
    ),
}


@pytest.mark.parametrize("save", DAMAGED.values(), ids=DAMAGED)
def test_what_is_proven_damaged_or_no_checkpoint_does_not(run: Path, save: Callable[[Path], object]) -> None:
    save(run)
    before = content(run)
    assert resume(run, model=a_model()).source is None
    assert content(run) == before


def test_a_bundle_without_a_name_is_restored(run: Path) -> None:
    bundle(f"{run}/")
    model = a_model()
    assert resume(run, checkpoint=tf.train.Checkpoint(model=model, optimizer=model.optimizer)).step == 1


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_restored_through_a_link(tmp_path: Path) -> None:
    run = tmp_path / "lr=[0.1]"
    run.mkdir()
    bundle(str(run / "ckpt-1"))
    model = a_model()
    given = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    with pytest.raises(ResumeError, match=r"takes a character in .*lr=\[0\.1\].* for a pattern.*through a link"):
        resume(run, checkpoint=given)
    (tmp_path / "link").symlink_to(run)
    start = resume(tmp_path / "link", checkpoint=given)
    assert (start.source, start.step) == ("ckpt-1", 1)


def test_a_legacy_optimizer_is_named(run: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")

    def a_legacy_model(optimizer: Any) -> Model:  # noqa: ANN401
        model = tf_keras.Sequential([tf_keras.layers.Input((3,)), tf_keras.layers.Dense(1)])
        model.compile(optimizer, "mse", run_eagerly=True)
        return model

    model = a_legacy_model(tf_keras.optimizers.legacy.Adam())
    model.fit(X, Y, verbose=0)
    model.save_weights(str(run / "cp-0001.ckpt"))
    with pytest.raises(ResumeError, match=r"compile with tf_keras\.optimizers\.legacy\.Adam"):
        resume(run, model=a_legacy_model(tf_keras.optimizers.Adam()))


def test_a_shard_that_was_compressed_is_no_damage(run: Path) -> None:
    bundle(str(run / "ckpt-1"))
    shard = run / "ckpt-1.data-00000-of-00001"
    (run / f"{shard.name}.gz").write_bytes(gzip.compress(shard.read_bytes()))
    shard.unlink()
    before = content(run)
    model = a_model()
    with pytest.raises(ResumeError, match=r"ckpt-1\.data-00000-of-00001\.gz is there: gunzip it"):
        resume(run, checkpoint=tf.train.Checkpoint(model=model, optimizer=model.optimizer))
    assert content(run) == before


def test_what_a_worker_saved_for_itself_is_not_gone_on_from(run: Path) -> None:
    bundle(str(run / "ckpt-1"))
    (run / "workertemp_1").mkdir()
    bundle(str(run / "workertemp_1" / "ckpt-9"))
    model = a_model()
    start = resume(run, checkpoint=tf.train.Checkpoint(model=model, optimizer=model.optimizer))
    assert start.source == "ckpt-1"
