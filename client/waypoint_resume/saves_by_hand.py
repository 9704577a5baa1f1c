"""State kept beside what a script saves itself when a fit() is done, as with `model.save(…)` between two of them.

It is the state with which that fit() ended, and tells so (`by_hand`): where the fit() is to be gone on with, what its
own callbacks saved at its end goes before, for the script may have changed the model since.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from waypoint_resume.ended_fits import keep_last
from waypoint_resume.errors import ResumeError
from waypoint_resume.former_saves import FormerSaves
from waypoint_resume.keeping import Keeper
from waypoint_resume.state_store import state_beside

if TYPE_CHECKING:
    from waypoint_resume.claim import Decision
    from waypoint_resume.fit_order import FitOrder

BY_HAND = "by_hand"


class SavesByHand:
    """Keeps the state of a fit() that is over, which `read` gives as it is when it is asked, beside what is saved."""

    def __init__(self, decision: Decision, order: FitOrder, read: Callable[[], Mapping[str, Any]]) -> None:
        self._decision, self._order, self._read = decision, order, read

    def save(self, path: str, save: Callable[[], Any], *, replaces: bool) -> Any:  # noqa: ANN401 - as Keras' save()
        """Save to a path relative to the run; `replaces`: what lies there may go."""
        with self._held() as is_held:
            if not is_held:  # another job has the run by now
                return save()
            keep_last(self._decision, self._order, saved_over=path)
            keeper, formers = Keeper(self._decision), FormerSaves(self._decision)
            formers.begin()
            keeper.on_kept = lambda kept: formers.let_go(kept, of_fit=self._order.mark.number)
            saved = formers.save_over(path, save) if replaces else save()
            try:
                if state_beside(self._decision.run, self._decision.home, path):
                    keeper.on_kept(path)  # the same as a callback saved, whose state says more exactly where that was
                else:
                    keeper.keep(path, {**self._read(), BY_HAND: True})
            except Exception as error:  # noqa: BLE001 - a training goes on whatever becomes of its state
                keeper.tell(f"No state is kept beside {path}: {type(error).__name__}: {error}")
            return saved

    @contextlib.contextmanager
    def _held(self) -> Iterator[bool]:
        """Hold the run meanwhile, which the end of the fit() gave back; whether it is held."""
        lease = self._decision.lease
        if lease is None or lease.is_held:
            yield lease is not None
            return
        try:
            lease.take_again()
        except (OSError, ResumeError):
            yield False
            return
        try:
            yield True
        finally:
            lease.release()
