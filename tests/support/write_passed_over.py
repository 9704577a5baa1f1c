"""Writes below OUT, with TensorFlow and Keras, what a scan passes over or tells apart.

OUT/ckpts (two saves of a CheckpointManager), OUT/model (a SavedModel), OUT/graphs (a frozen graph and a MetaGraph),
OUT/lite (a TFLite model), OUT/sharded (Keras weights in shards).
"""

import os
import sys
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import keras
import tensorflow as tf


def main(out: Path) -> None:
    """Everything, small."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(out / "ckpts"), max_to_keep=3)
    manager.save()
    manager.save()
    tf.saved_model.save(model, str(out / "model"))
    model.save_weights(out / "sharded.weights.json", max_shard_size=1e-7)
    (out / "lite").mkdir()
    (out / "lite" / "m.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    with tf.Graph().as_default() as graph:
        weights = tf.compat.v1.get_variable("w", (3, 2))
        tf.matmul(tf.compat.v1.placeholder(tf.float32, (None, 3)), weights)
        tf.compat.v1.train.export_meta_graph(str(out / "graphs" / "model.ckpt-7.meta"))
    tf.io.write_graph(graph.as_graph_def(), str(out / "graphs"), "frozen.pb", as_text=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
