"""Runs written by tf.train.CheckpointManager, and the accidents that happen to such checkpoints."""

from pathlib import Path

from trainers import data, logs
from trainers.common import BATCH, Loop, Tensor, batches, make_step, must_fall, seed_everything


def build_mnist_cnn(run: Path) -> Loop:
    """A CNN with Adam, of which four saves are kept, and event files for TensorBoard with its settings."""
    import keras
    import tensorflow as tf

    seed_everything(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(8, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(12, 3, activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="logits"),
        ],
        name="mnist_cnn",
    )
    settings = {"optimizer": "Adam", "learning_rate": 2e-3, "batch_size": BATCH, "filters": 12}
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    step = make_step(model, optimizer, loss)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model, optimizer=optimizer), str(run / "checkpoints"), max_to_keep=4
    )
    accuracy = keras.metrics.sparse_categorical_accuracy
    measure = logs.held_out(model, *data.digits(200, part=1), loss=loss, accuracy=accuracy)
    note = logs.every(5, optimizer, measure, logs.event_files(run / "logs", settings))
    stream = batches(*data.digits(800))
    return Loop(manager=manager, step=step, stream=stream, every=30, save=manager.save, note=note)


def mnist_cnn(run: Path) -> None:
    """Make a whole run: ten saves, the newest four kept."""
    must_fall(build_mnist_cnn(run).train(10), run.name)


def build_two_tower(run: Path) -> Loop:
    """A recommender whose bundles are cut into shards."""
    import keras
    import tensorflow as tf

    seed_everything(2)
    layers = keras.layers
    user_id, item_id = keras.Input((), dtype="int32", name="user"), keras.Input((), dtype="int32", name="item")
    user = layers.Dense(16, activation="tanh", name="user_dense")(layers.Embedding(80, 12, name="user_table")(user_id))
    item = layers.Dense(16, activation="tanh", name="item_dense")(layers.Embedding(60, 12, name="item_table")(item_id))
    rating = layers.Dense(1, name="rating")(layers.Multiply(name="match")([user, item]))
    model = keras.Model([user_id, item_id], rating, name="two_tower")
    settings = {"optimizer": "AdamW", "learning_rate": 5e-3, "weight_decay": 1e-4, "batch_size": BATCH, "width": 16}
    optimizer = keras.optimizers.AdamW(settings["learning_rate"], weight_decay=settings["weight_decay"])
    loss = keras.losses.MeanSquaredError()
    step = make_step(model, optimizer, loss)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model, optimizer=optimizer), str(run / "checkpoints"), max_to_keep=5
    )
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=12_000)
    options = tf.train.CheckpointOptions(experimental_sharding_callback=policy)
    users, items, stars = data.ratings(1500)
    stream = (((u, i), s) for u, i, s in batches(users, items, stars))
    *pairs, unseen = data.ratings(300, part=1)
    measure = logs.held_out(model, pairs, unseen, loss=loss)
    note = logs.every(10, optimizer, measure, logs.json_lines(run / "metrics.jsonl"))

    def begin() -> None:
        logs.write_yaml(run / "hparams.yaml", settings)

    def save() -> None:
        manager.save(options=options)

    return Loop(manager=manager, step=step, stream=stream, every=60, save=save, note=note, begin=begin)


def two_tower(run: Path) -> None:
    """Make six saves in shards, then lose one shard of the newest."""
    must_fall(build_two_tower(run).train(6), run.name)
    # The accident: a copy to another disk was cut short. A middle shard goes, so the index still promises it.
    shards = sorted((run / "checkpoints").glob("ckpt-6.data-*"))
    shards[len(shards) // 2].unlink()


def build_unet_segmentation(run: Path) -> Loop:
    """A small U-Net with SGD and momentum, whose checkpoints hold the epoch too."""
    import keras
    import tensorflow as tf

    seed_everything(3)
    layers = keras.layers
    image = keras.Input((16, 16, 1), name="image")
    down = layers.Conv2D(6, 3, padding="same", activation="relu", name="down")(image)
    middle = layers.Conv2D(12, 3, padding="same", activation="relu", name="middle")(layers.MaxPooling2D()(down))
    up = layers.Concatenate(name="skip")([layers.UpSampling2D()(middle), down])
    mask = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask")(up)
    model = keras.Model(image, mask, name="unet")
    settings = {"optimizer": "SGD", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "batch_size": BATCH}
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    loss = keras.losses.BinaryCrossentropy()
    step = make_step(model, optimizer, loss)
    epoch = tf.Variable(0, dtype=tf.int64, name="epoch")
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, epoch=epoch)
    manager = tf.train.CheckpointManager(checkpoint, str(run / "ckpts"), max_to_keep=None, checkpoint_name="unet")

    def save() -> None:
        epoch.assign_add(1)
        # Numbered by the step, not by the count of saves: unet-25, unet-50, ...
        manager.save(checkpoint_number=optimizer.iterations)

    def overlap(targets: Tensor, outputs: Tensor) -> Tensor:
        """Intersection over union of the discs that were found and those that are there."""
        found, there = outputs > 0.5, targets > 0.5
        return tf.math.count_nonzero(found & there) / tf.math.count_nonzero(found | there)

    measure = logs.held_out(model, *data.blobs(80, seed=12), loss=loss, iou=overlap)
    note = logs.every(5, optimizer, measure, logs.csv_rows(run / "metrics.csv"))

    def begin() -> None:
        logs.write_yaml(run / "config.yaml", settings)

    stream = batches(*data.blobs(400))
    return Loop(manager=manager, step=step, stream=stream, every=25, save=save, note=note, begin=begin)


def unet_segmentation(run: Path) -> None:
    """Make six saves; the newest then loses all of its data."""
    must_fall(build_unet_segmentation(run).train(6), run.name)
    # The accident: a clean-up by file size deleted the large file of the newest checkpoint and left its index.
    for shard in (run / "ckpts").glob("unet-150.data-*"):
        shard.unlink()


def build_fashion_vae(run: Path) -> Loop:
    """A variational autoencoder, a model of a class of its own, with Adam."""
    import keras
    import tensorflow as tf

    seed_everything(4)

    class Autoencoder(keras.Model):  # type: ignore[misc]  # Keras ships no types
        """Encoder to a mean and a log-variance, a sample of it, decoder."""

        def __init__(self) -> None:
            super().__init__(name="vae")
            self.encoder = keras.layers.Dense(24, activation="relu")
            self.moments = keras.layers.Dense(8)
            self.decoder = keras.layers.Dense(24, activation="relu")
            self.pixels = keras.layers.Dense(144, activation="sigmoid")

        def call(self, inputs: Tensor, training: bool = False) -> Tensor:
            """Return the reconstruction of a batch of flat images."""
            mean, log_variance = tf.split(self.moments(self.encoder(inputs)), 2, axis=-1)
            noise = tf.random.stateless_normal(tf.shape(mean), seed=(4, 2)) if training else 0.0
            self.add_loss(1e-3 * tf.reduce_mean(tf.square(mean) + tf.exp(log_variance) - log_variance - 1))
            return self.pixels(self.decoder(mean + tf.exp(0.5 * log_variance) * noise))

    flat = data.digits(600, seed=31)[0].reshape(600, -1)
    model = Autoencoder()
    model(flat[:1])  # which makes its variables: nothing can be restored into a model without any
    settings = {"optimizer": "Adam", "learning_rate": 3e-3, "batch_size": BATCH, "latent": 4}
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    fidelity = keras.losses.BinaryCrossentropy()

    def loss(targets: Tensor, outputs: Tensor) -> Tensor:
        return fidelity(targets, outputs) + sum(model.losses)

    step = make_step(model, optimizer, loss)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model, optimizer=optimizer), str(run / "training_checkpoints"), max_to_keep=5
    )
    unseen = data.digits(150, seed=31, part=1)[0].reshape(150, -1)
    measure = logs.held_out(model, unseen, unseen, loss=loss)
    note = logs.every(10, optimizer, measure, logs.event_files(run / "tensorboard", settings))
    return Loop(manager=manager, step=step, stream=batches(flat, flat), every=40, save=manager.save, note=note)


def fashion_vae(run: Path) -> None:
    """Make eight saves, the newest five kept; one of them loses its index, so its shard has no owner."""
    must_fall(build_fashion_vae(run).train(8), run.name)
    # The accident: somebody removed a small file of an older checkpoint. What is left cannot be read any more.
    (run / "training_checkpoints" / "ckpt-6.index").unlink()
