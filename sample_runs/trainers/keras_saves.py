"""Runs written by Keras 3 itself: ModelCheckpoint, weights files, exports, Orbax."""

from pathlib import Path

from trainers import data, logs
from trainers.common import BATCH, Callback, Fit, Tensor, batches, must_fall, pace, pause, seed_everything


def _churn_mlp(run: Path, seed: int, rate: float, *, is_first: bool = False) -> Fit:
    """A small classifier with AdamW, saved by ModelCheckpoint as whole models and as bare weights."""
    import keras

    seed_everything(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(24, activation="relu", name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(1, activation="sigmoid", name="churn"),
        ],
        name="churn_mlp",
    )
    settings = {"optimizer": "AdamW", "learning_rate": rate, "batch_size": BATCH, "seed": seed}
    model.compile(keras.optimizers.AdamW(rate), "binary_crossentropy")
    name = "cp-{epoch:04d}-{val_loss:.3f}"

    def callbacks() -> list[Callback]:
        return [
            pace(keras),
            keras.callbacks.ModelCheckpoint(str(run / "checkpoints" / f"{name}.keras")),
            keras.callbacks.ModelCheckpoint(str(run / "weights" / f"{name}.weights.h5"), save_weights_only=True),
            keras.callbacks.CSVLogger(str(run / "training.csv"), append=not is_first),
        ]

    def begin() -> None:
        logs.write_json(run / "params.json", settings)

    rows, left = data.customers(600)
    parts = {"x": rows, "y": left, "validation_split": 0.2}
    return Fit(model=model, data=parts, steps=15, callbacks=callbacks, begin=begin)


def build_churn_mlp(run: Path) -> Fit:
    """The second attempt, the one that went well."""
    return _churn_mlp(run, 11, 4e-3)


def churn_mlp(run: Path) -> None:
    """Make two attempts, the first with too high a learning rate."""
    must_fall(_churn_mlp(run, 10, 0.3, is_first=True).train(3), f"{run.name} attempt 1")
    must_fall(build_churn_mlp(run).train(6), f"{run.name} attempt 2")


def defect_detector(run: Path) -> None:
    """Make two exports for serving (1 and 2) of a classifier, the second after more training."""
    import keras

    seed_everything(12)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.SeparableConv2D(8, 3, activation="relu", name="texture"),
            layers.GlobalMaxPooling2D(name="peak"),
            layers.Dense(2, name="defect"),
        ],
        name="defect_detector",
    )
    settings = {"optimizer": "SGD", "learning_rate": 0.1, "momentum": 0.9, "batch_size": BATCH}
    logs.write_json(run / "args.json", settings)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = data.digits(480, classes=2, seed=37)
    unseen = data.digits(120, classes=2, seed=37, part=1)
    history: dict[str, list[float]] = {}
    for version in (1, 2):
        fitted = model.fit(images, labels, validation_data=unseen, batch_size=BATCH, epochs=15, verbose=0)
        for name, values in fitted.history.items():
            history.setdefault(name, []).extend(values)
        logs.write_json(run / "history.json", history)
        pause()
        model.export(str(run / "export" / str(version)), verbose=False)
    must_fall(history["loss"], run.name)


def build_tiny_transformer(run: Path) -> Fit:
    """A transformer of one block with Adam, saved by Keras's OrbaxCheckpoint callback; the newest three are kept."""
    import keras

    seed_everything(13)
    layers = keras.layers
    tokens = keras.Input((16,), dtype="int32", name="tokens")
    words = layers.Embedding(60, 16, name="words")(tokens)
    seen = layers.MultiHeadAttention(2, 8, name="attention")(words, words)
    mixed = layers.LayerNormalization(name="norm")(layers.Add(name="residual")([words, seen]))
    mood = layers.Dense(1, activation="sigmoid", name="mood")(layers.GlobalAveragePooling1D(name="mean")(mixed))
    model = keras.Model(tokens, mood, name="tiny_transformer")
    settings = {"optimizer": "Adam", "learning_rate": 1e-3, "batch_size": BATCH, "heads": 2}
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "binary_crossentropy")

    def callbacks() -> list[Callback]:
        folder = str((run / "checkpoints").absolute())
        return [
            pace(keras),
            keras.callbacks.OrbaxCheckpoint(folder, max_to_keep=3, save_on_background=False),
            keras.callbacks.TensorBoard(str(run / "logs"), write_graph=False),
        ]

    def begin() -> None:
        logs.write_yaml(run / "hparams.yaml", settings)

    x, y = data.sentences(640)
    parts = {"x": x, "y": y, "validation_data": data.unseen_sentences()}
    return Fit(model=model, data=parts, steps=20, callbacks=callbacks, begin=begin)


def tiny_transformer(run: Path) -> None:
    """Make five Orbax checkpoints."""
    must_fall(build_tiny_transformer(run).train(5), run.name)


def digits_gan(run: Path) -> None:
    """Make two models trained against each other and saved side by side into one folder."""
    import keras
    import tensorflow as tf

    seed_everything(14)
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(64, activation="sigmoid")],
        name="generator",
    )
    discriminator = keras.Sequential(
        [keras.Input((64,)), layers.Dense(24, activation="leaky_relu"), layers.Dense(1)], name="discriminator"
    )
    # Compiled, so that save_weights stores each one's optimizer state as well.
    generator.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    discriminator.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    judge = keras.losses.BinaryCrossentropy(from_logits=True)

    def play(real: Tensor, noise: Tensor) -> Tensor:
        """One update of both; returns how far the fakes' mean image is from the real one's."""
        with tf.GradientTape() as one, tf.GradientTape() as two:
            fake = generator(noise, training=True)
            real_score, fake_score = discriminator(real), discriminator(fake)
            gap = tf.reduce_mean(tf.abs(tf.reduce_mean(real, 0) - tf.reduce_mean(fake, 0)))
            fool = judge(tf.ones_like(fake_score), fake_score) + 20 * gap
            catch = judge(tf.ones_like(real_score), real_score) + judge(tf.zeros_like(fake_score), fake_score)
        for model, tape, loss in ((generator, one, fool), (discriminator, two, catch)):
            model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return gap

    play = tf.function(play)
    images = data.digits(640, side=8, classes=3, seed=41)[0].reshape(640, -1)
    stream = batches(images)
    gaps = []
    (run / "checkpoints").mkdir()
    for epoch in range(5, 31, 5):
        for _ in range(5 * 640 // 32):
            (real,) = next(stream)
            gaps.append(float(play(real, keras.random.normal((len(real), 8)))))
        pause()
        for model in (generator, discriminator):
            model.save_weights(str(run / "checkpoints" / f"{model.name}-{epoch:04d}.weights.h5"))
    must_fall(gaps, run.name)
