"""Saves bundles of every kind of tensor with TensorFlow into the folder of the first argument.

`kinds` has one variable of each dtype, `sharded` several shards, `tf1` a partitioned variable. What TensorFlow reads of
them, and how many tensors there are, stands in `expected.json`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
NUMBERS = ["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint64"]
TEXTS = {"none": [], "one": [b"x"], "some": [b"", b"a" * 300, b"\xff\x00", "ß".encode()], "square": [[b"a"], [b"b"]]}


def kinds() -> dict[str, tf.Variable]:
    """One variable of each dtype, empty ones, scalars, strings, and an iterator, whose state is a variant."""
    found = {name: tf.Variable(tf.cast(tf.range(1, 6), name)) for name in NUMBERS}
    found |= {f"text_{name}": tf.Variable(tf.constant(text, tf.string)) for name, text in TEXTS.items()}
    found["word"] = tf.Variable("scalar")
    found["flags"] = tf.Variable([True, False, True])
    found["complex64"] = tf.Variable(tf.complex([1.0, 2.0], [3.0, 4.0]))
    found["complex128"] = tf.Variable(tf.complex(tf.constant(1.0, tf.float64), tf.constant(2.0, tf.float64)))
    found["empty"] = tf.Variable(np.zeros((0, 3), "float32"))
    found["scalar"] = tf.Variable(0.5)
    return found


def partitioned() -> None:
    """TF1's Saver, with a variable in three slices."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(3)):
            v1.get_variable("cut", (7, 2), use_resource=False)
        v1.get_variable("whole", (5,))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(FOLDER / "tf1"))


def main() -> None:
    """All bundles, and what TensorFlow says of them."""
    tf.train.Checkpoint(**kinds(), iterator=iter(tf.data.Dataset.range(3))).write(str(FOLDER / "kinds"))
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=64)
    options = tf.train.CheckpointOptions(experimental_sharding_callback=policy)
    numbers = {name: variable for name, variable in kinds().items() if name in NUMBERS}  # all that the policy takes
    tf.train.Checkpoint(**numbers).write(str(FOLDER / "sharded"), options=options)
    partitioned()
    prefixes = ("kinds", "sharded", "tf1")
    maps = {name: tf.train.load_checkpoint(str(FOLDER / name)).get_variable_to_dtype_map() for name in prefixes}
    expected = {prefix: {name: kind.name for name, kind in found.items()} for prefix, found in maps.items()}
    (FOLDER / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


main()
