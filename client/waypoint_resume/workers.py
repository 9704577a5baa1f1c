"""Several workers: the chief decides, the others restore what it chose."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.claim import Decision
from waypoint_resume.errors import ResumeError
from waypoint_resume.files import read_record, unlink_quietly, write_record
from waypoint_resume.jobs import cluster_task
from waypoint_resume.lock import POLL
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.stop_agreement import WORKERS
from waypoint_resume.waiting import wait_seconds

WORKERS_WAIT = 600.0  # seconds that a worker waits for the chief's decision


def _worker_places(decision: Decision) -> tuple[Path, str]:
    folder = decision.home / HIDDEN / WORKERS
    name = hashlib.blake2b(os.fsencode(decision.job), digest_size=8).hexdigest()
    return folder, name


def publish_choice(decision: Decision, said: Mapping[str, object]) -> None:
    """Tell the other workers what the chief decided. Each asks with an id of its own, so that none takes the answer
    of an earlier start for this one's; a daemon thread answers those that come later.
    """
    folder, name = _worker_places(decision)
    answered: set[str] = set()
    decision.start_id = uuid.uuid4().hex
    said = {**said, "start": decision.start_id}

    def answer() -> None:
        asked = {str((read_record(path) or {}).get("id")) for path in folder.glob(f"{name}-*.ask")} - answered
        if asked:
            answered.update(asked)
            write_record(folder / f"{name}.json", {**said, "answers": sorted(answered)})

    def keep_answering() -> None:
        until = time.monotonic() + WORKERS_WAIT
        while time.monotonic() < until:
            with contextlib.suppress(OSError):  # a disk that is away for a moment
                answer()
            time.sleep(POLL)

    if cluster_task()[3] > 1 or folder.is_dir():
        answer()
        threading.Thread(target=keep_answering, name="waypoint-chief", daemon=True).start()


def ask_chief(decision: Decision, wait: float | None = None) -> dict[str, Any]:
    """Wait for the chief's decision about this start, which itself may wait `wait` seconds for the run.

    ResumeError if none comes, or with the chief's own.
    """
    folder, name = _worker_places(decision)
    kind, index = cluster_task()[1:3]
    own, question = uuid.uuid4().hex, folder / f"{name}-{kind}-{index}-{socket.gethostname()}-{os.getpid()}.ask"
    hidden_folder(decision.home, WORKERS)
    write_record(question, {"id": own, "host": socket.gethostname(), "pid": os.getpid()})
    until = time.monotonic() + WORKERS_WAIT + wait_seconds(wait)
    try:
        while time.monotonic() < until:
            said = read_record(folder / f"{name}.json") or {}
            if own in said.get("answers", ()):
                if "error" in said:
                    raise ResumeError(f"The chief could not resume: {said['error']}")
                decision.start_id = said.get("start")
                return said
            time.sleep(POLL)
    finally:
        unlink_quietly(question)
    raise ResumeError(
        f"The chief of job {decision.job} decided nothing about {decision.run} in {WORKERS_WAIT:.0f} s. Every worker "
        "needs the same job name (WAYPOINT_JOB, its scheduler's, or TF_CONFIG), and the chief must call resume() too."
    )
