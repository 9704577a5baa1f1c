"""Which job this is, and which of its tasks decides."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import uuid
from collections.abc import Mapping
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.schedulers import KUBERNETES, restart_count, scheduler_name
from waypoint_resume.version import __version__

_SELF = uuid.uuid4().hex[:8]  # tells this process from an earlier one of the same number
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "0.0.0.0", ""})  # noqa: S104 - addresses that are read


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
    return f"cluster-{_cluster_digest(cluster)}", kind, index, workers


def cluster_tasks() -> tuple[str, ...]:
    """From TF_CONFIG: every worker that trains, as `<type>-<index>`; none without a cluster."""
    name, _, _, workers = cluster_task()
    if name is None or workers < 1:
        return ()
    cluster = json.loads(os.environ["TF_CONFIG"])["cluster"]
    return tuple(f"{kind}-{index}" for kind in ("chief", "worker") for index in range(len(cluster.get(kind, ()))))


def _cluster_digest(cluster: Mapping[str, Any]) -> str:
    """A name for the cluster. Addresses of this machine alone say nothing of which machine, so it is added."""
    text = json.dumps(cluster, sort_keys=True)
    hosts = {str(address).rpartition(":")[0] for addresses in cluster.values() for address in addresses}
    if hosts <= _LOOPBACK:
        text += socket.gethostname()
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def is_chief_task() -> bool:
    """Whether this task decides: the chief, or worker 0 of a cluster without one."""
    name, kind, index, _ = cluster_task()
    if name is None:
        return True
    has_chief = "chief" in (json.loads(os.environ["TF_CONFIG"]).get("cluster") or {})
    return kind == "chief" or (kind == "worker" and index == 0 and not has_chief)


def job_id() -> str:
    """What stays the same when the scheduler starts this job again; else a name for this process alone."""
    name = scheduler_name(os.environ) or cluster_task()[0] or scheduler_name(os.environ, (KUBERNETES,))
    return name or f"process-{socket.gethostname()}-{os.getpid()}-{_SELF}"


def whose() -> dict[str, Any]:
    """Who writes a record: the job, its host and process, and how often the scheduler started it again."""
    value = {"job": job_id(), "host": socket.gethostname(), "pid": os.getpid(), "client": __version__}
    count = restart_count(os.environ)
    return {**value, "restart": count} if count else value
