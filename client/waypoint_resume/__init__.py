"""The job's side of a resume manifest: `resume()` picks a checkpoint, checks it, loads it and says where to go on.

    from waypoint_resume import resume

    start = resume(run_dir, model=model, steps_per_epoch=n)     # or checkpoint=tf.train.Checkpoint(...), manager=...
    model.fit(..., initial_epoch=start.epoch, callbacks=[*mine, start.guard])

Importing it imports no framework; TensorFlow, Keras, h5py and Orbax are imported when there is something to load.
Nothing is loaded unless everything fits. Errors: ResumeError, and of its kind RunIsBusy and MismatchError.
"""

import sys

if sys.version_info < (3, 9):  # noqa: UP036 - an older one reads this file too, from a wheel or a folder on PYTHONPATH
    raise ImportError(
        "waypoint_resume needs Python 3.9 or newer, and this is Python " + sys.version.split()[0] + ": start the job "
        "with a newer one."
    )

from waypoint_resume import (  # noqa: F401 - take part in every watched fit()
    best_part,
    saves_elsewhere,
    saves_without_optimizers,
    timeline_part,
)
from waypoint_resume.errors import MismatchError, ResumeError, RunIsBusy
from waypoint_resume.resuming import resume
from waypoint_resume.start import Start
from waypoint_resume.version import __version__
from waypoint_resume.waypoint import Waypoint

__all__ = ["MismatchError", "ResumeError", "RunIsBusy", "Start", "Waypoint", "__version__", "resume"]
