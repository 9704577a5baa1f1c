"""What a start that has restored a checkpoint is to be told about it, so that nothing else is done to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from waypoint_resume.live import Live

if TYPE_CHECKING:
    from waypoint_resume.start import Start


def cautions(start: Start, live: Live, run: Path) -> Iterator[str]:
    """Each in a sentence."""
    epoch, steps = start._epoch, start._steps_per_epoch  # noqa: SLF001
    if epoch is not None and start.step is not None and steps and start.step // steps != epoch:
        yield (
            f"{start.source}: {epoch} epochs are done by its record, and {start.step // steps} by its step "
            f"({start.step} ÷ {steps}): start.epoch follows the record."
        )
    if start.batch:
        where = f"{start.source} was saved in mid-epoch, after {start.batch} batches"
        if live.manager is not None or live.checkpoint is not None:
            yield f"{where}: a loop goes on with batch {start.batch} of epoch {start.epoch} (start.batch, start.epoch)."
        else:
            yield (
                f"{where}: Waypoint and start.guard let fit() go on there, and without one "
                f"fit(initial_epoch={start.epoch}) begins that epoch again at batch 0."
            )
    latest = live.manager.latest_checkpoint if live.manager is not None else None
    if latest is not None and os.path.realpath(latest) != os.path.realpath(run / str(start.source)):
        yield (
            f"manager.latest_checkpoint is {latest}, not {start.source}: this job must not restore from it, and the "
            "manager's next save goes on from its own numbers."
        )
