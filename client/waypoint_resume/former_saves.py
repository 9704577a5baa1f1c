"""What a save writes over, kept until the coming one is whole and has its state.

`model.keras`, saved again and again under its name, is the only save of its training. A kill while it is written leaves
half a file, and one between the save and its state a training that forgets what its callbacks and generators knew. So
the former file is moved into `.waypoint/kept/former-<id>` before (a link and an unlink, nothing is copied), and goes
when the coming one's state is kept. In between a start goes on from it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from waypoint_resume.checkpoints import Found, format_of_file
from waypoint_resume.claim import Decision
from waypoint_resume.eligible import eligible_checkpoints
from waypoint_resume.fit_mark import mark_in
from waypoint_resume.kept import FILES, FORMER, Kept, drop_kept, is_former, keep_files, kept_in
from waypoint_resume.kept_state import find_state
from waypoint_resume.live import Live
from waypoint_resume.log import LOG
from waypoint_resume.run_tree import RunTree


class FormerSaves:
    """What the saves of one job write over. Nothing that goes wrong here stops a save."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self._kept: dict[str, Kept] = {}  # by path

    def begin(self) -> None:
        """Take over what a start before this one left, and let go what is not needed any more."""
        for item in kept_in(self._decision.home):
            if is_former(item):
                self._kept[item.path] = item
                current = find_state(self._decision, item.path, None).state
                if current is not None:
                    mark = mark_in(current)
                    self.let_go(item.path, of_fit=None if mark is None else mark.number)

    def let_go(self, path: str, *, of_fit: int | None = None) -> None:
        """The checkpoint at a path has its state: the one before it goes, but not if a later fit() than `of_fit` saved
        that: a script that is passed over saves again what it saved between two.
        """
        if (item := self._kept.get(path)) is None:
            return
        mark = mark_in(find_state(self._decision, item.path_from(self._decision.run), None).state)
        if of_fit is None or mark is None or mark.number <= of_fit:
            drop_kept(self._kept.pop(path))

    def save_over(self, path: str, save: Callable[[], Any]) -> Any:  # noqa: ANN401 - what Keras' save() gives
        """Save to a path relative to the run, with what lies there kept aside where there is room for both.

        Where that save fails it lies in its place again; and as the disk may have been too full for both, it is tried
        once more, over it.
        """
        if not self._set_aside(path):
            return save()
        try:
            return save()
        except Exception as error:
            self._put_back(path)
            if not isinstance(error, OSError):
                raise
            LOG.info("%s: %s. It is saved over what lies there.", path, error)
        return save()

    def _set_aside(self, path: str) -> bool:
        """Whether what lies there was moved aside. Not so where one before it, which has a state, still waits."""
        run, kind = self._decision.run, format_of_file(path)
        place = run / path
        if kind is None or path in self._kept or place.is_symlink() or not place.is_file():
            return False
        own = f"{FORMER}{uuid.uuid4().hex}"
        if keep_files(self._decision, path, kind, [path], own, moves=True) is not None:
            return False
        found = next((item for item in kept_in(self._decision.home) if item.manifest == own), None)
        if found is None:
            return False
        self._kept[path] = found
        os.unlink(place)
        return True

    def _put_back(self, path: str) -> None:
        item = self._kept.pop(path)
        os.replace(item.place, self._decision.run / path)
        drop_kept(item)


def with_formers(decision: Decision, live: Live, tree: RunTree | None = None) -> list[Found]:
    """The checkpoints that a job can restore, the newest first, each before what its last save wrote over."""
    found = eligible_checkpoints(decision.run, live, tree)
    for path, item in _formers(decision) if live.manager is None and live.model is not None else ():
        after = next((number + 1 for number, one in enumerate(found) if one.path == path), None)
        found.insert(sum(one.saved > item.saved for one in found) if after is None else after, item)
    return found


def _formers(decision: Decision) -> Iterator[tuple[str, Found]]:
    for item in kept_in(decision.home):
        if is_former(item) and item.is_whole():
            saved = (item.folder / FILES / item.files[0]).stat().st_mtime
            yield item.path, Found(item.path_from(decision.run), item.format, saved)
