"""Passing a fit() over that was done before the one whose checkpoint is to be restored: its end is put back instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waypoint_resume.checkpoints import Found
from waypoint_resume.choice import plan_for
from waypoint_resume.clock import disk_now
from waypoint_resume.ended_fits import ended_fit
from waypoint_resume.ended_record import FITS
from waypoint_resume.errors import MismatchError, ResumeError
from waypoint_resume.fit_mark import FitMark
from waypoint_resume.loading import load_checked
from waypoint_resume.places import HIDDEN
from waypoint_resume.restored import restore_state, tell_restored

if TYPE_CHECKING:
    from waypoint_resume.start import Start


def pass_over(start: Start, later: FitMark) -> Start:
    """Restore what the running fit() ended with, so that what the script does next meets it; no epoch is trained.

    ResumeError where that is not kept: what the script does next would be done to another model.
    """
    decision, live = start._decision, start._live  # noqa: SLF001 - a part of the start
    assert live.order is not None
    own, number = live.order.mark.number + 1, later.number + 1
    if decision.has_workers:
        raise ResumeError(
            f"The newest checkpoint was saved in fit() number {number} of this script, and this is number {own}: with "
            f"several workers none is passed over. Leave those that are done out, and say Waypoint(RUN, fit={number})."
        )
    ended = ended_fit(decision, own - 1)
    if ended is None:
        raise ResumeError(
            f"The newest checkpoint was saved in fit() number {number} of a script, and this is number {own}, whose "
            f"end is not kept in {decision.home / HIDDEN / FITS}: what the script does next would be done to another "
            f"model. If this fit() is that later one, say so: Waypoint(RUN, fit={number}). Nothing was loaded."
        )
    plan = plan_for(decision.readable / ended.path, ended.format, live)
    if plan.differences:
        raise MismatchError(ended.path, plan.differences)
    load_checked(ended.path, plan, live)
    start.passes, start.source, start.step = True, ended.path, plan.step
    live.order.target = later.number
    if live.order.passed_at is None:
        live.order.passed_at = disk_now(decision.home / HIDDEN)
    why = f"what fit() number {own} ended with: it was done, and is passed over"
    start.receipt = restore_state(start, Found(ended.path, ended.format, 0.0), plan, why, [], is_picked=False)
    start._remember()  # noqa: SLF001
    tell_restored(start, start.receipt)
    return start
