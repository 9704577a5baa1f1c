"""The sign that a job lives in a run."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.clock import disk_now_ns
from waypoint_resume.errors import RunIsBusy
from waypoint_resume.files import read_record, unlink_quietly, write_record
from waypoint_resume.heartbeat import SECONDS, is_young, lease_path, touched_ns
from waypoint_resume.log import LOG
from waypoint_resume.places import hidden_folder
from waypoint_resume.process import own_process, process_lives
from waypoint_resume.version import __version__

HEARTBEAT = 30.0  # seconds between two touches of the lease


class Lease:
    """The sign that a job lives: `.waypoint/lease.json`, touched every 30 s by a daemon thread until the job ends."""

    def __init__(self, home: Path, job: str) -> None:
        self.home, self.path, self.job, self.token = home, lease_path(home), job, uuid.uuid4().hex
        self._owner = os.getpid()
        self._stop = threading.Event()

    def take(self, *, take_over: bool) -> None:
        """Take it, held under the lock. RunIsBusy while another job's is young, unless that process is surely gone."""
        holder = read_record(self.path)
        if holder is not None and not take_over and not self._may_follow(holder):
            touched, now_ns = touched_ns(self.home), disk_now_ns(self.path.parent)
            if touched is not None and is_young(touched, now_ns):
                raise RunIsBusy(
                    f"{self.home} is in use by job {holder.get('job')} on {holder.get('host')} "
                    f"(process {holder.get('pid')}), seen {max(now_ns - touched, 0) / 1e9:.0f} s ago. End it, wait "
                    f"until its lease is {SECONDS} s old, or pass take_over=True if it is surely dead. Of several "
                    "tasks of one job all but one are to pass chief=False."
                )
        hidden_folder(self.home)
        value = {"job": self.job, "host": socket.gethostname(), "pid": os.getpid(), "client": __version__}
        write_record(self.path, {**value, "process": own_process(), "token": self.token})
        threading.Thread(target=self._beat, name="waypoint-lease", daemon=True).start()
        atexit.register(self.release)

    def _may_follow(self, holder: Mapping[str, Any]) -> bool:
        """Whether this start may take a young lease: its process has ended, is this one, or was the job's of before."""
        lives = process_lives(holder)
        if lives is None:
            return bool(holder.get("job") == self.job)
        return not lives or holder["process"] == own_process()

    def release(self) -> None:
        """Give it back, if it is still this process' own."""
        if os.getpid() != self._owner:
            return  # a forked child, which ends before its job
        self._stop.set()
        if (read_record(self.path) or {}).get("token") == self.token:
            unlink_quietly(self.path)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            holder = read_record(self.path) or {}
            if holder.get("token") != self.token:
                if holder.get("job") != self.job:
                    LOG.warning("%s was taken over by another job: two jobs may write into this run.", self.path)
                return
            with contextlib.suppress(OSError):  # a disk that is away for a moment
                os.utime(self.path)
