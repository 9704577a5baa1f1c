"""Runs written by Keras 3 itself: ModelCheckpoint, weights files, exports, Orbax."""

from pathlib import Path

from trainers import data
from trainers.common import Callback, Tensor, batches, must_fall, pause, seed_everything


def _pace() -> Callback:
    """A callback that lets some time pass at the end of each epoch."""
    import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: pause())


def churn_mlp(run: Path) -> None:
    """Make whole models and bare weights by ModelCheckpoint: two attempts, the first with too high a learning rate."""
    import keras

    rows, left = data.customers(600)
    for attempt, (rate, epochs) in enumerate([(0.3, 3), (4e-3, 6)]):
        seed_everything(10 + attempt)
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
        model.compile(keras.optimizers.AdamW(rate), "binary_crossentropy")
        name = "cp-{epoch:04d}-{val_loss:.3f}"
        saves = [
            keras.callbacks.ModelCheckpoint(str(run / "checkpoints" / f"{name}.keras")),
            keras.callbacks.ModelCheckpoint(str(run / "weights" / f"{name}.weights.h5"), save_weights_only=True),
        ]
        log = keras.callbacks.CSVLogger(str(run / "training.csv"), append=attempt > 0)
        fitted = model.fit(
            rows, left, validation_split=0.2, epochs=epochs, verbose=0, callbacks=[_pace(), *saves, log], batch_size=32
        )
        must_fall(fitted.history["loss"], f"{run.name} attempt {attempt + 1}")


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
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = data.digits(480, classes=2, seed=37)
    losses: list[float] = []
    for version in (1, 2):
        losses += model.fit(images, labels, epochs=15, verbose=0).history["loss"]
        pause()
        model.export(str(run / "export" / str(version)), verbose=False)
    must_fall(losses, run.name)


def tiny_transformer(run: Path) -> None:
    """Make five Orbax checkpoints by Keras's OrbaxCheckpoint callback; the newest three are kept."""
    import keras

    seed_everything(13)
    layers = keras.layers
    tokens = keras.Input((16,), dtype="int32", name="tokens")
    words = layers.Embedding(60, 16, name="words")(tokens)
    seen = layers.MultiHeadAttention(2, 8, name="attention")(words, words)
    mixed = layers.LayerNormalization(name="norm")(layers.Add(name="residual")([words, seen]))
    mood = layers.Dense(1, activation="sigmoid", name="mood")(layers.GlobalAveragePooling1D(name="mean")(mixed))
    model = keras.Model(tokens, mood, name="tiny_transformer")
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    saves = keras.callbacks.OrbaxCheckpoint(
        directory=str((run / "checkpoints").absolute()), max_to_keep=3, save_on_background=False
    )
    fitted = model.fit(*data.sentences(640), epochs=5, verbose=0, batch_size=32, callbacks=[_pace(), saves])
    must_fall(fitted.history["loss"], run.name)


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
