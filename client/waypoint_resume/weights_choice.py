"""Whose weights a start takes that was told to take the weights alone, where no manifest names them."""

from __future__ import annotations

from waypoint_resume.afresh import PassedOver, raise_for_whole, require_nothing_lost
from waypoint_resume.checkpoints import Found
from waypoint_resume.choice import first_that_fits
from waypoint_resume.claim import Decision
from waypoint_resume.eligible import eligible_checkpoints
from waypoint_resume.errors import MismatchError, ResumeError
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.hints import on_the_dashboards_machine
from waypoint_resume.kill_window import kept_states, prefer_kept
from waypoint_resume.live import Live
from waypoint_resume.loading import LoadPlan
from waypoint_resume.other_fits import of_this_fit
from waypoint_resume.pick import kept_copy
from waypoint_resume.places import HIDDEN
from waypoint_resume.run_tree import RunTree
from waypoint_resume.weights_alone import RECORD, Taken, taken_weights


def choose_weights(decision: Decision, live: Live, told: list[str]) -> tuple[Found, LoadPlan] | FitMark:
    """The newest whose weights fit; for a job that has begun so already what it saved itself, with everything, else
    the same weights again. ResumeError where there is nothing to take.
    """
    tree = RunTree(decision.run)
    found, taken = eligible_checkpoints(decision.run, live, tree), taken_weights(decision)
    if taken is not None:
        own = _own_save(decision, taken, found, live, told)
        if own is not None:
            return own
        found = [_source(decision, taken, found)]
    passed: list[PassedOver] = []
    chosen = first_that_fits(decision, found, live, passed, weights_only=True)
    told += [str(item) for item in passed if chosen is not None or item.error is None]
    if chosen is None:
        require_nothing_lost(tree, passed, told)
        raise ResumeError(
            f"weights_only=True, and nothing lies in {decision.run} whose weights could be taken: a fresh start would "
            f"train from nothing. Name the run that has them, or fork its checkpoint into this one. {' '.join(told)}"
        )
    return chosen


def _own_save(
    decision: Decision, taken: Taken, found: list[Found], live: Live, told: list[str]
) -> tuple[Found, LoadPlan] | FitMark | None:
    """What the training itself saved last; None where it saved nothing, or all of that is damaged."""
    passed: list[PassedOver] = []
    own, others, later = of_this_fit(taken.own_saves(decision.run, found), decision, live)
    if later is not None:
        return later
    ordered, why = prefer_kept(own, *kept_states(decision))
    chosen = first_that_fits(decision, ordered, live, passed)
    begun = f"This training began with the weights of {taken.source} alone, at {taken.begun_at}"
    if chosen is None:
        for item in passed:
            if isinstance(item.error, MismatchError):  # without the way that was taken already
                item.error = MismatchError(item.error.name, item.error.differences)
        raise_for_whole(
            decision.run,
            passed,
            f"{begun}, and saved these since: weights_only=True takes them once. To take the weights of one of these "
            f"alone, hand it over so ({on_the_dashboards_machine('resume RUN --weights-only')}), best as a fork.",
        )
    told += [*others, *why, *map(str, passed)]
    if chosen is not None:
        told.append(f"{begun}: it goes on from its own saves, with everything.")
    return chosen


def _source(decision: Decision, taken: Taken, found: list[Found]) -> Found:
    """The checkpoint whose weights were taken, under whatever name it lies there now, or the copy that was kept."""
    ordered = sorted(found, key=lambda item: item.path != taken.source)
    source = next((item for item in ordered if taken.is_source(decision.run, item.path)), None)
    if source is None and (copy := kept_copy(decision, taken.id)) is not None:
        source = Found(copy, taken.format, 0.0)
    if source is None:
        raise ResumeError(
            f"{taken.source}, with whose weights this training began at {taken.begun_at}, is not there any more as it "
            "was, no copy of it is kept, and nothing that was saved since can be read. To begin with other weights, "
            f"move {decision.home / HIDDEN / RECORD} away. Nothing was loaded."
        )
    return source
