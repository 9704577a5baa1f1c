"""One of several workers that resume a run, told apart by TF_CONFIG: `worker_job.py RUN [mirrored]`.

Prints a line when its objects are made, which checkpoint it restored with its variables, and, where they are mirrored
by MultiWorkerMirroredStrategy, the weights after a step in which each worker adds 1 + its step to them.
"""

import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import tensorflow as tf

from waypoint_resume import ResumeError, resume

strategy = tf.distribute.MultiWorkerMirroredStrategy() if "mirrored" in sys.argv else tf.distribute.get_strategy()
with strategy.scope():
    step, weights = tf.Variable(0, dtype=tf.int64), tf.Variable(tf.zeros(3), aggregation=tf.VariableAggregation.SUM)
checkpoint = tf.train.Checkpoint(step=step, weights=weights)


def say(line: str) -> None:
    """A line to the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


say("ready")
sys.stdin.readline()
try:
    with strategy.scope():
        start = resume(sys.argv[1], checkpoint=checkpoint)
    said = {"source": start.source, "step": start.step, "weights": weights.numpy().tolist()}
except ResumeError as error:
    said = {"error": str(error)}
say(json.dumps(said))
if "mirrored" in sys.argv:
    strategy.run(tf.function(lambda: weights.assign_add(tf.fill((3,), 1 + tf.cast(step, tf.float32)))))
    say(json.dumps(weights.numpy().tolist()))
sys.stdin.readline()
