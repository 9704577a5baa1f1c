"""The code that a training job needs to obey one manifest, to be copied; tests/test_snippet.py runs each kind of it.

What the job has already (its model, its data, how many epochs) stands in it by a plain name that a comment explains.
"""

import os
import re
from collections.abc import Iterable
from enum import StrEnum

from core.formats.saved_model import KERAS
from core.model import Format
from core.resume.manifest import Manifest, Mode, RestoreApi
from waypoint_resume.names import from_text

_FIT = """\
from waypoint_resume import resume  # pip install: docs/resume.md

RUN = {run}
# model: the job's own ({framework}), built, compiled, not yet trained.
# {epochs}
start = resume(RUN, model=model{steps})
model.fit(
    data,
    epochs=EPOCHS,
    initial_epoch={first},
    callbacks=[*callbacks, start.guard],  # the guard is the last one
)
"""
_LOOP = """\
from waypoint_resume import resume  # pip install: docs/resume.md

RUN = {run}
# {saver}
# {epochs}
start = resume(RUN, {argument}{steps})
start.check()  # right before the first step: nothing restored over it
for epoch in range({first}, EPOCHS):
    train(epoch)  # the job's own steps, and its save
start.finish()
# A job that calls fit() gives resume() its model=model too, and to fit()
# initial_epoch={first} and start.guard as its last callback.
"""
_MANAGER = """\
manager: the tf.train.CheckpointManager that the job saves with
# (checkpoint=checkpoint for a tf.train.Checkpoint without one)."""
_CHECKPOINT = """\
checkpoint: the tf.train.Checkpoint that the job saves with
# (manager=manager if it has a CheckpointManager)."""
_OF_FORK = """\
# A fork: whatever the job saves and logs must go into the new run's folder,
# {run}
"""
_REFUSED = """\
# {reason}, so this is
# the plain call. It claims nothing: withdraw the manifest once the job runs.
"""
_SAVER = """\
import tensorflow as tf

# In the graph whose variables have the names of the checkpoint.
saver = tf.compat.v1.train.Saver()
with tf.compat.v1.Session() as session:
    saver.restore(session, {path})
"""
_LOAD_WEIGHTS = """\
# model: the job's own, built and compiled. Without the first call the
# optimizer's state is dropped without a word.
model.optimizer.build(model.trainable_variables)
model.load_weights({path})
"""
_SAVED_MODEL = """\
import tensorflow as tf

# model: the object that was saved, made as the job makes it.
tf.train.Checkpoint(model).read({path}).expect_partial()
"""
_ORBAX = """\
import orbax.checkpoint as ocp

state = ocp.PyTreeCheckpointer().restore({path})
"""
_TREE_OF_KERAS = "pytree/_METADATA"
_NUMBERED = re.compile(r"-\d+$")
_SAVED_ITSELF = "layer_with_weights-"  # how Keras 2 names the layers of a model that is the root of a bundle


class Framework(StrEnum):
    """What goes on from a checkpoint: the Keras that wrote it, or a loop around a tf.train.Checkpoint."""

    KERAS = "Keras"
    TF_KERAS = "tf-keras"
    TENSORFLOW = "TensorFlow"


def framework(manifest: Manifest, variables: Iterable[str] = ()) -> Framework:
    """Which framework's job goes on: by the call that restores, by files that only one writes, and for a bundle by the
    names of its variables.

    A `.weights.h5` does not tell which Keras wrote it, and needs no other code for either.
    """
    checkpoint, api = manifest.checkpoint, manifest.restore.api
    if checkpoint.format is Format.TF_BUNDLE:
        of_model = any(name.startswith(_SAVED_ITSELF) for name in variables)
        return Framework.TF_KERAS if of_model else Framework.TENSORFLOW
    if checkpoint.format is Format.SAVED_MODEL:
        return Framework.TF_KERAS if _has(manifest, KERAS) else Framework.TENSORFLOW
    if checkpoint.format is Format.ORBAX:
        return Framework.KERAS if _has(manifest, _TREE_OF_KERAS) else Framework.TENSORFLOW
    of_keras_2 = api in (RestoreApi.TF_KERAS_LOAD_MODEL, RestoreApi.TF_KERAS_LOAD_WEIGHTS)
    return Framework.TF_KERAS if of_keras_2 else Framework.KERAS


def snippet(manifest: Manifest, run_folder: str, framework: Framework) -> str:
    """Python for the job: through the client where that restores the format, else the plain call, which says so."""
    code = _refused(manifest, run_folder, framework) or _obeying(manifest, run_folder, framework)
    if manifest.mode is not Mode.FORK:
        return code
    return _OF_FORK.format(run=ascii(run_folder)) + "\n" + code


def _obeying(manifest: Manifest, run_folder: str, framework: Framework) -> str:
    """The code that goes through the client."""
    restore, checkpoint = manifest.restore, manifest.checkpoint
    first, steps = "start.epoch", ", steps_per_epoch=STEPS"
    if restore.initial_epoch is not None:
        epochs = "STEPS: batches in an epoch."
    elif restore.initial_step is not None:
        epochs = "STEPS: batches in an epoch; start.epoch is step // STEPS."
    else:
        first, steps = "FIRST", ""
        epochs = "FIRST: how many epochs are done; the files do not tell."
    of_manager = _NUMBERED.search(checkpoint.path) is not None
    return (_LOOP if framework is Framework.TENSORFLOW else _FIT).format(
        run=ascii(run_folder),
        framework=framework.value,
        epochs=epochs,
        steps=steps,
        first=first,
        saver=_MANAGER if of_manager else _CHECKPOINT,
        argument="manager=manager" if of_manager else "checkpoint=checkpoint",
    )


def _refused(manifest: Manifest, run_folder: str, framework: Framework) -> str | None:
    """The plain call for what the client does not restore; None where it does."""
    checkpoint = manifest.checkpoint
    path = os.path.normpath(os.path.join(run_folder, from_text(checkpoint.path)))
    if manifest.restore.api is RestoreApi.TF_V1_SAVER:
        reason, code = "waypoint_resume does not restore what TF1's Saver wrote", _SAVER
    elif checkpoint.format is Format.WEIGHTS_H5_SHARDED:
        reason, code = "waypoint_resume does not restore sharded .weights.h5 files", _LOAD_WEIGHTS
    elif checkpoint.format is Format.SAVED_MODEL and framework is not Framework.TF_KERAS:
        reason, code = "waypoint_resume restores a SavedModel only in tf-keras", _SAVED_MODEL
        path = f"{path}/variables/variables"
    elif checkpoint.format is Format.ORBAX and framework is not Framework.KERAS:
        reason, code = "waypoint_resume restores of Orbax only what Keras 3 wrote", _ORBAX
        path = _orbax_item(manifest, run_folder) or path
    else:
        return None
    return _REFUSED.format(reason=reason) + "\n" + code.format(path=ascii(path))


def _has(manifest: Manifest, name: str) -> bool:
    """Whether a checkpoint that is a folder holds a file."""
    return any(file.path.endswith(f"/{name}") for file in manifest.checkpoint.files)


def _orbax_item(manifest: Manifest, run_folder: str) -> str | None:
    """The folder in which the tree of an Orbax checkpoint lies: a CheckpointManager puts it below the step's own."""
    for file in manifest.checkpoint.files:
        folder, _, name = file.path.rpartition("/")
        if name == "_METADATA":
            return os.path.join(run_folder, from_text(folder))
    return None
