"""Jobs that people write, killed with -9 again and again: `killed_jobs.py FOLDER SEED KILLS JOB:WAY[:manifest]…`.

A job's training runs once unbroken (`FOLDER/JOB/unbroken`), and for each case it is killed KILLS times at random
moments and started again each time (`FOLDER/JOB/CASE-1`); should it be done before, another one is (`CASE-2`…). The
tests compare what each training wrote: the loss of every step that it ever made, and at its end every weight, optimizer
variable, rate and callback's memory.

The framework is imported once, here or in the server of jobs of which this is a fork (tests/support/jobs.py); each
life of a job is a forked process, which is what keeps a life to about a second.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

JAX = "--jax" in sys.argv
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",
    CUDA_VISIBLE_DEVICES="",
    KERAS_BACKEND="jax" if JAX else "tensorflow",
    JAX_PLATFORMS="cpu",
    TF_ENABLE_ONEDNN_OPTS="0",
)
if JAX:
    # As where TensorFlow is not installed: Keras would import it in each life, to seed it.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    # What one life compiled the next one takes.
    os.environ.update(
        JAX_COMPILATION_CACHE_DIR=f"{sys.argv[1]}/compiled",
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
    )

sys.path.insert(0, str(Path(__file__).parents[2]))

import keras  # noqa: E402 - the backend is chosen before
import numpy as np  # noqa: E402

from tests.support.job_server import leave  # noqa: E402

if not JAX:
    import tensorflow as tf

STEPS, BATCH, EPOCHS, LOOP_STEPS = 6, 4, 7, 48
DATA = np.random.default_rng(0)
X = DATA.normal(size=(STEPS * BATCH, 5)).astype("float32")
Y = DATA.normal(size=(STEPS * BATCH, 1)).astype("float32")


class Journal:
    """What a training did, appended line by line, so that a kill loses none of it: `STEP LOSS`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def step(self, step: int, *losses: float) -> None:
        """Note the losses of a step, exactly."""
        line = f"{step} {' '.join(float(loss).hex() for loss in losses)}\n"
        handle = os.open(self.folder / "steps.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.write(handle, line.encode())
        os.close(handle)
        time.sleep(0.004)  # a step of these models takes less than a kill

    def end(self, values: list[Any], **facts: object) -> None:
        """Note what the training ended with."""
        told = {"values": [np.asarray(value).tobytes().hex() for value in values], **facts}
        (self.folder / "end.json").write_text(json.dumps(told))


class Noted(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes the loss of each batch of fit()."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras has no types
        """Note the running mean that Keras logs, which tells any difference in the epoch so far."""
        self.journal.step(int(self.params["epoch"]) * STEPS + batch, logs["loss"])

    def on_epoch_begin(self, epoch: int, _logs: Any = None) -> None:  # noqa: ANN401
        """Remember which epoch it is."""
        self.params["epoch"] = epoch


def fit_with_six_callbacks(run: Path, journal: Journal, way: str) -> None:
    """fit() with what people give it; Dropout, shuffled data, a rate that falls, an early end."""
    from waypoint_resume import Waypoint, resume

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Input((5,)),
            keras.layers.Dense(8, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
    stopping = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5)
    run.mkdir(parents=True, exist_ok=True)
    callbacks = [
        keras.callbacks.ModelCheckpoint(run / "epoch-{epoch:02d}.keras"),
        stopping,
        plateau,
        keras.callbacks.CSVLogger(run / "log.csv"),
        Noted(journal),
    ]
    data: Any = {"x": X, "y": Y, "batch_size": BATCH, "shuffle": False}
    if not JAX:
        callbacks.append(keras.callbacks.BackupAndRestore(run / "backup", save_freq=4))
        callbacks.append(keras.callbacks.TensorBoard(run / "logs", write_graph=False))
        data = {"x": tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(len(X), seed=3).batch(BATCH)}
    given: dict[str, Any] = {}
    if way == "callback":
        callbacks.append(Waypoint(run))
    elif way == "resume":
        start = resume(run, model=model, steps_per_epoch=STEPS)
        callbacks.append(start.guard)
        given["initial_epoch"] = start.epoch
    model.fit(**data, epochs=EPOCHS, callbacks=callbacks, validation_data=(X[:8], Y[:8]), verbose=0, **given)
    facts = {"wait": stopping.wait, "best": float(stopping.best), "plateau": [plateau.wait, float(plateau.best)]}
    values = [*model.weights, *model.optimizer.variables]
    journal.end([keras.ops.convert_to_numpy(value) for value in values], **facts)


def loop_with_a_manager(run: Path, journal: Journal, way: str) -> None:
    """A loop of its own with a CheckpointManager that keeps three, the iterator among what is saved; Dropout."""
    from waypoint_resume import resume

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.layers.Input((5,)), keras.layers.Dense(8), keras.layers.Dropout(0.4), keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.Adam(0.05)
    iterator = iter(tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(len(X), seed=3).repeat().batch(BATCH))
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(step=step, optimizer=optimizer, model=model, iterator=iterator)
    manager = tf.train.CheckpointManager(checkpoint, run / "ckpts", max_to_keep=3)
    start = resume(run, manager=manager) if way == "resume" else None

    @tf.function  # type: ignore[untyped-decorator]
    def train(x: Any, y: Any) -> Any:  # noqa: ANN401
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    while int(step) < LOOP_STEPS:
        journal.step(int(step), float(train(*next(iterator))))
        step.assign_add(1)
        if int(step) % 3 == 0:
            manager.save()
    if start is not None:
        start.finish()
    journal.end([value.numpy() for value in [*model.weights, *optimizer.variables, step]])


def dcgan(run: Path, journal: Journal, way: str) -> None:
    """The loop of TensorFlow's DCGAN tutorial: two models, two optimizers, a Checkpoint of all four, random noise."""
    from waypoint_resume import resume

    keras.utils.set_random_seed(1)
    tf.random.set_seed(1)
    generator = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(6, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.LeakyReLU(),
            keras.layers.Dense(5, activation="tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.layers.Input((5,)),
            keras.layers.Dense(6),
            keras.layers.LeakyReLU(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    generator_optimizer, discriminator_optimizer = keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2)
    checkpoint = tf.train.Checkpoint(
        generator_optimizer=generator_optimizer,
        discriminator_optimizer=discriminator_optimizer,
        generator=generator,
        discriminator=discriminator,
    )
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    start = resume(run, checkpoint=checkpoint, steps_per_epoch=STEPS) if way == "resume" else None

    @tf.function  # type: ignore[untyped-decorator]
    def train(images: Any, noise: Any) -> Any:  # noqa: ANN401
        with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
            made = generator(noise, training=True)
            real, fake = discriminator(images, training=True), discriminator(made, training=True)
            gen_loss = cross_entropy(tf.ones_like(fake), fake)
            disc_loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
        generator_optimizer.apply_gradients(
            zip(gen_tape.gradient(gen_loss, generator.trainable_variables), generator.trainable_variables)  # noqa: B905 - as the tutorial has it
        )
        discriminator_optimizer.apply_gradients(
            zip(
                disc_tape.gradient(disc_loss, discriminator.trainable_variables),
                discriminator.trainable_variables,
                strict=True,
            )
        )
        return gen_loss, disc_loss

    for epoch in range(start.epoch if start is not None else 0, EPOCHS):
        for number in range(STEPS):
            noise = np.random.default_rng((epoch, number)).normal(size=(BATCH, 3)).astype("float32")
            images = X[number * BATCH : (number + 1) * BATCH]
            journal.step(epoch * STEPS + number, *map(float, train(images, noise)))
        checkpoint.save(run / "ckpt")
    if start is not None:
        start.finish()
    parts = [generator, discriminator, generator_optimizer, discriminator_optimizer]
    journal.end([value.numpy() for part in parts for value in part.variables])


def two_workers(run: Path, journal: Journal, way: str) -> None:
    """A loop under MultiWorkerMirroredStrategy in two processes; the chief keeps what it saves, the other does not."""
    ports = [free_port() for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    tasks = []
    for index in range(2):
        if not (pid := os.fork()):
            os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            work(run, journal, way, index)
            leave(0)
        tasks.append(pid)
    if sum(os.waitpid(pid, 0)[1] for pid in tasks):
        raise RuntimeError("a worker failed")


def work(run: Path, journal: Journal, way: str, index: int) -> None:
    """One of the two workers."""
    from waypoint_resume import resume

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        weights, velocity = (tf.Variable(tf.zeros((5, 1))) for _ in range(2))
        step = tf.Variable(0, dtype=tf.int64, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        checkpoint = tf.train.Checkpoint(weights=weights, velocity=velocity, step=step)
    own = run / "ckpts" if index == 0 else journal.folder / "thrown-away"
    manager = tf.train.CheckpointManager(checkpoint, own, max_to_keep=3)
    start = None
    if way == "resume":
        with strategy.scope():
            start = resume(run, **({"manager": manager} if index == 0 else {"checkpoint": checkpoint}))

    @tf.function  # type: ignore[untyped-decorator]
    def train(x: Any, y: Any) -> Any:  # noqa: ANN401
        def one(x: Any, y: Any) -> Any:  # noqa: ANN401
            error = x @ weights - y
            gradient = tf.matmul(x, error, transpose_a=True) / BATCH
            total = tf.distribute.get_replica_context().all_reduce("sum", gradient)
            velocity.assign(0.9 * velocity - 0.01 * total)
            weights.assign_add(velocity)
            return tf.reduce_mean(error**2)

        return strategy.reduce("sum", strategy.run(one, (x, y)), axis=None)

    while int(step.numpy()) < LOOP_STEPS:
        at = (int(step.numpy()) + index) % STEPS * BATCH
        loss = float(train(X[at : at + BATCH], Y[at : at + BATCH]))
        if index == 0:
            journal.step(int(step.numpy()), loss)
        step.assign_add(1)
        if int(step.numpy()) % 3 == 0:
            manager.save()
    if index == 0:
        journal.end([value.numpy() for value in (weights, velocity, step)])
        if start is not None:
            start.finish()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


JOBS: dict[str, Callable[[Path, Journal, str], None]] = {
    "fit": fit_with_six_callbacks,
    "manager": loop_with_a_manager,
    "dcgan": dcgan,
    "workers": two_workers,
}


# How many steps a life makes at the most: so many that some lives save, and so few that a training has many lives.
MOST = {"fit": 8, "manager": 6, "dcgan": 9, "workers": 6}


def live(job: str, way: str, run: Path, folder: Path) -> None:
    """One life of a job, in this process."""
    if not JAX and job != "workers":  # which would make the runtime before the cluster is known
        tf.config.experimental.enable_op_determinism()
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    if way == "launched":
        from waypoint_resume.wrapped_fit import wrap_fit

        os.environ["WAYPOINT_RUN"] = str(run)
        wrap_fit(keras.Model)  # what `python -m waypoint_resume run` does in the process of the script
    JOBS[job](run, Journal(folder), way)


def begun(job: str, way: str, run: Path, folder: Path) -> int:
    """The process of a new life."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        out = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(out, 1)
        os.dup2(out, 2)
        live(job, way, run, folder)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it was, it is told and is the end of this process
        traceback.print_exc()
    leave(status)
    return 0


def lines_of(path: Path) -> int:
    """A file's lines, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def killed(
    job: str, way: str, folder: Path, kills: int, chance: random.Random, before: Callable[[int, Path], None]
) -> list[int]:
    """Live until the job is done, killed so many times: each after so many steps of a life, or before its first."""
    folder.mkdir(parents=True)
    run = folder / "run"
    moments: list[int] = []
    while True:
        before(len(moments), run)
        noted = lines_of(folder / "steps.txt")
        pid = begun(job, way, run, folder)
        last = chance.randrange(MOST[job]) if len(moments) < kills else 10**9
        if not moments:
            last += MOST[job]  # so that something is there to be handed over, and to be lost
        while (steps := lines_of(folder / "steps.txt") - noted) <= last:
            if (done := os.waitpid(pid, os.WNOHANG))[0]:
                return ended(folder, done[1], moments)
            if moments and last < 10**9 and not steps and chance.random() < 0.0002:
                break  # before any step of this life: while it is made, decides or restores
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))
        if (done := os.waitpid(pid, os.WNOHANG))[0]:
            return ended(folder, done[1], moments)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        moments.append(lines_of(folder / "steps.txt") - noted)


def ended(folder: Path, status: int, moments: list[int]) -> list[int]:
    """How many steps each life made; an error if the last life failed."""
    if status:
        sys.exit(f"{folder}: the job ended with {status}\n{(folder / 'output.txt').read_text()[-6000:]}")
    return moments


def hand_over(run: Path) -> dict[str, str]:
    """Hand the newest checkpoint over of which the dashboard does not warn that no state was kept beside it, and go
    back to it where a newer one is there; its files' hashes by name.
    """
    from core.config.settings import Settings
    from core.resume.manifest import Mode
    from core.services.resume import propose, resume_from
    from core.services.workspace import Workspace

    workspace = Workspace.open(Settings(roots=(str(run.parent),), home=run.parent.parent / "home", actor="ada"))
    try:
        workspace.refresh()
        [found] = [item for item in workspace.runs() if item.path == run.name]
        members = [item for item in workspace.members(found.root, found.path) if item.restorable]
        for picked in sorted(members, key=lambda item: item.saved_at, reverse=True):
            proposal = propose(workspace, picked)
            if proposal.mode is Mode.FORK:  # a run that changed a moment ago
                proposal = propose(workspace, picked, Mode.REWIND)
            warnings = [warning.id for warning in proposal.warnings]
            if "not-in-the-file" in warnings:
                continue
            resume_from(workspace, picked, proposal, note="", accepted=warnings, confirm=run.name)
            names = [f"{picked.folder}/{file.name}".lstrip("/") for file in picked.files]
            return {name: hashlib.sha256((run.parent / name).read_bytes()).hexdigest() for name in names}
        return {}
    finally:
        workspace.close()


def main() -> None:
    """Run the cases; of each its trainings as JSON: the folder, how many steps each life made, what was handed over."""
    folder, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    gc.collect()
    gc.freeze()  # a life that goes through all that was imported, again and again, costs twice as much
    said: dict[str, Any] = {}
    for case in (name for name in sys.argv[4:] if not name.startswith("--")):
        job, way, has_manifest = (*case.split(":"), "")[:3]
        chance = random.Random(f"{seed} {case}")
        if not (unbroken := folder / job / "unbroken").exists():
            killed(job, "", unbroken, 0, chance, lambda _number, _run: None)
        trainings: list[dict[str, Any]] = []
        while (left := kills - sum(len(one["lives"]) for one in trainings)) > 0:
            place = folder / job / f"{case.replace(':', '-')}-{len(trainings) + 1}"
            picked: dict[str, str] = {}

            def before(number: int, run: Path, picked: dict[str, str] = picked, wanted: str = has_manifest) -> None:
                if wanted and number >= 2 and not picked:
                    picked.update(hand_over(run))

            lives = killed(job, way, place, left, chance, before)
            trainings.append({"folder": str(place), "lives": lives, "picked": picked})
        said[case] = trainings
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
