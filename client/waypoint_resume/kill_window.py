"""The window of a kill: a checkpoint was saved, and the job died before its state was kept beside it.

Such a checkpoint would restart random generators and callbacks, while the one before goes on exactly, at the price of
the steps between them. So that one is preferred, if only one moment lacks states: where somebody has trained on without
keeping any, the newest checkpoint counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from waypoint_resume.checkpoints import Found
from waypoint_resume.claim import Decision
from waypoint_resume.clock import seconds_of
from waypoint_resume.files import read_record
from waypoint_resume.keeping import KEEPING
from waypoint_resume.state_store import StateStore, state_beside

_MOST = 8  # checkpoints without a state that are looked at: as many savers as one moment has, and more


def prefer_kept(
    newest_first: Sequence[Found], keeping: Mapping[str, Any] | None, has_state: Callable[[Found], bool]
) -> tuple[list[Found], list[str]]:
    """Checkpoints in the order in which a start tries them, and what is said of it.

    `keeping` is what a job that died left (None: it ended by itself, or kept nothing). Those that were saved in its
    last moment, each by another saver, and have no state go behind the newest that has one. Not so a step of Orbax,
    whose manager would refuse to save it again.
    """
    found = list(newest_first)
    since = seconds_of((keeping or {}).get("since"))
    if since is None:
        return found, []
    lacking: list[Found] = []
    for item in found[:_MOST]:
        if has_state(item):
            break
        lacking.append(item)
    else:
        return found, []
    is_one_moment = len({_saver(item) for item in lacking}) == len(lacking)
    if not lacking or not is_one_moment or any(item.saved < since or item.format == "orbax" for item in lacking):
        return found, []
    first = found[len(lacking)]
    names = ", ".join(item.path for item in lacking)
    told = (
        f"{names}: saved when the job was killed, before its state was kept; {first.path}, which has one, goes first."
    )
    return [first, *lacking, *found[len(lacking) + 1 :]], [told]


def kept_states(decision: Decision) -> tuple[dict[str, Any] | None, Callable[[Found], bool]]:
    """What a job that died left about its keeping, and whether a checkpoint has a state: for `prefer_kept`."""
    run, home = decision.run, decision.home
    keeping = read_record(StateStore(run, home).folder / KEEPING)
    return keeping, lambda item: state_beside(run, home, item.path)


def _saver(item: Found) -> tuple[str, str, str]:
    """What stays the same from one save of a callback to the next: format, folder and name without numbers."""
    folder, name = os.path.split(item.path)
    return item.format, folder, re.sub(r"\d+(?:\.\d+)?", "#", name)
