"""Saves a V1 checkpoint with TensorFlow 1's Saver into the folder of the first argument, and what is read of it.

A program of its own: eager execution is switched off for the whole process.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

STEPS = 3


def main() -> None:
    """A partitioned variable, a string variable, halves, and Adam's slots after a few steps."""
    v1 = tf.compat.v1
    folder = Path(sys.argv[1])
    with v1.Graph().as_default(), v1.Session() as session:
        zeros = v1.zeros_initializer()
        v1.get_variable("part", shape=(10, 4), partitioner=v1.fixed_size_partitioner(3), initializer=zeros)
        kernel = v1.get_variable("dense/kernel", initializer=np.arange(6, dtype="float32").reshape(2, 3))
        v1.get_variable("half", initializer=np.zeros(3, "float16"))
        v1.get_variable("labels", initializer=tf.constant([b"a", b"bc"]))
        step = v1.train.get_or_create_global_step()
        train = v1.train.AdamOptimizer(0.1).minimize(v1.reduce_sum(kernel), global_step=step)
        session.run(v1.global_variables_initializer())
        for _ in range(STEPS):
            session.run(train)
        saver = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        prefix = saver.save(session, str(folder / "model.ckpt"), global_step=step)
    reader = v1.train.NewCheckpointReader(prefix)
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    found = {name: [shape, dtypes[name].name] for name, shape in shapes.items()}
    (folder / "expected.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
