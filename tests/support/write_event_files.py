"""Writes event files as jobs do into the folder of the first argument: TensorFlow 1 and 2, Keras' callback, hparams."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

STEPS = 300  # so that steps take one byte and two, and forms of records repeat


def write_two(folder: Path) -> None:
    """TensorFlow 2: scalars, also odd ones, among what is none."""
    with tf.summary.create_file_writer(str(folder)).as_default():
        for step in range(STEPS):
            tf.summary.scalar("loss", 1 / (step + 1), step=step)
            tf.summary.scalar("lr", 1e-3, step=step)
            if step % 50 == 0:
                tf.summary.histogram("weights", np.arange(40.0) * step, step=step)
                tf.summary.text("note", f"at **{step}** ü", step=step)
                tf.summary.image("digit", np.zeros((1, 4, 4, 1)), step=step)
        for step, value in (
            (STEPS, float("nan")),
            (1 << 20, float("inf")),
            (1 << 40, -float("inf")),
            (5, 0.0),
            (6, -0.0),
        ):
            tf.summary.scalar("loss", value, step=step)
        tf.summary.scalar("größe/µ", 2.0, step=1)


def write_one(folder: Path) -> None:
    """TensorFlow 1: several values in one summary, a negative step, a graph, and the mark of a start."""
    v1 = tf.compat.v1
    with v1.Graph().as_default():
        v1.placeholder(tf.float32, name="x")
        writer = v1.summary.FileWriter(str(folder), v1.get_default_graph())
        for step in range(STEPS):
            values = [
                v1.Summary.Value(tag=f"tower_{number}/loss", simple_value=step * 0.1 + number) for number in range(3)
            ]
            writer.add_summary(v1.Summary(value=values), global_step=step)
        writer.add_session_log(v1.SessionLog(status=v1.SessionLog.START), global_step=100)
        for step in (-3, 100, 2_000_000):
            writer.add_summary(v1.Summary(value=[v1.Summary.Value(tag="late", simple_value=0.5)]), global_step=step)
        texts = tf.make_tensor_proto(["| a | b |", "2"])
        metadata = v1.SummaryMetadata(plugin_data=v1.SummaryMetadata.PluginData(plugin_name="text"))
        told = v1.Summary.Value(tag="note/text_summary", tensor=texts, metadata=metadata)
        writer.add_summary(v1.Summary(value=[told]), global_step=7)
        for number, dtype in enumerate(("float64", "int32", "int64", "float16")):
            plugin = v1.SummaryMetadata(plugin_data=v1.SummaryMetadata.PluginData(plugin_name="scalars"))
            tensor = tf.make_tensor_proto(np.array(3, tf.as_dtype(dtype).as_numpy_dtype))
            value = v1.Summary.Value(tag=f"as_{dtype}", tensor=tensor, metadata=plugin)
            for step in range(60 if number == 0 else 2):
                writer.add_summary(v1.Summary(value=[value]), global_step=step)
        writer.close()


def write_keras(folder: Path) -> None:
    """Keras' callback beside a short training, and its hyperparameters."""
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    data = np.ones((16, 2)), np.ones((16, 1))
    settings = {"units": 16, "lr": 0.25, "optimizer": "adam", "nesterov": True}
    callbacks = [keras.callbacks.TensorBoard(str(folder), update_freq=1), hparams.KerasCallback(str(folder), settings)]
    model.fit(*data, batch_size=4, epochs=3, validation_data=data, callbacks=callbacks, verbose=0)


def main() -> None:
    """Each kind in a folder of its own."""
    out = Path(sys.argv[1])
    keras.utils.set_random_seed(7)
    write_two(out / "two")
    write_one(out / "one")
    write_keras(out / "keras")


if __name__ == "__main__":
    main()
