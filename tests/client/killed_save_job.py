"""A loop with a CheckpointManager: `killed_save_job.py RUN OUT KILLED`; in its save number KILLED it is killed with -9,
after TensorFlow wrote its part and before that gets its name. OUT gets a line for each step: its number and loss.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops import gen_io_ops

from waypoint_resume import resume

STEPS = 6


def kill_in_save(number: int) -> None:
    """End this process in its so-manieth save, where the parts are there and their merge is about to begin."""
    own, begun = gen_io_ops.merge_v2_checkpoints, [0]

    def merge(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - TensorFlow's own
        begun[0] += 1
        if begun[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return own(*args, **named)

    gen_io_ops.merge_v2_checkpoints = merge


def main() -> None:
    """Train to the end, or to the kill; print what was restored, and what TensorFlow itself restores of it."""
    run, out, killed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    kill_in_save(killed)
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    optimizer, step = keras.optimizers.Adam(0.1), tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step)
    manager = tf.train.CheckpointManager(checkpoint, run / "ckpts", max_to_keep=3)
    start = resume(run, manager=manager)
    own = [item.numpy().tolist() for item in (*model.weights, *optimizer.variables, step)]
    if start.source is not None:
        checkpoint.restore(str(run / start.source)).assert_consumed()
    theirs = [item.numpy().tolist() for item in (*model.weights, *optimizer.variables, step)]
    said = {"source": start.source, "step": int(step), "warnings": start.warnings, "is_exact": own == theirs}
    with out.open("a") as lines:
        while int(step) < STEPS:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(tf.ones((4, 3))) - 5.0) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            lines.write(f"{int(step)} {float(loss).hex()}\n")
            lines.flush()
            step.assign_add(1)
            if int(step) % 2 == 0:
                manager.save()
    start.finish()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
