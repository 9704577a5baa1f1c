"""The part of a watched training that keeps its state beside each checkpoint, and puts it back."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waypoint_resume.atomic import make_folder
from waypoint_resume.clock import disk_now, moment_text, seconds_of
from waypoint_resume.files import read_record, unlink_quietly, write_record
from waypoint_resume.identity import identity_of
from waypoint_resume.log import LOG
from waypoint_resume.process import own_process
from waypoint_resume.saves import SaveWatch
from waypoint_resume.state_store import StateStore
from waypoint_resume.training_state import Trained

if TYPE_CHECKING:
    from waypoint_resume.claim import Decision

KEEPING = "keeping.json"
_PRUNED_EVERY = 20.0  # seconds between two looks for states without a checkpoint
_PENDING = 8  # states of saves that go on in the background


class Keeper:
    """Keeps states of one job's training. Nothing that goes wrong here stops the training: it is told once."""

    def __init__(self, decision: Decision) -> None:
        self.run, self.store = decision.run, StateStore(decision.run, decision.home)
        self._path, self._job = self.store.folder / KEEPING, decision.job
        self._pending: dict[str, Mapping[str, Any]] = {}
        self._told: set[str] = set()
        self.on_kept: Callable[[str], None] = lambda _path: None  # a checkpoint has its state
        self._pruned = time.monotonic()

    def begin(self) -> None:
        """Say that this job keeps states from now on: a later start knows by it what a kill left without one.

        A start that was killed itself, before it saved anything, leaves what the one before it had left: so `since` is
        when the first of them began that no end by itself lies behind, by the clock of the disk.
        """
        record = {"job": self._job, "host": socket.gethostname(), "pid": os.getpid(), "process": own_process()}
        try:
            make_folder(self.store.folder)
            now = disk_now(self.store.folder)
            since = min(now, seconds_of((read_record(self._path) or {}).get("since")) or now)
            write_record(self._path, {**record, "since": moment_text(since)})
        except OSError as error:
            self.tell(f"No state is kept beside checkpoints: {error}")

    def end(self) -> None:
        """Say that this job ended by itself: everything that it saved has its state."""
        self.settle()
        if (read_record(self._path) or {}).get("process") == own_process():
            unlink_quietly(self._path)

    def keep(self, path: str, state: Mapping[str, Any]) -> None:
        """Keep a state for the checkpoint at a path relative to the run; later if its files are not written yet."""
        try:
            identity = identity_of(self.run, path)
        except FileNotFoundError:
            self.keep_when_there(path, state)
            return
        except OSError as error:
            self.tell(f"{path} has no state kept beside it: {error}")
            return
        try:
            for problem in self.store.keep(identity, state):
                self.tell(f"Not kept beside checkpoints: {problem}")
            self.on_kept(path)
            if time.monotonic() - self._pruned > _PRUNED_EVERY:
                self.prune()
        except Exception as error:  # noqa: BLE001 - a training goes on whatever becomes of its state
            self.tell(f"{path} has no state kept beside it: {error}")

    def keep_when_there(self, path: str, state: Mapping[str, Any]) -> None:
        """Hold a state until `settle` finds its checkpoint, which is written in the background."""
        self._pending[path] = state
        while len(self._pending) > _PENDING:
            del self._pending[next(iter(self._pending))]

    def is_awaited(self, path: str) -> bool:
        """Whether a state waits for this checkpoint."""
        return path in self._pending

    def settle(self) -> list[str]:
        """Keep what waited for checkpoints that are there by now; their paths."""
        there = [path for path in self._pending if _is_there(self.run, path)]
        for path in there:
            self.keep(path, self._pending.pop(path))
        return there

    def prune(self) -> None:
        """Remove the states of checkpoints that this job has rotated away."""
        self._pruned = time.monotonic()
        self.store.prune()

    def tell(self, text: str) -> None:
        """Warn of something, once."""
        if text not in self._told:
            self._told.add(text)
            LOG.warning("%s", text)


class TrainingKeeper:
    """Keeps the state of a fit() whenever one of its callbacks has saved; to be called after all of those."""

    def __init__(self, decision: Decision, trained: Trained) -> None:
        self.keeper, self.trained = Keeper(decision), trained
        self._saves = SaveWatch(decision.run, trained.callbacks or ())
        self._in_background = [item for item in trained.callbacks or () if hasattr(item, "_async_futures")]
        self._futures = 0
        self._run = decision.run
        self._settled: set[str] = set()  # since the last look, with the state of when they were begun

    def begin(self) -> None:
        """The loop is about to begin."""
        self.keeper.begin()

    def may_have_saved(self) -> bool:
        """Whether a callback may have saved at the batch that has just ended."""
        return self._saves.may_have_saved()

    def settle(self) -> None:
        """Keep what waited for a save in the background that is there by now; without one it costs nothing."""
        self._settled.update(self.keeper.settle())

    def look(self, read: Callable[[], Mapping[str, Any]]) -> None:
        """Keep the state, which `read` gives as it is now, for everything that was saved since the last look."""
        try:
            self._look(read)
        except Exception as error:  # noqa: BLE001 - a training goes on whatever becomes of its state
            self.keeper.tell(f"No state is kept beside what was just saved: {type(error).__name__}: {error}")

    def _look(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self.settle()
        settled, self._settled = self._settled, set()
        found = (item.path for item in self._saves.new())
        fresh = [path for path in found if path not in settled and not self.keeper.is_awaited(path)]
        is_coming = self._is_coming()
        if not fresh and not is_coming:
            return
        state = read()
        for path in fresh:
            self.keeper.keep(path, state)
        for path in self._coming(state["position"]) if is_coming else ():
            self.keeper.keep_when_there(path, state)

    def end(self) -> None:
        """The loop is over; what was saved by callbacks at its very end has no state of its own."""
        self.keeper.end()
        self.keeper.prune()

    def _is_coming(self) -> bool:
        """Whether OrbaxCheckpoint has begun to write a step in the background since the last look."""
        former = self._futures
        self._futures = sum(len(item._async_futures) for item in self._in_background)  # noqa: SLF001
        return self._futures > former

    def _coming(self, position: Mapping[str, Any]) -> Iterator[str]:
        """The steps that OrbaxCheckpoint may be writing now, as it names its folders."""
        for item in self._in_background:
            name = item._total_batches_seen if position["batch"] else position["epoch"] - 1  # noqa: SLF001
            place = Path(os.path.realpath(item.directory), str(name))
            if place.is_relative_to(self._run) and not place.exists():
                yield place.relative_to(self._run).as_posix()


def _is_there(run: Path, path: str) -> bool:
    return (run / path).exists() or (run / f"{path}.index").exists()
