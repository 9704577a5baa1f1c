"""Code that restores a checkpoint, to copy into a job or a notebook; the path stands in it as a Python literal."""

from core.resume.manifest import RestoreApi

_LINES: dict[RestoreApi, tuple[str, ...]] = {
    RestoreApi.TF_CHECKPOINT_RESTORE: (
        "import tensorflow as tf",
        "",
        "# The same names as when it was saved, e.g. tf.train.Checkpoint(model=model, optimizer=optimizer).",
        "checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)",
        "checkpoint.restore({path}).assert_existing_objects_matched()",
    ),
    RestoreApi.TF_CHECKPOINT_READ: (
        "import tensorflow as tf",
        "",
        "# The variables of the SavedModel; it holds no call that continues training by itself.",
        "checkpoint = tf.train.Checkpoint(model)",
        "checkpoint.read({path} + '/variables/variables').expect_partial()",
    ),
    RestoreApi.TF_V1_SAVER: (
        "import tensorflow as tf",
        "",
        "# Inside the graph whose variables have the names of the table.",
        "saver = tf.compat.v1.train.Saver()",
        "with tf.compat.v1.Session() as session:",
        "    saver.restore(session, {path})",
    ),
    RestoreApi.KERAS_LOAD_MODEL: ("import keras", "", "model = keras.saving.load_model({path})"),
    RestoreApi.KERAS_LOAD_WEIGHTS: (
        "import keras",
        "",
        "# `model` is built and compiled as when it was saved. Without this call the optimizer's state is dropped.",
        "model.optimizer.build(model.trainable_variables)",
        "model.load_weights({path})",
    ),
    RestoreApi.TF_KERAS_LOAD_MODEL: ("import tf_keras", "", "model = tf_keras.models.load_model({path})"),
    RestoreApi.TF_KERAS_LOAD_WEIGHTS: (
        "import tf_keras",
        "",
        "# `model` is built as when it was saved.",
        "model.load_weights({path})",
    ),
    RestoreApi.ORBAX_RESTORE: (
        "import orbax.checkpoint as ocp",
        "",
        "state = ocp.PyTreeCheckpointer().restore({path})",
    ),
}


def restore_code(api: RestoreApi, path: str, *, has_optimizer: bool) -> str:
    """Python that restores the checkpoint at an absolute path; without optimizer state none is asked for."""
    text = "\n".join(_LINES[api])
    if not has_optimizer:
        text = text.replace(", optimizer=optimizer", "")
        text = text.replace(
            "# `model` is built and compiled as when it was saved. Without this call the optimizer's state is "
            "dropped.\nmodel.optimizer.build(model.trainable_variables)",
            "# `model` is built as when it was saved.",
        )
    return text.replace("{path}", ascii(path))
