"""Which job this is, and which of its tasks decides."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import uuid

from waypoint_resume.errors import ResumeError

_SELF = uuid.uuid4().hex[:8]  # tells this process from an earlier one of the same number


def cluster_task() -> tuple[str | None, str, int, int]:
    """From TF_CONFIG: a name for the cluster (None without one), this task's type and index, the number of workers."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster") or {}, config.get("task") or {}
        kind, index = str(task.get("type", "worker")), int(task.get("index", 0))
        workers = sum(len(cluster.get(name, ())) for name in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise ResumeError(f"TF_CONFIG cannot be read: {error}") from None
    if not cluster:
        return None, "worker", 0, 1
    name = hashlib.blake2b(json.dumps(cluster, sort_keys=True).encode(), digest_size=6).hexdigest()
    return f"cluster-{name}", kind, index, workers


def is_chief_task() -> bool:
    """Whether this task decides: the chief, or worker 0 of a cluster without one."""
    name, kind, index, _ = cluster_task()
    if name is None:
        return True
    has_chief = "chief" in (json.loads(os.environ["TF_CONFIG"]).get("cluster") or {})
    return kind == "chief" or (kind == "worker" and index == 0 and not has_chief)


def job_id() -> str:
    """What stays the same when the scheduler starts this job again; else a name for this process alone."""
    for name in ("WAYPOINT_JOB", "SLURM_JOB_ID"):
        if os.environ.get(name):
            return f"{name.partition('_')[0].lower()}-{os.environ[name]}"
    return cluster_task()[0] or f"process-{socket.gethostname()}-{os.getpid()}-{_SELF}"
