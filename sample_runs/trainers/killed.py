"""Runs whose training was ended by SIGKILL, as a preempted machine or the out-of-memory killer does."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

from trainers import data
from trainers.common import batches, make_step, must_fall, pause, seed_everything

PATIENCE_S = 60


def _start(work: Callable[[Path], None], run: Path) -> SpawnProcess:
    """Start `work(run)` in a new process: a kill has to hit a process that is not this one."""
    process = get_context("spawn").Process(target=work, args=(run,))
    process.start()
    return process


def _train_char_lm(run: Path) -> None:
    """Train a stack of GRU layers and save again and again, until somebody kills this process."""
    import keras
    import tensorflow as tf

    seed_everything(5)
    layers = keras.layers
    letters = keras.Input((16,), dtype="int32", name="letters")
    model = keras.Sequential([letters, layers.Embedding(28, 24, name="table")], name="char_lm")
    for depth in range(2):
        model.add(layers.GRU(40, return_sequences=True, name=f"gru{depth}"))
    model.add(layers.Dense(28, name="next_letter"))
    optimizer = keras.optimizers.Adam(4e-3)
    step = make_step(model, optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model, optimizer=optimizer), str(run / "checkpoints"), max_to_keep=3
    )
    stream = batches(*data.characters(1000))
    losses = []
    for save in range(1, 40):
        losses += [float(step(*next(stream))) for _ in range(15)]
        pause()
        manager.save()
        if save == 4:
            must_fall(losses, run.name)


def _wait_for_a_save_in_flight(folder: Path, alive: Callable[[], bool]) -> None:
    """Poll as fast as possible until bytes stand in a temporary folder of the fifth or a later save, or time is up."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and alive() and not (folder / "ckpt-4.index").exists():
        time.sleep(0.05)
    while time.monotonic() < end and alive():
        for _ in range(2000):
            try:
                for entry in os.scandir(folder):
                    if entry.name.endswith("_temp") and any(part.stat().st_size for part in os.scandir(entry.path)):
                        return
            except FileNotFoundError:
                continue  # the folder is not there yet, or the save was done between the two looks


def char_lm(run: Path) -> None:
    """Make a run that was killed in the middle of a save: three intact checkpoints and the leftover of the next."""
    folder = run / "checkpoints"
    for _ in range(8):
        process = _start(_train_char_lm, run)
        _wait_for_a_save_in_flight(folder, process.is_alive)
        process.kill()
        process.join()
        if list(folder.glob("ckpt-*_temp/part-*.data-*")):
            return
        # The save was quicker than the kill. Train once more, from nothing.
        shutil.rmtree(folder, ignore_errors=True)
    raise RuntimeError("the kill never hit a save in flight")


def _train_speech_commands(run: Path) -> None:
    """Fit with BackupAndRestore and die in the seventh epoch, in the middle of an update."""
    import keras

    seed_everything(6)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((20, 8)),
            layers.Conv1D(12, 5, activation="relu", name="filters"),
            layers.GRU(16, name="gru"),
            layers.Dense(4, name="word"),
        ],
        name="speech_commands",
    )
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses: list[float] = []

    class Preemption(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        """The machine goes away at a fixed batch."""

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras passes both
            """Note the epoch's loss."""
            losses.append(logs["loss"])
            pause()

        def on_train_batch_begin(self, batch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - the same
            """Kill this very process at batch 5 of epoch 7 (counted from 0: 6)."""
            if len(losses) == 6 and batch == 5:
                must_fall(losses, run.name)
                os.kill(os.getpid(), signal.SIGKILL)

    backup = keras.callbacks.BackupAndRestore(str(run / "backup"), double_checkpoint=True)
    log = keras.callbacks.CSVLogger(str(run / "training.csv"))
    model.fit(*data.utterances(640), epochs=20, batch_size=32, verbose=0, callbacks=[backup, log, Preemption()])


def speech_commands(run: Path) -> None:
    """Make a run that only left its BackupAndRestore folder: Keras deletes it when a training ends well."""
    process = _start(_train_speech_commands, run)
    process.join()
    if process.exitcode != -signal.SIGKILL or not (run / "backup" / "training_metadata.json").exists():
        raise RuntimeError(f"expected a killed training with a backup, got exit code {process.exitcode}")
