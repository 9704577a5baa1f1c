"""Several trainings that save into one run, such as phases or folds: none goes on from what another one saved.

The state beside a checkpoint tells which fit() of a script saved it, and as what its callbacks save. Where a fit()
saves under none of those names, and has checkpoints of its own, the others are another training's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from waypoint_resume.callback_memory import settings_of
from waypoint_resume.checkpoints import USELESS_SPAN, Found
from waypoint_resume.claim import Decision
from waypoint_resume.ended_fits import ended_fit, ended_mark, ends_at
from waypoint_resume.errors import ResumeError
from waypoint_resume.fit_mark import FitMark, mark_in
from waypoint_resume.fit_order import FitOrder
from waypoint_resume.kept_state import find_state, mapping_in, position_in
from waypoint_resume.live import Live
from waypoint_resume.saves_by_hand import BY_HAND

_MOST = 50  # checkpoints, the newest first, whose states are looked at
_NAMES = ("filepath", "directory", "backup_dir")
_OTHERS = "saved by another training in this run, whose callbacks save under other names."
_BETWEEN = "saved by the script between two fit()."
_trained: set[str] = set()  # runs in which a training of this process has ended


def note_trained(decision: Decision) -> None:
    """Remember that a training of this process has ended in a run."""
    _trained.add(str(decision.run))


def of_this_fit(
    found: Sequence[Found], decision: Decision, live: Live
) -> tuple[list[Found], list[str], FitMark | None]:
    """The checkpoints, in their order, without those of other trainings, and what is said of those; and the later fit()
    of the script whose checkpoint is to be restored, where the running one was done before it.

    ResumeError where all are another one's that this process has trained to its end: a fresh start would be refused
    beside them, and going on from them would be a mistake.
    """
    if live.order is None and not live.callbacks:
        return list(found), [], None
    states = {item.path: find_state(decision, item.path, None).state or {} for item in found[:_MOST]}
    rest = list(found)
    told: list[str] = []
    if live.order is not None:
        marks = {item.path: mark_in(state) for item in found if (state := states.get(item.path)) is not None}
        rest, told = _without_strangers(rest, marks, live.order.mark)
        rest, by_hand = _without_by_hand(rest, states)
        told += by_hand
        first = _latest_mark(rest, marks, states)
        if first is not None:
            state = next(states[path] for path, mark in marks.items() if mark == first)
            own, is_over = live.order.mark.number, _is_ended(first, state, decision, live.order)
            if live.order.passes(first, ended_mark(decision, own), is_ended=is_over):
                return rest, [], first
            rest, more = _of_this_number(rest, marks, decision, live.order)
            told += more
    rest, named = _of_these_names(rest, states, decision, live)
    return rest, [*told, *named], None


def is_done(decision: Decision, live: Live, path: str) -> FitMark | None:
    """Which fit() a checkpoint was saved in, if that is the running one and it was done: a later one had begun, or
    what it ended with was kept.
    """
    mark = mark_in(find_state(decision, path, None).state)
    is_own = live.order is not None and mark is not None and mark.number == live.order.mark.number
    return mark if is_own and mark is not None and ended_fit(decision, mark.number) is not None else None


def _without_strangers(
    found: list[Found], marks: Mapping[str, FitMark | None], own: FitMark
) -> tuple[list[Found], list[str]]:
    """The checkpoints without those of other scripts' fits at the same place, if this one has saved some of its own."""
    known = {path: mark for path, mark in marks.items() if mark is not None and mark.number == own.number}
    if not any(mark.savers == own.savers for mark in known.values()):
        return found, []
    others = [item for item in found if item.path in known and known[item.path].is_apart_from(own)]
    told = [f"{_listed([item.path for item in others])}: {_OTHERS}"] if others else []
    return [item for item in found if item not in others], told


def _without_by_hand(found: list[Found], states: Mapping[str, Mapping[str, Any]]) -> tuple[list[Found], list[str]]:
    """The checkpoints without those that the script itself saved after a fit(), if that one's own end is among them."""
    own = {path: _ends(state) for path, state in states.items() if mark_in(state) is not None}
    ends = [end for path, end in own.items() if not states[path].get(BY_HAND)]
    others = [item for item in found if item.path in own and states[item.path].get(BY_HAND) and own[item.path] in ends]
    told = [f"{_listed([item.path for item in others])}: {_BETWEEN}"] if others else []
    return [item for item in found if item not in others], told


def _ends(state: Mapping[str, Any]) -> tuple[FitMark | None, tuple[int, int] | None]:
    return mark_in(state), position_in(state)


def _latest_mark(
    found: Sequence[Found], marks: Mapping[str, FitMark | None], states: Mapping[str, Mapping[str, Any]]
) -> FitMark | None:
    """The fit() that saved last; of those that saved so close to each other that times tell nothing, the last one. What
    the script saved after a fit() tells by its number alone, for a start that passes that one over saves it again.
    """
    marked = [(item, mark) for item in found if (mark := marks.get(item.path)) is not None]
    by_hand = [mark for item, mark in marked if states[item.path].get(BY_HAND)]
    by_fit = [(item, mark) for item, mark in marked if not states[item.path].get(BY_HAND)]
    newest = max((item.saved for item, _ in by_fit), default=0.0)
    close = [mark for item, mark in by_fit if item.saved >= newest - USELESS_SPAN]
    return max([*close, *by_hand], key=lambda mark: mark.number, default=None)


def _is_ended(mark: FitMark, state: Mapping[str, Any], decision: Decision, order: FitOrder) -> bool:
    """Whether the fit() that a state was kept in had ended, or would have nothing left to train."""
    done = position_in(state)
    is_all = done is not None and order.epochs is not None and done[0] >= order.epochs
    is_stopped = bool(mapping_in(state, "position").get("stop"))
    return is_all or is_stopped or ended_fit(decision, mark.number) is not None


def _of_this_number(
    found: list[Found], marks: Mapping[str, FitMark | None], decision: Decision, order: FitOrder
) -> tuple[list[Found], list[str]]:
    """The checkpoints without those of other fits, and without those that the script itself saved between two."""
    others = [item for item in found if (mark := marks.get(item.path)) and mark.number != order.mark.number]
    ends = ends_at(decision)
    saved_between = []
    for item in found:
        if marks.get(item.path) is not None and item not in others:
            break
        by_this_process = order.passed_at is not None and item.saved >= order.passed_at
        if item not in others and (by_this_process or item.saved <= ends):
            saved_between.append(item)
    told = [f"{_listed([item.path for item in others])}: saved by another fit() of this script."] if others else []
    if saved_between:
        told.append(f"{_listed([item.path for item in saved_between])}: {_BETWEEN}")
    return [item for item in found if item not in others and item not in saved_between], told


def _of_these_names(
    found: list[Found], states: Mapping[str, Mapping[str, Any]], decision: Decision, live: Live
) -> tuple[list[Found], list[str]]:
    """The checkpoints without those whose callbacks saved as none of the running fit()'s do."""
    own = {settings[name] for settings in map(settings_of, live.callbacks) for name in _NAMES if name in settings}
    others = [item for item in found[:_MOST] if _is_of_others(states[item.path], own)] if own else []
    rest = [item for item in found if item not in others]
    if not others:
        return found, []
    if rest:
        names = _listed([item.path for item in others])
        return rest, [f"{names}: {_OTHERS}"]
    if str(decision.run) in _trained:
        raise ResumeError(
            f"{others[0].path} was saved by another training of this process, and this fit() saves under other names: "
            f"give each its own folder instead of {decision.run}. To go on from it all the same, hand it over."
        )
    return found, []


def _is_of_others(state: Mapping[str, Any], own: set[str]) -> bool:
    settings = [one.get("settings") for one in state.get("callbacks") or () if isinstance(one, Mapping)]
    theirs = {one[name] for one in settings if isinstance(one, Mapping) for name in _NAMES if name in one}
    return bool(theirs) and theirs.isdisjoint(own)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
