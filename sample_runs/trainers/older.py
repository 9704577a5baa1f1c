"""Runs written the older ways that many jobs still use: tf-keras weights in TensorFlow's form, and TF1's Saver."""

from pathlib import Path

import numpy as np

from trainers import data, logs
from trainers.common import BATCH, Callback, Fit, Tensor, batches, must_fall, pace, pause


def build_review_sentiment(run: Path) -> Fit:
    """A recurrent classifier of tf-keras (Keras 2) with RMSprop, whose weights are saved in TensorFlow's form."""
    import tf_keras

    tf_keras.utils.set_random_seed(20)
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Embedding(60, 12, input_length=16, name="words"),
            layers.Bidirectional(layers.LSTM(8), name="reader"),
            layers.Dense(1, activation="sigmoid", name="mood"),
        ],
        name="review_sentiment",
    )
    settings = {"optimizer": "RMSprop", "learning_rate": 2e-3, "batch_size": BATCH, "units": 8}
    optimizer = tf_keras.optimizers.RMSprop(settings["learning_rate"])
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])

    def callbacks() -> list[Callback]:
        name = str(run / "training_checkpoints" / "cp-{epoch:04d}.ckpt")
        return [
            pace(tf_keras),
            tf_keras.callbacks.ModelCheckpoint(name, save_weights_only=True),
            tf_keras.callbacks.TensorBoard(str(run / "logs"), write_graph=False),
        ]

    def begin() -> None:
        logs.write_json(run / "hparams.json", settings)

    x, y = data.sentences(640, seed=43)
    parts = {"x": x, "y": y, "validation_data": data.unseen_sentences()}
    return Fit(model=model, data=parts, steps=20, callbacks=callbacks, begin=begin)


def review_sentiment(run: Path) -> None:
    """Make six saves by ModelCheckpoint: cp-0001.ckpt and so on."""
    must_fall(build_review_sentiment(run).train(6), run.name)


def wide_deep_tf1(run: Path) -> None:
    """Make a TF1 graph trained in a session: Saver with relative paths, .meta files, a global_step, summaries."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    rows, left = data.customers(800, seed=47)
    unseen = data.customers(800, seed=47, part=1)
    settings = {"optimizer": "Momentum", "learning_rate": 0.05, "momentum": 0.9, "batch_size": BATCH}
    logs.write_flags(run / "flags.txt", settings)
    with tf1.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(21)
        inputs = tf1.placeholder(tf.float32, (None, 12), "rows")
        targets = tf1.placeholder(tf.float32, (None, 1), "left")
        hidden = tf.nn.relu(tf.matmul(inputs, _variable("deep/kernel", (12, 32))) + _variable("deep/bias", (32,), 0.0))
        wide = tf.matmul(inputs, _variable("wide/kernel", (12, 1)))
        score = tf.matmul(hidden, _variable("head/kernel", (32, 1))) + wide + _variable("head/bias", (1,), 0.0)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=score))
        counter = tf1.train.get_or_create_global_step()
        update = tf1.train.MomentumOptimizer(settings["learning_rate"], 0.9).minimize(loss, counter)
        summary = tf1.summary.scalar("loss", loss)
        session.run(tf1.global_variables_initializer())
        saver = tf1.train.Saver(max_to_keep=5, save_relative_paths=True)
        writer = tf1.summary.FileWriter(str(run))
        stream = batches(rows, left)
        losses = []
        for number in range(1, 281):
            x, y = next(stream)
            _, value, text = session.run([update, loss, summary], {inputs: x, targets: y})
            losses.append(float(value))
            writer.add_summary(text, number)
            if number % 10 == 0:
                measured = float(session.run(loss, dict(zip((inputs, targets), unseen, strict=True))))
                values = {"val_loss": measured, "learning_rate": settings["learning_rate"]}
                entries = [tf1.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
                writer.add_summary(tf1.Summary(value=entries), number)
            if number % 40 == 0:
                pause()
                saver.save(session, str(run / "model.ckpt"), counter)
        writer.close()
    must_fall(losses, run.name)


def speech_rnn(run: Path) -> None:
    """Make a recurrent TF1 graph whose Saver writes absolute paths, as it does unless told otherwise.

    The run is trained under the folder that train.py stages in and moved afterwards, so the paths in its state file
    are dead. The .meta files are left out (many jobs switch them off), so this is name-based and has no graph.
    """
    import tensorflow as tf

    tf1 = tf.compat.v1
    sounds, words = data.utterances(600, seed=53)
    unseen = data.utterances(150, seed=53, part=1)
    settings = {"optimizer": "Adam", "learning_rate": 3e-3, "batch_size": BATCH, "units": 24}
    logs.write_flags(run / "flags.txt", settings)
    write = logs.csv_rows(run / "progress.csv")
    with tf1.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(22)
        inputs = tf1.placeholder(tf.float32, (None, 20, 8), "sounds")
        targets = tf1.placeholder(tf.int32, (None,), "words")
        kernel, recurrent = _variable("rnn/kernel", (8, 24)), _variable("rnn/recurrent", (24, 24))
        bias = _variable("rnn/bias", (24,), 0.0)
        state = tf.zeros((tf.shape(inputs)[0], 24))
        for frame in range(20):
            state = tf.tanh(tf.matmul(inputs[:, frame], kernel) + tf.matmul(state, recurrent) + bias)
        score = tf.matmul(state, _variable("head/kernel", (24, 4)))
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=score))
        counter = tf1.train.get_or_create_global_step()
        update = tf1.train.AdamOptimizer(settings["learning_rate"]).minimize(loss, counter)
        session.run(tf1.global_variables_initializer())
        saver = tf1.train.Saver(max_to_keep=4)
        stream = batches(sounds, words)
        losses = []
        for number in range(1, 151):
            x, y = next(stream)
            losses.append(float(session.run([update, loss], {inputs: x, targets: y})[1]))
            if number % 5 == 0:
                measured = float(session.run(loss, dict(zip((inputs, targets), unseen, strict=True))))
                write(number, {"loss": float(np.mean(losses[-5:])), "val_loss": measured})
            if number % 25 == 0:
                pause()
                saver.save(session, str(run / "rnn.ckpt"), counter, write_meta_graph=False)
    must_fall(losses, run.name)


def _variable(name: str, shape: tuple[int, ...], value: float | None = None) -> Tensor:
    """A TF1 variable with fixed first values: `value` everywhere, or small random ones that depend on the name."""
    import tensorflow as tf

    rng = np.random.default_rng(sum(name.encode()))
    first = rng.standard_normal(shape) / np.sqrt(shape[0]) if value is None else np.full(shape, value)
    return tf.compat.v1.get_variable(name, initializer=first.astype(np.float32))
