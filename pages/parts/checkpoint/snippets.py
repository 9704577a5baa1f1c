"""Code that restores a checkpoint, to copy into a job or a notebook; the path stands in it as a Python literal."""

import keyword
from collections.abc import Sequence

import streamlit as st

from core.base.facts import Role, Variable
from core.base.records import Checkpoint, Root
from core.services.checkpoints import RestoreApi, spec_of
from core.services.job_code import api
from pages.parts.frame import format as fmt
from pages.parts.frame import frame
from pages.parts.frame.text import shown
from pages.parts.tables.lists import TF_ENDING
from waypoint_resume.names import join

_LINES: dict[RestoreApi, tuple[str, ...]] = {
    RestoreApi.TF_CHECKPOINT_RESTORE: (
        "import tensorflow as tf",
        "",
        "{objects}",
        "checkpoint.restore({path}).assert_existing_objects_matched()",
    ),
    RestoreApi.TF_CHECKPOINT_READ: (
        "import tensorflow as tf",
        "",
        "# The variables of the SavedModel; it holds no call that continues training by itself.",
        "checkpoint = tf.train.Checkpoint(model)",
        "checkpoint.read({path}).expect_partial()",
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
_BACKUP = ".weights.h5.bkp"
_FROM_BACKUP = "shutil.copyfile({path}, 'restored.weights.h5')\nmodel.load_weights('restored.weights.h5')"


_USUAL = ("model", "optimizer")
_OWN = "save_counter"  # tf.train.Checkpoint adds it by itself


def show(root: Root, checkpoint: Checkpoint, variables: Sequence[Variable]) -> None:
    """The call that restores a checkpoint; for what is only listed, that."""
    spec = spec_of(checkpoint.format)
    if not spec.is_resumable:
        frame.empty(":material/code_off:", spec.not_resumable)
        return
    path, optimizer = f"{root.path}/{tree_of(checkpoint)}", checkpoint.facts.has_optimizer
    st.code(restore_code(api(checkpoint), path, has_optimizer=optimizer, variables=variables), language="python")


def restore_code(api: RestoreApi, path: str, *, has_optimizer: bool, variables: Sequence[Variable] = ()) -> str:
    """Python that restores the checkpoint at an absolute path; without optimizer state none is asked for."""
    text = "\n".join(_LINES[api]).replace("{objects}", "\n".join(_objects(variables, has_optimizer)))
    if not has_optimizer:
        text = text.replace(
            "# `model` is built and compiled as when it was saved. Without this call the optimizer's state is "
            "dropped.\nmodel.optimizer.build(model.trainable_variables)",
            "# `model` is built as when it was saved.",
        )
    if path.endswith(_BACKUP):  # Keras refuses this name
        text = f"import shutil\n\n{text}".replace("model.load_weights({path})", _FROM_BACKUP)
    return text.replace("{path}", ascii(path))


def tree_of(checkpoint: Checkpoint) -> str:
    """What a restore is pointed at, relative to the root: of some formats something inside the checkpoint, as the tree
    in an Orbax step (`pytree` of Keras 3, an item of a CheckpointManager).
    """
    how = spec_of(checkpoint.format).restoring
    inner = "" if how is None else how.inner([file.name for file in checkpoint.files])
    return join(checkpoint.path, inner) if inner else checkpoint.path


def _objects(variables: Sequence[Variable], has_optimizer: bool) -> list[str]:
    """The lines that make the tf.train.Checkpoint, by the names that its objects had when it was saved.

    A name that is no identifier (`layer_with_weights-0`), or one of Keras' own (`_layers`), is a part of an object
    that was saved by itself, as `model.save_weights` does it. What an optimizer trains is often named by it alone
    (`optimizer/_trainable_variables/0`): then the model's own name is not among the keys.
    """
    tops: dict[str, Variable] = {}
    for variable in sorted(variables, key=lambda item: item.role is not Role.WEIGHT):
        top = variable.name.partition("/")[0]
        if TF_ENDING in variable.name and top != _OWN:
            tops.setdefault(top, variable)
    if any(not top.isidentifier() or keyword.iskeyword(top) or top.startswith("_") for top in tops):
        return ["# The model itself was saved, without a name of its own.", "checkpoint = tf.train.Checkpoint(model)"]
    lines = ["# Each name is the one that it was saved under; the objects are made before, as the job makes them."]
    names = set(tops) or {name for name in _USUAL if name == "model" or has_optimizer}
    if not any(first.role is Role.WEIGHT and "/_trainable_variables/" not in first.name for first in tops.values()):
        names.add("model")
        if tops:
            lines.append("# model: the keys do not tell its name, which may be another one.")
    ordered = sorted(names, key=lambda name: (_USUAL.index(name) if name in _USUAL else len(_USUAL), name))
    lines += [f"# {name}: {_kind(name, tops[name])}" for name in ordered if name not in _USUAL]
    return [*lines, f"checkpoint = tf.train.Checkpoint({', '.join(f'{name}={name}' for name in ordered)})"]


def _kind(name: str, variable: Variable) -> str:
    if variable.name != f"{name}{TF_ENDING}":
        return "the object that the job saved under this name"
    if variable.shape == ():
        return f"a tf.Variable, {shown(variable.dtype)}, scalar"
    return f"a tf.Variable, {shown(variable.dtype)}, shape {fmt.shape(variable.shape)}"
