"""Going on from a checkpoint: the run is built as its trainer builds it, and trained on where its files lie."""

from itertools import islice
from pathlib import Path

import numpy as np

from trainers.common import Fit, Loop
from waypoint_resume import resume


def go_on(run: Path, training: Loop | Fit, saves: int) -> None:
    """Restore what was handed over (else the newest that fits), train for so many saves more, and say it is done.

    A ResumeError says what stands in the way; then nothing was loaded or trained.
    """
    if isinstance(training, Fit):
        start = resume(run, model=training.model, steps_per_epoch=training.steps)
        training.train(saves, start.epoch, [start.guard], verbose=2)
        return
    start = resume(run, manager=training.manager, steps_per_epoch=training.every)
    step = start.step or 0
    next(islice(training.stream, step, step), None)  # what was trained on before is passed over
    start.check()
    for _ in range(saves):
        losses = training.train(1)
        step += training.every
        print(f"step {step}: loss {np.mean(losses):.4f}, saved", flush=True)
    start.finish()
