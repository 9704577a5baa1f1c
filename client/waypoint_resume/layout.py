"""Which folder is the run: the one that a job names, or the one above that it is a part of; and what was decided where.

A job names a folder. The dashboard, before any job has named one, takes the folder of the checkpoints for the run, or
one above. So decisions may lie below the named folder, in it, or above it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from waypoint_resume.checkpoints import walk_run
from waypoint_resume.files import read_record
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import HIDDEN, MANIFEST, NAMED, decision_homes, is_named_run
from waypoint_resume.rules import path_value

_INNER = frozenset(
    """checkpoint checkpoints ckpt ckpts training_checkpoints best_ckpt weights model models saved_model saved_models
    export exported best_exporter logs tb tensorboard summaries plugins train validation val eval test backup chief
    variables artifacts .guild""".split()  # noqa: SIM905 - names as one reads them
)
_INNER_STEMS = ("eval_", "workertemp_")
# A folder for each save, as Hugging Face's Trainer, DeepSpeed and Ray name them.
_OF_ONE_SAVE = re.compile(r"(?:checkpoint|ckpt|step|epoch)[-_]\d+|global[-_]?step[-_]?\d+", re.IGNORECASE)
_HIGHEST = 8  # folders above the named one that are looked at


def is_inner(name: str) -> bool:
    """Whether a folder of this name is a part of a run and never a run by its name."""
    lowered = name.lower()
    return lowered in _INNER or lowered.startswith(_INNER_STEMS) or _OF_ONE_SAVE.fullmatch(name) is not None


def run_of(named: Path) -> Path:
    """The run that a named folder belongs to: itself, or the nearest folder above with decisions, if only folders lie
    between that are parts of a run by their names (as the dashboard climbs).
    """
    here = named
    for _ in range(_HIGHEST):
        if _has_decisions(here):
            return here
        if not is_inner(here.name) or here.parent == here:
            break
        here = here.parent
    return here if _has_decisions(here) else named


def decided_above(run: Path) -> Path | None:
    """The nearest folder above a run with decisions; what was decided there may be about a checkpoint of this run."""
    return next((folder for folder in list(run.parents)[:_HIGHEST] if _has_decisions(folder)), None)


def manifests_below(run: Path) -> Iterator[Path]:
    """The folders below a run, not named by other jobs, that a manifest lies in."""
    for here, _, _ in walk_run(run):
        if here != run and any((home / MANIFEST).exists() for home in decision_homes(here)):
            yield here


def decided_below(run: Path) -> list[str]:
    """The folders below a run, not named by other jobs, in which something was decided; text, relative to the run."""
    found = (here for here, _, _ in walk_run(run) if here != run and _has_decisions(here))
    return sorted(to_text(here.relative_to(run).as_posix()) for here in found)


def _has_decisions(folder: Path) -> bool:
    return any((home / name).exists() for home in decision_homes(folder) for name in (MANIFEST, HIDDEN))


def decided_before(run: Path) -> list[Path]:
    """The folders below a run in which something was decided before a job named the run: what was decided there holds
    still. Never raises for what lies there.
    """
    listed = (read_record(run / HIDDEN / NAMED) or {}).get("decisions")
    names = [name for name in listed if path_value(name) is None] if isinstance(listed, list) else []
    folders = (run / from_text(name) for name in names)
    plain = (
        folder
        for folder in folders
        if os.path.realpath(folder) == os.path.join(os.path.realpath(run), folder.relative_to(run))
    )
    return [folder for folder in plain if (folder / HIDDEN).is_dir() and not is_named_run(folder)]
