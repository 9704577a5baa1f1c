"""Several trainings that save into one run, such as folds: none goes on from what another one saved.

The state beside a checkpoint tells which callbacks saved in its training. Where a fit() saves under none of their
names, and has checkpoints of its own, the others are another training's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from waypoint_resume.callback_memory import settings_of
from waypoint_resume.checkpoints import Found
from waypoint_resume.claim import Decision
from waypoint_resume.errors import ResumeError
from waypoint_resume.kept_state import find_state

_MOST = 50  # checkpoints, the newest first, whose states are looked at
_NAMES = ("filepath", "directory", "backup_dir")
_trained: set[str] = set()  # runs in which a training of this process has ended


def note_trained(decision: Decision) -> None:
    """Remember that a training of this process has ended in a run."""
    _trained.add(str(decision.run))


def of_this_fit(found: Sequence[Found], decision: Decision, callbacks: Sequence[Any]) -> tuple[list[Found], list[str]]:
    """The checkpoints without those of another training, and what is said of them.

    ResumeError where all are another one's that this process has trained to its end: a fresh start would be refused
    beside them, and going on from them would be a mistake.
    """
    own = {settings[name] for settings in map(settings_of, callbacks) for name in _NAMES if name in settings}
    if not own:
        return list(found), []
    others = [item for item in found[:_MOST] if _is_of_others(item, decision, own)]
    rest = [item for item in found if item not in others]
    if not others:
        return list(found), []
    if rest:
        names = ", ".join(item.path for item in others[:3]) + (" …" if len(others) > 3 else "")
        return rest, [f"{names}: saved by another training in this run, whose callbacks save under other names."]
    if str(decision.run) in _trained:
        raise ResumeError(
            f"{others[0].path} was saved by another training of this process, and this fit() saves under other names: "
            f"give each its own folder instead of {decision.run}. To go on from it all the same, hand it over."
        )
    return list(found), []


def _is_of_others(item: Found, decision: Decision, own: set[str]) -> bool:
    records = (find_state(decision, item.path, None).state or {}).get("callbacks")
    settings = [one.get("settings") for one in records or () if isinstance(one, Mapping)]
    theirs = {one[name] for one in settings if isinstance(one, Mapping) for name in _NAMES if name in one}
    return bool(theirs) and theirs.isdisjoint(own)
