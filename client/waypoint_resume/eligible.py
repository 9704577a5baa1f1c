"""The checkpoints of a run that a job can restore, the newest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from waypoint_resume.checkpoints import USELESS_SPAN, Found, find_checkpoints, found_at, worker_temp
from waypoint_resume.file_names import read_place
from waypoint_resume.files import names_in_folder
from waypoint_resume.inventory import is_keras_hdf5
from waypoint_resume.live import Live
from waypoint_resume.moments import has_year
from waypoint_resume.objects import keras_generation
from waypoint_resume.run_tree import RunTree


def eligible_checkpoints(run: Path, live: Live, tree: RunTree | None = None) -> list[Found]:
    """The run's checkpoints of the formats that this job can restore; a manager's are its own only.
    `tree`: the run where it was listed already.
    """
    found = list(find_checkpoints(run, tree)) if live.manager is None else list(_of_manager(run, live.manager))
    found = [item for item in found if worker_temp(item.path) is None]
    found = [item for item in found if item.format != "hdf5" or is_keras_hdf5(run / item.path)]
    if live.model is None:
        found = [item for item in found if item.format == "tf-bundle"]
    elif live.manager is None and live.checkpoint is None and keras_generation(live.model) == 3:
        found = [item for item in found if item.format != "saved-model"]
    saved = [item.saved for item in found]
    is_useless = len(found) > 1 and max(saved) - min(saved) <= USELESS_SPAN

    listed = getattr(live.manager, "checkpoints", ())  # in the order of its saves, which may count from two counters
    ranks = {os.path.realpath(path): rank for rank, path in enumerate(listed)}
    names = {item.path: read_place(*["", *item.path.split("/")][-2:]) for item in found}
    moments = {name.moment for name in names.values()}
    is_dated = len(moments) > 1 and all(moment is not None and has_year(moment) for moment in moments)

    def order(item: Found) -> tuple[object, ...]:
        rank, name = ranks.get(os.path.realpath(run / item.path), -1), names[item.path]
        return (name.moment if is_dated else 0, 0.0 if is_useless else item.saved, rank, name.order, item.path)

    return sorted(found, key=order, reverse=True)


def manager_prefix(run: Path, manager: Any) -> tuple[Path | None, re.Pattern[str]]:  # noqa: ANN401
    """The folder of a CheckpointManager's checkpoints, also where a link in the run leads to it (None where it lies
    elsewhere), and what their names match.
    """
    real = Path(os.path.realpath(manager.directory))
    given = Path(os.path.abspath(manager.directory))
    place = next((p for p in (real, Path(os.path.realpath(given.parent)) / given.name) if p.is_relative_to(run)), None)
    return place, re.compile(re.escape(Path(manager._checkpoint_prefix).name) + r"-\d+")  # noqa: SLF001


def _of_manager(run: Path, manager: Any) -> Iterator[Found]:  # noqa: ANN401
    """A CheckpointManager's own checkpoints."""
    place, own = manager_prefix(run, manager)
    names = names_in_folder(place) if place is not None else set()
    for name in (name.removesuffix(".index") for name in names if name.endswith(".index")):
        if place is not None and own.fullmatch(name) and any(other.startswith(f"{name}.data-") for other in names):
            yield found_at(run, place / name, "tf-bundle", place / f"{name}.index")
