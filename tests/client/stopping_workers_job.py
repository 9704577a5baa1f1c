"""One of two workers that train in step, told apart by TF_CONFIG: `stopping_workers_job.py RUN STEPS`.

A loop under MultiWorkerMirroredStrategy that saves every 50 steps by its manager (a worker that is not the chief has a
folder of its own beside the run), and looks for requests at the end of each step. The chief notes the loss of each
step in `RUN.steps`, and at the end all variables in `RUN.end`. `moving` is a mean over the workers: a save reads it
from all of them.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import tensorflow as tf

from waypoint_resume import resume
from waypoint_resume.jobs import is_chief_task

run, steps = Path(sys.argv[1]), int(sys.argv[2])
strategy, is_chief = tf.distribute.MultiWorkerMirroredStrategy(), is_chief_task()
data = np.random.default_rng(0).normal(size=(24, 6)).astype("float32")
with strategy.scope():
    weights, velocity = (tf.Variable(tf.zeros((5, 1))) for _ in range(2))
    moving = tf.Variable(
        0.0,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.MEAN,
    )
    step = tf.Variable(0, dtype=tf.int64, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
    checkpoint = tf.train.Checkpoint(weights=weights, velocity=velocity, moving=moving, step=step)
manager = tf.train.CheckpointManager(checkpoint, run if is_chief else f"{run}-other", max_to_keep=2)
with strategy.scope():
    start = resume(run, manager=manager)


@tf.function  # type: ignore[untyped-decorator]
def train(rows: Any) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """One step of all workers: their gradients are summed."""

    def one(rows: Any) -> Any:  # noqa: ANN401
        error = rows[:, :5] @ weights - rows[:, 5:]
        gradient = tf.matmul(rows[:, :5], error, transpose_a=True) / 4.0
        velocity.assign(0.9 * velocity - 0.01 * tf.distribute.get_replica_context().all_reduce("sum", gradient))
        weights.assign_add(velocity)
        loss = tf.reduce_mean(error**2)
        moving.assign(0.9 * moving + 0.1 * loss)
        return loss

    return strategy.reduce("sum", strategy.run(one, (rows,)), axis=None)


while (number := int(step.numpy())) < steps:
    at = (number + (0 if is_chief else 1)) % 6 * 4
    loss = float(train(data[at : at + 4]))
    if is_chief:
        with Path(f"{run}.steps").open("a") as file:
            file.write(f"{number} {loss.hex()}\n")
    time.sleep(0.01)
    step.assign_add(1)
    if (number + 1) % 50 == 0:
        manager.save()
    start.end_of_step()
values = [value.numpy().tobytes().hex() for value in (weights, velocity, moving, step)]
start.finish()
if is_chief:
    Path(f"{run}.end").write_text("\n".join(values))
