"""Several workers that train in step end after the same step: they agree on it through files.

A boundary is a place between two steps where a worker may end. All workers pass the same ones, and each counts them.
Whoever is to end asks. Then each worker promises a boundary, and does not go beyond it before it knows the outcome: the
one at which it stands, or, said by a thread while a step runs, the next one. The greatest promise is where all end.
Nobody waits for ever: a worker that another one's step waits for either goes on to its own promise, or stands at a
boundary whose outcome needs promises only, which the others make within their steps. So it does not matter how far a
program runs ahead of what its devices have computed.

In `.waypoint/workers/stop-<start>/`, where each file is written once:

    <task>.here               this worker looks for what is asked
    <n>.asked                 n-th time: how all are to end, and which task asks
    <n>-<task>.promise        a boundary
    <n>.outcome               the boundary where all end, or why nobody does
    <n>.saving                the chief's: whether all save there, which they can only do together
    <n>.saved                 the chief's: how its save went, and whether all go on after all
    <n>-<task>.left           this worker is about to end
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import make_folder
from waypoint_resume.claim import Decision
from waypoint_resume.files import names_in_folder, read_record, unlink_quietly, write_record
from waypoint_resume.jobs import cluster_task, cluster_tasks
from waypoint_resume.log import LOG
from waypoint_resume.places import hidden_folder

LOOK_EVERY = 0.5  # seconds between two looks for what is asked
HOLD_POLL = 0.02  # seconds between two looks while the training waits
GATHER_LIMIT = 20.0  # seconds after which workers that do not look for requests are taken not to
HOLD_LIMIT = 120.0  # seconds that the training waits for promises: a network disk shows new files after a minute
WORKERS, PREFIX = "workers", "stop-"


class StopAgreement:
    """One worker's part in it. `tasks` are all workers, of which `task` is this one."""

    def __init__(self, folder: Path, task: str, tasks: Sequence[str], *, is_chief: bool) -> None:
        self.folder, self.task, self.tasks, self.is_chief = folder, task, tuple(tasks), is_chief
        self.is_complete = False  # whether all workers were seen to look for what is asked
        self.refused: str | None = None  # why nobody ends, though it was asked
        self.ended: str | None = None  # how all are to end
        self._lock = threading.Lock()  # for what is counted and promised
        self._passed = self._round = 0
        self._promised: int | None = None
        self._boundary: int | None = None
        self._wished_at: float | None = None
        self._next_look = 0.0
        self._active = threading.Event()

    def begin(self) -> None:
        """Look for what is asked, from now on."""
        make_folder(self.folder)
        if self.is_chief:
            _remove_former(self.folder)
        self._write(f"{self.task}.here", {"pid": os.getpid()})
        if not self._active.is_set():
            self._active = threading.Event()
            self._active.set()
            threading.Thread(target=self._watch, args=(self._active,), name="waypoint-stop", daemon=True).start()

    def close(self) -> None:
        """The training is over."""
        self._active.clear()

    def is_everybody_here(self) -> bool:
        """Whether all workers look for what is asked; costs a look at the folder."""
        return {f"{task}.here" for task in self.tasks} <= names_in_folder(self.folder)

    def is_due(self, wish: str | None) -> bool:
        """Whether all end at this boundary, or were to end at one before; `wish` is how this worker is to end.

        It may wait for the other workers, once in each agreement. `refused` tells why a wish comes to nothing.
        """
        with self._lock:
            self._passed += 1
            if wish is not None and self._promised is None:
                self._ask(wish)
                self._promise(self._passed)
            promised = self._promised
        if promised is None or self._passed < promised:
            return False
        if self._boundary is None:
            self._await_outcome()
        return self._boundary is not None and self._passed >= self._boundary

    def go_on(self) -> None:
        """All go on after all; the next time is another one."""
        with self._lock:
            self._round += 1
            self._promised = self._boundary = self.ended = self._wished_at = None
            self._next_look = 0.0

    def tell(self, what: str, **values: object) -> None:
        """Tell the others something of this agreement: the chief `saving` and `saved`, any other worker `left`."""
        with contextlib.suppress(OSError):  # the others wait for a limited time
            self._write(self._told(what, self.task), values)

    def hear(self, what: str, task: str = "", limit: float = HOLD_LIMIT) -> dict[str, Any] | None:
        """What was told, by this task if it was not the chief; None where nothing is for `limit` seconds."""
        path = self.folder / self._told(what, task)
        return _until(lambda: read_record(path), limit)

    def hear_all_leave(self, limit: float) -> None:
        """Wait until all other workers are about to end: the chief's end takes the cluster's service with it."""
        until = time.monotonic() + limit
        for task in self.tasks:
            if task != self.task:
                self.hear("left", task, until - time.monotonic())

    def _told(self, what: str, task: str) -> str:
        return f"{self._round}-{task}.left" if what == "left" else f"{self._round}.{what}"

    def _ask(self, wish: str) -> None:
        """Ask for the end, once all workers are seen to look for it."""
        self._wished_at = self._wished_at or time.monotonic()
        moment = time.monotonic()
        if moment < self._next_look:
            return
        self._next_look = moment + LOOK_EVERY
        if self.is_everybody_here():
            self._write_once(f"{self._round}.asked", {"ended": wish, "task": self.task})
        elif moment > self._wished_at + GATHER_LIMIT:
            missing = [task for task in self.tasks if not (self.folder / f"{task}.here").exists()]
            self.refused = (
                f"Of {len(self.tasks)} workers {', '.join(missing)} does not look for it. All must stop at the same "
                "step, so each needs Waypoint or start.guard in fit(), or start.end_of_step()."
            )

    def _promise(self, boundary: int) -> None:
        """Promise a boundary if something was asked. The lock is held."""
        asked = read_record(self.folder / f"{self._round}.asked")
        if asked:
            self._write(f"{self._round}-{self.task}.promise", {"boundary": boundary})
            self.ended, self._promised = str(asked.get("ended")), boundary

    def _watch(self, active: threading.Event) -> None:
        while active.is_set():
            time.sleep(LOOK_EVERY)
            self.is_complete = self.is_complete or self.is_everybody_here()
            with contextlib.suppress(OSError), self._lock:  # a disk that is away for a moment
                if active.is_set() and self._promised is None:
                    self._promise(self._passed + 1)

    def _await_outcome(self) -> None:
        """Wait until all have promised. What stands as the outcome counts, for whoever gave up waiting too."""
        path = self.folder / f"{self._round}.outcome"
        names = {task: f"{self._round}-{task}.promise" for task in self.tasks}

        def outcome() -> dict[str, Any] | None:
            if found := read_record(path):
                return found
            promises = [(read_record(self.folder / name) or {}).get("boundary") for name in names.values()]
            known = [item for item in promises if isinstance(item, int)]
            return self._write_once(path.name, {"boundary": max(known)}) if len(known) == len(names) else None

        found = _until(outcome, HOLD_LIMIT)
        if found is None:
            silent = [task for task, name in names.items() if not (self.folder / name).exists()]
            reason = f"The training waited {HOLD_LIMIT:.0f} s for {', '.join(silent)} to stop with the others."
            found = self._write_once(path.name, {"refused": reason})
        if isinstance(found.get("boundary"), int):
            self._boundary = found["boundary"]
            return
        LOG.warning("No worker stops: %s", found.get("refused"))
        self.refused = str(found.get("refused"))
        self.go_on()

    def _write(self, name: str, value: dict[str, Any]) -> None:
        write_record(self.folder / name, value)

    def _write_once(self, name: str, value: dict[str, Any]) -> dict[str, Any]:
        """Write a file unless another worker has; what stands there then."""
        mine = self.folder / f"{name}.{uuid.uuid4().hex}"
        write_record(mine, value)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(mine, self.folder / name)
        finally:
            unlink_quietly(mine)
        return read_record(self.folder / name) or {}


_OF_JOBS: dict[tuple[Path, str], StopAgreement] = {}  # by the decisions' home and the job: all fit() of it count on


def agreement_of(decision: Decision) -> StopAgreement | None:
    """This worker's part in stopping with the others of its start; None where the others are not known."""
    tasks, key = cluster_tasks(), (decision.home, decision.job)
    if len(tasks) > 1 and decision.start_id is not None:
        folder = hidden_folder(decision.home, WORKERS) / f"{PREFIX}{decision.start_id}"
        if key not in _OF_JOBS or _OF_JOBS[key].folder != folder:
            _, kind, index, _ = cluster_task()
            _OF_JOBS[key] = StopAgreement(folder, f"{kind}-{index}", tasks, is_chief=decision.lease is not None)
    return _OF_JOBS.get(key)


def _until(look: Callable[[], dict[str, Any] | None], limit: float) -> dict[str, Any] | None:
    """What `look` finds within `limit` seconds; None for nothing."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if (found := look()) is not None:
                return found
        time.sleep(HOLD_POLL)
    return None


def _remove_former(folder: Path) -> None:
    """Remove what earlier starts left."""
    for former in folder.parent.glob(f"{PREFIX}*"):
        if former != folder:
            for name in names_in_folder(former):
                unlink_quietly(former / name)
            with contextlib.suppress(OSError):
                former.rmdir()
