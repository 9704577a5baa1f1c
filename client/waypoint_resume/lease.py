"""The sign that a job lives in a run."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.clock import disk_now_ns
from waypoint_resume.errors import ResumeError, RunIsBusy
from waypoint_resume.files import read_record, unlink_quietly, write_record
from waypoint_resume.heartbeat import SECONDS, ended_path, is_young, lease_path, touched_ns
from waypoint_resume.jobs import cluster_task, job_id, whose
from waypoint_resume.lock import decisions_lock
from waypoint_resume.log import LOG
from waypoint_resume.places import hidden_folder
from waypoint_resume.process import own_process, process_lives

HEARTBEAT = 30.0  # seconds between two touches of the lease
RELEASE_WAIT = 5.0  # seconds for the run's lock when it is given back; a process that ends has no more


class Lease:
    """The sign that a job lives: `.waypoint/lease.json`, touched every 30 s by a daemon thread until training ends."""

    def __init__(self, home: Path) -> None:
        self.home, self.path, self.job = home, lease_path(home), job_id()
        self._owner = os.getpid()
        self._token = ""
        self._stop = threading.Event()
        self._stop.set()
        self._is_training: Callable[[], bool] = lambda: True

    def take(self, *, take_over: bool = False) -> None:
        """Take it, under the run's lock. RunIsBusy while another job's is young, unless that process is surely gone."""
        with decisions_lock(self.home):
            holder = read_record(self.path)
            if holder is not None and not take_over and not self._may_follow(holder):
                self._require_old(holder)
            hidden_folder(self.home)
            self._token = uuid.uuid4().hex
            workers = cluster_task()[3]
            about = {**whose(), "workers": workers} if workers > 1 else whose()
            write_record(self.path, {**about, "process": own_process(), "token": self._token})
        self._stop = threading.Event()
        threading.Thread(target=self._beat, args=(self._stop,), name="waypoint-lease", daemon=True).start()
        atexit.register(self.release)

    @property
    def is_held(self) -> bool:
        """Whether it was taken and not given back."""
        return not self._stop.is_set()

    def take_again(self) -> None:
        """Take it if it was given back: a second fit() with the same start, or a handler that lets the job go on."""
        if self._stop.is_set():
            self.take()

    def note(self, **values: object) -> None:
        """Add to what it says of the job, while it is this process' own."""
        with contextlib.suppress(OSError, ResumeError), decisions_lock(self.home, RELEASE_WAIT):
            holder = read_record(self.path) or {}
            if holder.get("token") == self._token and self.is_held:
                write_record(self.path, {**holder, **values})

    def hold_while(self, is_training: Callable[[], bool]) -> None:
        """Give it back by itself, at the next touch, once a training is not running any more: an interrupted cell of a
        notebook ends without a word, and its kernel lives on.
        """
        self._is_training = is_training

    def _require_old(self, holder: Mapping[str, Any]) -> None:
        touched, now_ns = touched_ns(self.home), disk_now_ns(self.path.parent)
        if touched is not None and is_young(touched, now_ns) and not holder:
            raise RunIsBusy(
                f"{self.path} cannot be read, so whose run this is cannot be told; it was written "
                f"{max(now_ns - touched, 0) / 1e9:.0f} s ago. Make it readable, or remove it if no job works in this "
                f"run; it counts for nothing once it is {SECONDS} s old."
            )
        if touched is not None and is_young(touched, now_ns):
            raise RunIsBusy(
                f"{self.home} is in use by job {holder.get('job')} on {holder.get('host')} "
                f"(process {holder.get('pid')}), seen {max(now_ns - touched, 0) / 1e9:.0f} s ago. End it, wait until "
                f"its lease is {SECONDS} s old (wait= or WAYPOINT_WAIT does), or pass take_over=True if it is surely "
                "dead. Of several tasks of one job all but one are to pass chief=False."
            )

    def _may_follow(self, holder: Mapping[str, Any]) -> bool:
        """Whether this start may take a young lease: its process has ended, is this one, or was the job's of before."""
        lives = process_lives(holder)
        if lives is None:
            return bool(holder.get("job") == self.job)
        return not lives or holder["process"] == own_process()

    def release(self) -> None:
        """Give it back, if it is still this process' own."""
        if os.getpid() != self._owner or self._stop.is_set():
            return  # a forked child, which ends before its job; or it is given back already
        self._stop.set()
        atexit.unregister(self.release)
        # Without the lock another start could take it between the look and the removal.
        with contextlib.suppress(OSError, ResumeError), decisions_lock(self.home, RELEASE_WAIT):
            if (read_record(self.path) or {}).get("token") == self._token:
                self._keep_ended()

    def _keep_ended(self) -> None:
        """Say until when the job wrote: a rename, for a full disk takes no new file."""
        ended = ended_path(self.home)
        try:
            os.replace(self.path, ended)
            os.utime(ended)
        except OSError:
            unlink_quietly(self.path)

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT):
            if not self._is_training():
                self.release()
                return
            holder = read_record(self.path) or {}
            if holder.get("token") != self._token:
                if holder.get("job") != self.job:
                    LOG.warning("%s was taken over by another job: two jobs may write into this run.", self.path)
                return
            with contextlib.suppress(OSError):  # a disk that is away for a moment
                os.utime(self.path)
