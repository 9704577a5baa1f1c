"""Runs whose training was ended by SIGKILL, as a preempted machine or the out-of-memory killer does."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

from trainers import data, logs
from trainers.common import BATCH, Callback, Fit, Loop, batches, make_step, must_fall, pace, seed_everything

PATIENCE_S = 60


def _start(work: Callable[[Path], None], run: Path) -> SpawnProcess:
    """Start `work(run)` in a new process: a kill has to hit a process that is not this one."""
    process = get_context("spawn").Process(target=work, args=(run,))
    process.start()
    return process


def build_char_lm(run: Path) -> Loop:
    """A stack of GRU layers with Adam, of which three saves are kept."""
    import keras
    import tensorflow as tf

    seed_everything(5)
    layers = keras.layers
    letters = keras.Input((16,), dtype="int32", name="letters")
    model = keras.Sequential([letters, layers.Embedding(28, 24, name="table")], name="char_lm")
    for depth in range(2):
        model.add(layers.GRU(40, return_sequences=True, name=f"gru{depth}"))
    model.add(layers.Dense(28, name="next_letter"))
    settings = {"optimizer": "Adam", "learning_rate": 4e-3, "batch_size": BATCH, "units": 40, "layers": 2}
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    step = make_step(model, optimizer, loss)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model, optimizer=optimizer), str(run / "checkpoints"), max_to_keep=3
    )
    measure = logs.held_out(model, *data.characters(200, part=1), loss=loss)
    note = logs.every(5, optimizer, measure, logs.json_lines(run / "train_log.jsonl"))

    def begin() -> None:
        logs.write_json(run / "config.json", settings)

    stream = batches(*data.characters(1000))
    return Loop(manager=manager, step=step, stream=stream, every=15, save=manager.save, note=note, begin=begin)


def _train_char_lm(run: Path) -> None:
    """Train and save again and again, until somebody kills this process."""
    loop = build_char_lm(run)
    must_fall(loop.train(4), run.name)
    loop.train(35)


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
        shutil.rmtree(run)
        run.mkdir()
    raise RuntimeError("the kill never hit a save in flight")


def build_speech_commands(run: Path) -> Fit:
    """A recurrent model with Adam, saved by BackupAndRestore alone.

    At the end of a training Keras deletes what this callback saved, unless told not to: it is all that this run has.
    """
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
    settings = {"optimizer": "Adam", "learning_rate": 2e-3, "batch_size": BATCH, "filters": 12}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss)

    def callbacks() -> list[Callback]:
        backup = keras.callbacks.BackupAndRestore(str(run / "backup"), double_checkpoint=True, delete_checkpoint=False)
        return [backup, keras.callbacks.CSVLogger(str(run / "training.csv"), append=True), pace(keras)]

    x, y = data.utterances(640)
    parts = {"x": x, "y": y, "validation_data": data.utterances(160, part=1)}

    def begin() -> None:
        logs.write_json(run / "args.json", settings)

    return Fit(model=model, data=parts, steps=20, callbacks=callbacks, begin=begin)


def _train_speech_commands(run: Path) -> None:
    """Fit and die in the seventh epoch, in the middle of an update."""
    import keras

    losses: list[float] = []

    class Preemption(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        """The machine goes away at a fixed batch."""

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras passes both
            """Note the epoch's loss."""
            losses.append(logs["loss"])

        def on_train_batch_begin(self, batch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - the same
            """Kill this very process at batch 5 of epoch 7 (counted from 0: 6)."""
            if len(losses) == 6 and batch == 5:
                must_fall(losses, run.name)
                os.kill(os.getpid(), signal.SIGKILL)

    build_speech_commands(run).train(20, more=[Preemption()])


def speech_commands(run: Path) -> None:
    """Make a run that only left its BackupAndRestore folder."""
    process = _start(_train_speech_commands, run)
    process.join()
    if process.exitcode != -signal.SIGKILL or not (run / "backup" / "training_metadata.json").exists():
        raise RuntimeError(f"expected a killed training with a backup, got exit code {process.exitcode}")
