"""Ending a training of several workers before its time: all end after the same step, and save there together.

A save may read variables that every worker holds a part of, so all take part in it: what the others write is thrown
away. The chief alone answers the request, gives the run back and marks the claim.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from waypoint_resume import stopping
from waypoint_resume.errors import ResumeError
from waypoint_resume.log import LOG
from waypoint_resume.parting import save_as_other_worker
from waypoint_resume.stop import Stop
from waypoint_resume.stop_agreement import StopAgreement, agreement_of

if TYPE_CHECKING:
    from waypoint_resume.start import Start

SAVE_LIMIT = 600.0  # seconds that the other workers wait for the chief's save
LEAVE_LIMIT = 20.0  # seconds that the chief waits for the others to end first
ENDED_MEANWHILE = "The training came to its end before all workers could stop."


def stop_of(start: Start) -> Stop:
    """What may end this training, alone or together with other workers."""
    try:
        agreement = agreement_of(start._decision) if start._decision.has_workers else None  # noqa: SLF001
        if agreement is not None:
            agreement.begin()
    except (OSError, ResumeError) as error:
        LOG.warning("This worker cannot stop together with the others: %s", error)
        agreement = None
    return Stop(start) if agreement is None else StopTogether(start, agreement)


class StopTogether(Stop):
    """One worker's part in ending a training. Every worker asks `is_due` at the same places."""

    in_validation = False  # where workers may run different numbers of batches
    saves_alone = False

    def __init__(self, start: Start, agreement: StopAgreement) -> None:
        super().__init__(start)
        self._agreement, self._is_chief, self._is_told = agreement, self._decision.lease is not None, False

    def is_due(self) -> bool:
        """Whether all workers are to end here, which costs a comparison unless somebody asked for it."""
        if self._agreement.is_complete and not self._is_told:
            self._is_told = True
            stopping.watch(self._decision)  # before that SIGTERM waits for nothing
            if self._decision.lease is not None:
                self._decision.lease.note(stops_together=True)
        if self._box is not None and self._request is None:
            self._request = self._box.look()
            if self._request is not None and not self._box.accept(self._request):
                self._request = None
        asked = stopping.PAUSED if self._request is not None else None
        is_due = self._agreement.is_due(stopping.PREEMPTED if stopping.is_asked() else asked)
        reason, self._agreement.refused = self._agreement.refused, None
        if reason is not None:
            self._end_alone(reason)
        return is_due

    def end(self, saved: str | None, save: Callable[[], str]) -> None:
        """End here, after a save in which all take part, where the chief finds that none was made here.

        Returns where a pause could not be saved, or the job's own handler of SIGTERM lets it go on.
        """
        ended = self._agreement.ended or stopping.PAUSED
        if self._is_chief:
            self._end_as_chief(saved, save, ended)
        else:
            self._end_as_other(ended)

    def close(self) -> None:
        """The training is over: from now on SIGTERM waits for nothing."""
        super().close()
        self._agreement.close()
        if self._request is not None and self._box is not None:
            self._box.refuse(self._request, ENDED_MEANWHILE)
            self._request = None

    def _end_as_chief(self, saved: str | None, save: Callable[[], str], ended: str) -> None:
        self._agreement.tell("saving", saves=saved is None)
        try:
            if saved is None:
                saved = save()
        except Exception as error:  # noqa: BLE001 - whatever a full disk, a manager or a callback raises
            LOG.error("The training could not be saved where it stands: %s", error)
            if ended == stopping.PAUSED:
                self._agreement.tell("saved", goes_on=True)
                self._refuse(f"It could not be saved: {error}. The training goes on.")
                self._agreement.go_on()
                return
        self._give_back(saved, ended)
        self._agreement.tell("saved", checkpoint=saved)
        self._agreement.hear_all_leave(LEAVE_LIMIT)
        self._go(ended)

    def _end_as_other(self, ended: str) -> None:
        is_saving = (self._agreement.hear("saving") or {}).get("saves")
        told: dict[str, Any] | None = None
        try:
            if is_saving:
                self._save_for_the_chief()
            told = self._agreement.hear("saved", limit=SAVE_LIMIT)
        except Exception as error:  # noqa: BLE001 - the chief's save may wait for this one: this worker has to end
            LOG.error("This worker could not take part in the save: %s", error)
        if told is not None and told.get("goes_on"):
            self._agreement.go_on()
            return
        LOG.info("%s with all workers at step %s.", ended.capitalize(), self.step())
        self._agreement.tell("left")
        self._go(ended)

    def _go(self, ended: str) -> None:
        stopping.leave(self._decision, ended)
        self._agreement.go_on()
        self._is_told = False

    def _save_for_the_chief(self) -> None:
        folder = tempfile.mkdtemp(prefix="waypoint-worker-")
        try:
            save_as_other_worker(Path(folder), self._live)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _end_alone(self, reason: str) -> None:
        """All could not agree: a pause is refused, and SIGTERM ends this worker without a save."""
        self._refuse(reason)
        if stopping.is_asked():
            LOG.warning("SIGTERM: nothing is saved here. %s", reason)
            self._give_back(None, stopping.PREEMPTED)
            self._go(stopping.PREEMPTED)

    def _refuse(self, reason: str) -> None:
        if self._request is not None and self._box is not None:
            self._box.refuse(self._request, reason)
        self._request = None
