"""The code that a training job needs to obey one manifest, to be copied; tests/resume/test_snippet.py runs each kind.

What the job has already (its model, its data, how many epochs) stands in it by a plain name that a comment explains.
"""

import os
import re
from collections.abc import Iterable

from core.base.files import Problem
from core.formats.registry import spec_of
from core.formats.spec import Framework, RestoreApi, Restoring
from core.resume.errors import ManifestError
from core.resume.manifest import Manifest, Mode
from waypoint_resume.names import from_text

_FIT = """\
from waypoint_resume import Waypoint  # pip install: docs/resume.md

RUN = {run}
# model: the job's own ({framework}), built, compiled, not yet trained.
# {epochs}
waypoint = Waypoint(RUN)
model.fit(data, epochs=EPOCHS{first}, callbacks=[*callbacks, waypoint])
# With no line of the script changed instead:
#   python -m waypoint_resume run --run RUN -- python train.py
# Where something is to be done between restoring and fit():
#   start = resume(RUN, model=model{steps})
#   model.fit(data, epochs=EPOCHS, initial_epoch={start}, callbacks=[*callbacks, start.guard])
"""
_LOOP = """\
from waypoint_resume import resume  # pip install: docs/resume.md

RUN = {run}
# {saver}
# {epochs}
start = resume(RUN, {argument}{steps})
start.check()  # right before the first step: nothing restored over it
for epoch in range({start}, EPOCHS):
    first = start.batch or 0 if epoch == {start} else 0  # a pause saves in mid-epoch: those batches are done
    for batch in range(first, STEPS):
        train(epoch, batch)  # the job's own step, and its save
        start.end_of_step()  # here a pause that was asked for, or SIGTERM, is followed
start.finish()
# A job that calls fit() gives Waypoint(RUN) to its callbacks instead, or is started by
#   python -m waypoint_resume run --run RUN -- python train.py
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
_ORBAX_ITEMS = """\
import orbax.checkpoint as ocp

ITEMS = [
{paths}
]
state = [ocp.PyTreeCheckpointer().restore(item) for item in ITEMS]
"""
# The plain call of each API that the client may refuse to make.
CODE = {
    RestoreApi.TF_V1_SAVER: _SAVER,
    RestoreApi.KERAS_LOAD_WEIGHTS: _LOAD_WEIGHTS,
    RestoreApi.TF_KERAS_LOAD_WEIGHTS: _LOAD_WEIGHTS,
    RestoreApi.TF_CHECKPOINT_READ: _SAVED_MODEL,
    RestoreApi.ORBAX_RESTORE: _ORBAX,
}
_NUMBERED = re.compile(r"-\d+$")


def framework(manifest: Manifest, variables: Iterable[str] = ()) -> Framework:
    """Which framework's job goes on: by the call that restores, by files that only one writes, and for some formats by
    the names of the variables.
    """
    names = [file.path for file in manifest.checkpoint.files]
    return _restoring(manifest).framework(names, tuple(variables), manifest.restore.api)


def snippet(manifest: Manifest, run_folder: str, framework: Framework) -> str:
    """Python for the job: through the client where that restores the format, else the plain call, which says so."""
    code = _refused(manifest, run_folder, framework) or _obeying(manifest, run_folder, framework)
    if manifest.mode is not Mode.FORK:
        return code
    return _OF_FORK.format(run=ascii(run_folder)) + "\n" + code


def _obeying(manifest: Manifest, run_folder: str, framework: Framework) -> str:
    """The code that goes through the client."""
    restore, checkpoint = manifest.restore, manifest.checkpoint
    is_loop = framework is Framework.TENSORFLOW
    start, first, steps = "start.epoch", "", ", steps_per_epoch=STEPS"
    if restore.weights_only:
        epochs, steps = "EPOCHS: of the new training, which counts from 0.", ""
    elif restore.initial_epoch is not None:
        epochs = "EPOCHS: of the whole training; the epochs that are done are among them."
    elif restore.initial_step is not None:
        epochs = "EPOCHS: of the whole training; those that are done follow from the step."
    else:
        start, first, steps = "FIRST", ", initial_epoch=FIRST", ""
        epochs = "FIRST: how many epochs are done; the files do not tell."
    epochs += "\n# STEPS: batches in an epoch." if is_loop else ""
    of_manager = _NUMBERED.search(checkpoint.path) is not None
    return (_LOOP if is_loop else _FIT).format(
        run=ascii(run_folder),
        framework=framework.value,
        epochs=epochs,
        steps=steps,
        first=first,
        start=start,
        saver=_MANAGER if of_manager else _CHECKPOINT,
        argument="manager=manager" if of_manager else "checkpoint=checkpoint",
    )


def _refused(manifest: Manifest, run_folder: str, framework: Framework) -> str | None:
    """The plain call for what the client does not restore; None where it does."""
    restoring, checkpoint = _restoring(manifest), manifest.checkpoint
    reason = restoring.refused(manifest.restore.api, framework)
    if reason is None:
        return None
    items = manifest.restore.items or ()
    if len(items) > 1:
        lines = (f"    {_inside(run_folder, item)!a}," for item in items)
        return _REFUSED.format(reason=reason) + "\n" + _ORBAX_ITEMS.format(paths="\n".join(lines))
    before = "" if checkpoint.path == "." else f"{checkpoint.path}/"
    own = [file.path.removeprefix(before) for file in checkpoint.files if file.path.startswith(before)]
    path = _inside(run_folder, os.path.join(checkpoint.path, restoring.inner(own)))
    return _REFUSED.format(reason=reason) + "\n" + CODE[manifest.restore.api].format(path=ascii(path))


def _inside(run_folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(run_folder, from_text(path)))


def _restoring(manifest: Manifest) -> Restoring:
    found = spec_of(manifest.checkpoint.format).restoring
    if found is None:  # no manifest is written for such a format
        raise ManifestError([Problem(path="checkpoint.format", problem=f"{manifest.checkpoint.format} is not resumed")])
    return found
