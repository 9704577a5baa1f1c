"""What a start restores: the chief chooses it and makes room for what it saves, and the others do as it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from waypoint_resume.afresh import clear_the_way
from waypoint_resume.checkpoints import Found
from waypoint_resume.choice import choose_checkpoint, plan_for
from waypoint_resume.claim import Decision
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.manifest import takes_weights_only
from waypoint_resume.pick import is_pick
from waypoint_resume.rewind import set_aside
from waypoint_resume.safekeeping import begin_anew, tell_moved
from waypoint_resume.weights_alone import forget_taken
from waypoint_resume.weights_choice import choose_weights
from waypoint_resume.workers import publish_choice

if TYPE_CHECKING:
    from waypoint_resume.start import Start

# None for a fresh start; a later fit() where the running one was done before.
Chosen = Optional[Union[tuple[Found, LoadPlan], FitMark]]


def settle(start: Start, said: Mapping[str, Any], *, fresh: bool, weights_only: bool) -> tuple[Chosen, bool]:
    """What is restored, and whether it is what the manifest names; `said` is what the chief told another worker."""
    decision, live = start._decision, start._live  # noqa: SLF001 - a part of the start
    if decision.lease is None:
        return _told(decision, said, live), bool(said.get("is_pick"))
    chosen = None if fresh else _chosen(start, weights_only=weights_only)
    if isinstance(chosen, FitMark):
        return chosen, False
    tell_moved(start, clear_the_way(decision) if fresh else set_aside(decision))
    is_picked = chosen is not None and is_pick(decision, chosen[0].path)
    told: dict[str, object] = {"checkpoint": None}
    if chosen is not None:
        found, plan = chosen
        told = {"checkpoint": found.path, "format": found.format, "weights_only": plan.weights_only}
        if plan.weights_only:
            begin_anew(start, found)
    elif fresh:
        forget_taken(decision)
    publish_choice(decision, {**told, "is_pick": is_picked, "manifest": decision.manifest})
    decision.was_told = True
    return chosen, is_picked


def _chosen(start: Start, *, weights_only: bool) -> Chosen:
    """What is restored, and whether the weights alone are: by the job's wish, or by the manifest's."""
    decision, live = start._decision, start._live  # noqa: SLF001
    if decision.manifest is None and weights_only:
        return choose_weights(decision, live, start.warnings)
    weights_only = weights_only or takes_weights_only(decision.manifest)
    return choose_checkpoint(decision, live, start.warnings, weights_only=weights_only)


def _told(decision: Decision, said: Mapping[str, Any], live: Live) -> Chosen:
    """What the chief chose, matched with this worker's own objects."""
    if said["checkpoint"] is None:
        return None
    place, is_alone = decision.readable / said["checkpoint"], bool(said.get("weights_only"))
    plan = plan_for(place, said["format"], live, weights_only=is_alone)
    if plan.differences:
        raise plan.mismatch(said["checkpoint"])
    return Found(said["checkpoint"], said["format"], 0.0), plan
